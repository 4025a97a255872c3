;; A global that holds a host reference.
;; tied to: reference types are off; CVE-2022-23636: dropped before it was made
;; expect: refused A003
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (global (mut externref) (ref.null extern))
  (func (export "salus_execute") (param i32 i32) (result i64)
    i64.const 0))
