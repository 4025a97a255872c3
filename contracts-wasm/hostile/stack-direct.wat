;; Calls itself for ever.
;; tied to: STACK_UNITS; wasmtime's own limit trips elsewhere on every optimisation level
;; expect: trapped StackExhausted
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func $deeper call $deeper)
  (func (export "salus_execute") (param i32 i32) (result i64)
    call $deeper
    i64.const 0))
