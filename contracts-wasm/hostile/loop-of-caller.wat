;; Calls the host for ever: `caller`.
;; tied to: base price of caller
;; expect: out of gas
(module
  (import "salus0" "caller" (func $caller (result i32)))
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_execute") (param i32 i32) (result i64)
    (loop $again (drop (call $caller)) br $again)
    i64.const 0))
