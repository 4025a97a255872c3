;; A floating-point constant.
;; tied to: floats: NaN payloads differ between processors
;; expect: refused A002
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (result f32) f32.const 1)
  (func (export "salus_execute") (param i32 i32) (result i64)
    i64.const 0))
