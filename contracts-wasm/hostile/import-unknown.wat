;; Imports the clock of the machine.
;; tied to: the list of imports is closed
;; expect: refused A010 wasi_snapshot_preview1.clock_time_get
(module
  (import "wasi_snapshot_preview1" "clock_time_get" (func (param i32 i64 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_execute") (param i32 i32) (result i64)
    i64.const 0))
