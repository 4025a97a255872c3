;; No memory at all.
;; tied to: CVE-2022-39392: configurations with a memory of zero pages
;; expect: refused A020 `memory`
(module
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_execute") (param i32 i32) (result i64)
    i64.const 0))
