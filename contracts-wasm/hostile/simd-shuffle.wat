;; A vector instruction.
;; tied to: SIMD is off; CVE-2022-31104, CVE-2023-27477: vectors miscompiled
;; expect: refused A003
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (drop (i8x16.swizzle (v128.const i64x2 0 0) (v128.const i64x2 0 0))))
  (func (export "salus_execute") (param i32 i32) (result i64)
    i64.const 0))
