;; Base and offset that only together pass 4 GiB.
;; tied to: addresses have 33 bits
;; expect: trapped MemoryOutOfBounds
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_execute") (param i32 i32) (result i64)
    (drop (i64.load offset=4294967295 (i32.const -1)))
    i64.const 0))
