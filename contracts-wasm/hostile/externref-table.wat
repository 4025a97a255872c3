;; A table of host references.
;; tied to: reference types are off; CVE-2021-39216, CVE-2021-39218, CVE-2022-24791, CVE-2022-31146: references freed too early
;; expect: refused A003
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (table 1 externref)
  (func (export "salus_execute") (param i32 i32) (result i64)
    i64.const 0))
