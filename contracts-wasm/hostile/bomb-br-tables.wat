;; Branch tables in a row, each within its limit: the body is not.
;; tied to: BODY_BYTES
;; expect: refused A004 bytes in a function
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func
;;*25 (block (br_table {4096:0 }0 (i32.const 0)))
  )
  (func (export "salus_execute") (param i32 i32) (result i64)
    i64.const 0))
