;; Imports a global, to place its data where admission cannot see.
;; tied to: imports are functions
;; expect: refused A010
(module
  (import "salus0" "base" (global i32))
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (data (global.get 0) "x")
  (func (export "salus_execute") (param i32 i32) (result i64)
    i64.const 0))
