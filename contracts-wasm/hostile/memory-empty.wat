;; A memory of no pages: there is no room for its input.
;; tied to: CVE-2022-39392: configurations with a memory of zero pages
;; expect: trapped BadResult
(module
  (memory (export "memory") 0)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_execute") (param i32 i32) (result i64)
    (drop (i32.load8_u (i32.const 0)))
    i64.const 0))
