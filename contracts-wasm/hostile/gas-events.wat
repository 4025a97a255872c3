;; Emits the longest event for ever.
;; tied to: EVENTS_MAX
;; expect: trapped BadArgument
;; gas: 1000000000
(module
  (import "salus0" "event_emit" (func $event_emit (param i32 i32)))
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_execute") (param i32 i32) (result i64)
    (loop $again (call $event_emit (i32.const 0) (i32.const 1024)) br $again)
    i64.const 0))
