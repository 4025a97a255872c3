;; Calls itself for ever through the table.
;; tied to: STACK_UNITS
;; expect: trapped StackExhausted
(module
  (type $none (func))
  (table 1 1 funcref)
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (elem (i32.const 0) $deeper)
  (func $deeper (call_indirect (type $none) (i32.const 0)))
  (func (export "salus_execute") (param i32 i32) (result i64)
    call $deeper
    i64.const 0))
