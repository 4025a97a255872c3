;; Writes before the beginning.
;; tied to: guard regions
;; expect: trapped MemoryOutOfBounds
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_execute") (param i32 i32) (result i64)
    (i64.store (i32.const -8) (i64.const 1))
    i64.const 0))
