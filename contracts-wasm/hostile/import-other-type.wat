;; Imports a host call with a type of its own.
;; tied to: CVE-2021-39219: functions of another type through a linker
;; expect: refused A011
(module
  (import "salus0" "height" (func (result i32)))
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_execute") (param i32 i32) (result i64)
    i64.const 0))
