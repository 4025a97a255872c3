;; More imports than there are host calls.
;; tied to: IMPORTS
;; expect: refused A004 imports
(module
;;*65 (import "salus0" "height" (func (result i64)))
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_execute") (param i32 i32) (result i64)
    i64.const 0))
