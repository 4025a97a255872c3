;; An entry point that takes nothing.
;; tied to: the interface is typed
;; expect: refused A021
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 0)
  (func (export "salus_execute") (result i64) i64.const 0))
