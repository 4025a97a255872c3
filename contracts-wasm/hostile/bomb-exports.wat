;; More exports than a contract has.
;; tied to: EXPORTS
;; expect: refused A004 exports
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
;;*65 (global (export "g{i}") i32 (i32.const 0))
  (func (export "salus_execute") (param i32 i32) (result i64)
    i64.const 0))
