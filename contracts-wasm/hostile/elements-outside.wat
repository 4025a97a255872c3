;; An element segment beyond the table.
;; tied to: segments fit, or instantiation would fail
;; expect: refused A006
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (table 2 funcref)
  (func $f)
  (elem (i32.const 2) $f)
  (func (export "salus_execute") (param i32 i32) (result i64)
    i64.const 0))
