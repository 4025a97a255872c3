;; Its allocator points before the end of the address space.
;; tied to: the allocator's answer is checked
;; expect: trapped BadResult
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const -2)
  (func (export "salus_execute") (param i32 i32) (result i64) i64.const 0))
