;; Calls the host for ever: `debug`.
;; tied to: base price of debug
;; expect: out of gas
(module
  (import "salus0" "debug" (func $debug (param i32 i32)))
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_execute") (param i32 i32) (result i64)
    (loop $again (call $debug (i32.const 0) (i32.const 0)) br $again)
    i64.const 0))
