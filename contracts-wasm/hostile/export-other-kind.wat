;; Exports a global where the marker should be.
;; tied to: the interface is typed
;; expect: refused A021
(module
  (memory (export "memory") 1)
  (global (export "salus_abi_1") i32 (i32.const 0))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 0)
  (func (export "salus_execute") (param i32 i32) (result i64) i64.const 0))
