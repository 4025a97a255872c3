;; Copies 600 bytes to where 536 are left.
;; tied to: bulk operations check first
;; expect: trapped MemoryOutOfBounds
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_execute") (param i32 i32) (result i64)
    (memory.copy (i32.const 65000) (i32.const 0) (i32.const 600))
    i64.const 0))
