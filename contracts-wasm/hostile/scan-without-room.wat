;; Scans large values with room for none of them: the bytes are paid all the same.
;; tied to: state_scan costs by byte found
;; expect: out of gas
(module
  (import "salus0" "state_set" (func $state_set (param i32 i32 i32 i32)))
  (import "salus0" "state_scan" (func $state_scan (param i32 i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_execute") (param i32 i32) (result i64)
    (call $state_set (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 32768))
    (loop $again
      (drop (call $state_scan (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
      br $again)
    i64.const 0))
