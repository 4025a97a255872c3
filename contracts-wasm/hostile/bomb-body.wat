;; One function of too many bytes.
;; tied to: BODY_BYTES
;; expect: refused A004 bytes in a function
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func
;;*10000 (drop (i64.const 0x7fffffffffffffff))
  )
  (func (export "salus_execute") (param i32 i32) (result i64)
    i64.const 0))
