;; Copies the largest table for ever.
;; tied to: table.init costs by element; TABLE_ENTRIES
;; expect: out of gas
(module
  (table 4096 funcref)
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func $f)
  (elem func
;;*4096 $f
  )
  (func (export "salus_execute") (param i32 i32) (result i64)
    (loop $again (table.init 0 (i32.const 0) (i32.const 0) (i32.const 4096)) br $again)
    i64.const 0))
