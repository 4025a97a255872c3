;; Copies from a data segment that it has dropped.
;; tied to: CVE-2024-30266: use of dropped segments
;; expect: trapped MemoryOutOfBounds
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (data $gone "x")
  (func (export "salus_execute") (param i32 i32) (result i64)
    (data.drop $gone)
    (memory.init $gone (i32.const 0) (i32.const 0) (i32.const 1))
    i64.const 0))
