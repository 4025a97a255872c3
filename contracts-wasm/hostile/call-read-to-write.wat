;; Writes where it was only asked.
;; tied to: `call_read` is read-only, whatever the entry point
;; expect: returned ffffffff
(module
  (import "salus0" "call_read" (func $call_read (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "salus0" "state_set" (func $state_set (param i32 i32 i32 i32)))
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_query") (param i32 i32) (result i64)
    (call $state_set (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1))
    i64.const 0)
  (func (export "salus_execute") (param i32 i32) (result i64)
    (i32.store (i32.const 0) (call $call_read (i32.const 7) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
    i64.const 4))
