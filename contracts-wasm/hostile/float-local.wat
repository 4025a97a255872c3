;; A float that is only a local.
;; tied to: floats
;; expect: refused A002
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (local f64))
  (func (export "salus_execute") (param i32 i32) (result i64)
    i64.const 0))
