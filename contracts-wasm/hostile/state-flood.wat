;; Writes new keys for ever.
;; tied to: price of state_set; writes of a failed run are dropped
;; expect: out of gas
(module
  (import "salus0" "state_set" (func $state_set (param i32 i32 i32 i32)))
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_execute") (param i32 i32) (result i64) (local i32)
    (loop $again
      (i32.store (i32.const 0) (local.tee 2 (i32.add (local.get 2) (i32.const 1))))
      (call $state_set (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 1024))
      br $again)
    i64.const 0))
