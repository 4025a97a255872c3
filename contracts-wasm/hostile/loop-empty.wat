;; A loop that does nothing, for ever.
;; tied to: gas is looked at in every loop head
;; expect: out of gas
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_execute") (param i32 i32) (result i64)
    (loop $again br $again)
    i64.const 0))
