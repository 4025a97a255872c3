;; i64x2.shr_s by a constant.
;; tied to: SIMD is off; CVE-2023-41880: i64x2.shr_s miscompiled
;; expect: refused A003
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (drop (i64x2.shr_s (v128.const i64x2 0 0) (i32.const 65))))
  (func (export "salus_execute") (param i32 i32) (result i64)
    i64.const 0))
