;; Spends two thirds of the stack, then asks itself to do it again: the units are one account, and the answer is -1.
;; tied to: STACK_UNITS over all contracts of a run
;; expect: returned ffffffff
;; gas: 200000000
(module
  (import "salus0" "call_read" (func $call_read (param i32 i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func $down (param i32)
    (if (i32.eqz (local.get 0))
      (then
        (i32.store (i32.const 0) (call $call_read (i32.const 7) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
        return))
    (call $down (i32.sub (local.get 0) (i32.const 1))))
  (func (export "salus_query") (param i32 i32) (result i64)
    (call $down (i32.const 1500))
    i64.const 0)
  (func (export "salus_execute") (param i32 i32) (result i64)
    (call $down (i32.const 1500))
    i64.const 4))
