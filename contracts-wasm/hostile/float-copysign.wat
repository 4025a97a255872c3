;; f64.copysign of a load.
;; tied to: floats; CVE-2026-24116: f64.copysign loads too much
;; expect: refused A002
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (param i32) (drop (f64.copysign (f64.load (local.get 0)) (f64.const 1))))
  (func (export "salus_execute") (param i32 i32) (result i64)
    i64.const 0))
