;; Tells the world while it decides.
;; tied to: read-only entry points
;; expect: trapped ReadOnly
;; entry: decide
(module
  (import "salus0" "event_emit" (func $event_emit (param i32 i32)))
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_decide") (param i32 i32) (result i64)
    (call $event_emit (i32.const 0) (i32.const 1))
    i64.const 0))
