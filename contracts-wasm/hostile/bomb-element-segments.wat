;; More element segments than a contract has.
;; tied to: ELEMENT_SEGMENTS
;; expect: refused A004 element segments
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
;;*65 (elem func)
  (func (export "salus_execute") (param i32 i32) (result i64)
    i64.const 0))
