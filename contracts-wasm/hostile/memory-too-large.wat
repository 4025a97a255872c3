;; Wants 65 pages from the start.
;; tied to: MEMORY_PAGES
;; expect: refused A004 pages of memory
(module
  (memory (export "memory") 65)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_execute") (param i32 i32) (result i64)
    i64.const 0))
