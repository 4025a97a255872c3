;; An element segment of host references.
;; tied to: reference types are off; CVE-2024-30266: panic on a dropped segment
;; expect: refused A003
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (elem externref (ref.null extern))
  (func (export "salus_execute") (param i32 i32) (result i64)
    i64.const 0))
