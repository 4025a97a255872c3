;; Reads the four bytes that begin one before the end.
;; tied to: CVE-2021-32629, CVE-2023-26489: wrong addresses in compiled loads
;; expect: trapped MemoryOutOfBounds
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_execute") (param i32 i32) (result i64)
    (drop (i32.load (i32.const 65533)))
    i64.const 0))
