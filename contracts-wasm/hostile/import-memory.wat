;; Imports a memory.
;; tied to: imports are functions
;; expect: refused A010
(module
  (import "salus0" "memory" (memory 1))
  (export "memory" (memory 0))
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_execute") (param i32 i32) (result i64)
    i64.const 0))
