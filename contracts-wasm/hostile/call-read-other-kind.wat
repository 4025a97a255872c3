;; Asks for an entry point that may write.
;; tied to: kinds are query and decide
;; expect: trapped BadArgument
(module
  (import "salus0" "call_read" (func $call_read (param i32 i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_execute") (param i32 i32) (result i64)
    (call $call_read (i32.const 7) (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
    i64.extend_i32_s))
