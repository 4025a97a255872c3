;; Calls the host for ever: `self_id`.
;; tied to: base price of self_id
;; expect: out of gas
(module
  (import "salus0" "self_id" (func $self_id (result i32)))
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_execute") (param i32 i32) (result i64)
    (loop $again (drop (call $self_id)) br $again)
    i64.const 0))
