;; Writes, asks itself, and sees its own write: a read in the middle of a run is of the state as it is.
;; tied to: re-entrancy is read-only
;; expect: returned 01000000
(module
  (import "salus0" "call_read" (func $call_read (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "salus0" "state_set" (func $state_set (param i32 i32 i32 i32)))
  (import "salus0" "state_get" (func $state_get (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_query") (param i32 i32) (result i64)
    (i32.store (i32.const 16) (i32.const 0x6b))
    (i64.extend_i32_u (call $state_get (i32.const 16) (i32.const 1) (i32.const 32) (i32.const 1))))
  (func (export "salus_execute") (param i32 i32) (result i64)
    (i32.store (i32.const 16) (i32.const 0x6b))
    (call $state_set (i32.const 16) (i32.const 1) (i32.const 16) (i32.const 1))
    (i32.store (i32.const 0) (call $call_read (i32.const 7) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
    i64.const 4))
