;; An element segment larger than any table.
;; tied to: ELEMENT_ENTRIES
;; expect: refused A004 entries of element segments
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func $f)
  (elem func
;;*8193 $f
  )
  (func (export "salus_execute") (param i32 i32) (result i64)
    i64.const 0))
