;; Scans its state from the start for ever.
;; tied to: price of state_scan
;; expect: out of gas
(module
  (import "salus0" "state_scan" (func $state_scan (param i32 i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_execute") (param i32 i32) (result i64)
    (loop $again (drop (call $state_scan (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 256))) br $again)
    i64.const 0))
