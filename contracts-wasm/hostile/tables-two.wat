;; Two tables.
;; tied to: one table
;; expect: refused A001 multiple tables
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (table 1 funcref)
  (table 1 funcref)
  (func (export "salus_execute") (param i32 i32) (result i64)
    i64.const 0))
