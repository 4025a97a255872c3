;; A key beyond its memory.
;; tied to: every place is checked
;; expect: trapped BadPointer
(module
  (import "salus0" "state_get" (func $state_get (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_execute") (param i32 i32) (result i64)
    (call $state_get (i32.const -1) (i32.const 4) (i32.const 0) (i32.const 0))
    i64.extend_i32_s))
