;; Keeps two hundred values on the operand stack over a call of itself.
;; tied to: STACK_UNITS counts operands
;; expect: trapped StackExhausted
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func $deeper (param i64) (result i64)
;;*200 local.get 0
    (call $deeper (local.get 0))
;;*200 i64.add
  )
  (func (export "salus_execute") (param i32 i32) (result i64)
    (drop (call $deeper (i64.const 1)))
    i64.const 0))
