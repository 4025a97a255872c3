;; Recursion with a thousand locals in every frame.
;; tied to: STACK_UNITS; LOCALS
;; expect: trapped StackExhausted
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func $deeper (local
;;*1000 i64
  ) call $deeper)
  (func (export "salus_execute") (param i32 i32) (result i64)
    call $deeper
    i64.const 0))
