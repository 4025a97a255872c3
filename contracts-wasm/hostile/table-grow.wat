;; Grows its table.
;; tied to: reference types are off: no instruction grows a table
;; expect: refused A003
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (table 1 funcref)
  (func (drop (table.grow 0 (ref.null func) (i32.const 100))))
  (func (export "salus_execute") (param i32 i32) (result i64)
    i64.const 0))
