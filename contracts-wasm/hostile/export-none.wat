;; No entry point at all.
;; tied to: a contract has an entry point
;; expect: refused A023
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 0))
