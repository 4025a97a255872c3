;; One function of too many instructions.
;; tied to: OPERATORS
;; expect: refused A004 instructions in a function
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func
;;*32768 nop
  )
  (func (export "salus_execute") (param i32 i32) (result i64)
    i64.const 0))
