;; A module of too many bytes.
;; tied to: MODULE_BYTES
;; expect: refused A004 bytes
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
;;*1 (data "{262144:a}")
  (func (export "salus_execute") (param i32 i32) (result i64)
    i64.const 0))
