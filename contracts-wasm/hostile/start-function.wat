;; Runs before anyone called it.
;; tied to: no start function
;; expect: refused A005
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func $s (loop $again br $again))
  (start $s)
  (func (export "salus_execute") (param i32 i32) (result i64)
    i64.const 0))
