;; More data segments than a contract has.
;; tied to: DATA_SEGMENTS
;; expect: refused A004 data segments
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
;;*1025 (data "")
  (func (export "salus_execute") (param i32 i32) (result i64)
    i64.const 0))
