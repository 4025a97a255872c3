;; An event whose end wraps around to its beginning.
;; tied to: places are added without wrapping
;; expect: trapped BadPointer
(module
  (import "salus0" "event_emit" (func $event_emit (param i32 i32)))
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_execute") (param i32 i32) (result i64)
    (call $event_emit (i32.const -8) (i32.const 16))
    i64.const 0))
