;; A type of a thousand results.
;; tied to: RESULTS
;; expect: refused A004 results
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (type (func (result
;;*1000 i32
  )))
  (func (export "salus_execute") (param i32 i32) (result i64)
    i64.const 0))
