;; Many functions with many locals: small in bytes, large in the compiler.
;; tied to: LOCALS_TOTAL
;; expect: refused A004 locals in all functions
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
;;*65 (func (local {1024:i64 }))
  (func (export "salus_execute") (param i32 i32) (result i64)
    i64.const 0))
