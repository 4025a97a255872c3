;; Two functions call each other for ever.
;; tied to: STACK_UNITS
;; expect: trapped StackExhausted
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func $ping call $pong)
  (func $pong call $ping)
  (func (export "salus_execute") (param i32 i32) (result i64)
    call $ping
    i64.const 0))
