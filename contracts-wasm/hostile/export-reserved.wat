;; Exports the counter of its own stack.
;; tied to: names that begin with salus_ are reserved
;; expect: refused A022 salus_stack_height
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (global (export "salus_stack_height") (mut i32) (i32.const 0))
  (func (export "salus_execute") (param i32 i32) (result i64)
    i64.const 0))
