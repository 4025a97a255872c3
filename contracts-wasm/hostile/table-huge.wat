;; A table of a million entries.
;; tied to: TABLE_ENTRIES
;; expect: refused A004 table entries
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (table 1000000 funcref)
  (func (export "salus_execute") (param i32 i32) (result i64)
    i64.const 0))
