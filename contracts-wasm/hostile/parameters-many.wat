;; A function of 129 parameters.
;; tied to: PARAMETERS; CVE-2024-28123 (wasmi): more than 128 parameters written beyond a buffer
;; expect: refused A004 parameters
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (param
;;*129 i64
  ))
  (func (export "salus_execute") (param i32 i32) (result i64)
    i64.const 0))
