;; A call that is a return.
;; tied to: tail calls are off; CVE-2024-47763: tail calls of trapping imports
;; expect: refused A003
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func $f return_call $f)
  (func (export "salus_execute") (param i32 i32) (result i64)
    i64.const 0))
