;; Loops within loops, each a loop head to meter.
;; tied to: NESTING
;; expect: refused A004 nested blocks
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func
;;*256 loop
;;*256 end
  )
  (func (export "salus_execute") (param i32 i32) (result i64)
    i64.const 0))
