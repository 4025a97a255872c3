;; Claims room of 4 GiB for its answer: only what there is gets copied.
;; tied to: answers are cut to what there is
;; expect: returned
(module
  (import "salus0" "chain_id" (func $chain_id (param i32)))
  (import "salus0" "state_set" (func $state_set (param i32 i32 i32 i32)))
  (import "salus0" "state_get" (func $state_get (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_execute") (param i32 i32) (result i64)
    (call $chain_id (i32.const 0))
    (call $state_set (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 8))
    (drop (call $state_get (i32.const 0) (i32.const 1) (i32.const 65528) (i32.const -1)))
    i64.const 0))
