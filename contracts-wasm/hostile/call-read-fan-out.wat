;; Asks itself twice on every level, for ever: gas halves on the way down, and is one account.
;; tied to: one gas meter for all calls
;; expect: out of gas
(module
  (import "salus0" "call_read" (func $call_read (param i32 i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_query") (param i32 i32) (result i64)
    (loop $again (drop (call $call_read (i32.const 7) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))) (drop (call $call_read (i32.const 7) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))) br $again)
    i64.const 0)
  (func (export "salus_execute") (param i32 i32) (result i64)
    (loop $again (drop (call $call_read (i32.const 7) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))) br $again)
    i64.const 0))
