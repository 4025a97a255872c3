;; One parameter, used so often that a compiler may keep thousands of values at a time in its frame.
;; tied to: STACK_UNITS counts instructions
;; expect: trapped StackExhausted
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func $deeper (param i64) (result i64)
    (call $deeper (local.get 0))
;;*1000 (i64.add (i64.mul (local.get 0) (i64.const {i})))
  )
  (func (export "salus_execute") (param i32 i32) (result i64)
    (drop (call $deeper (i64.const 1)))
    i64.const 0))
