;; No room for its input.
;; tied to: the interface is complete
;; expect: refused A020 salus_alloc
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_execute") (param i32 i32) (result i64) i64.const 0))
