;; Scans with a prefix longer than a key.
;; tied to: KEY_LENGTH_MAX
;; expect: trapped BadArgument
(module
  (import "salus0" "state_scan" (func $state_scan (param i32 i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_execute") (param i32 i32) (result i64)
    (call $state_scan (i32.const 0) (i32.const 129) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
    i64.extend_i32_s))
