;; Nothing but the slowest instruction.
;; tied to: price of i64.rem_u
;; expect: out of gas
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_execute") (param i32 i32) (result i64) (local i64)
    (local.set 2 (i64.const -1))
    (loop $again
;;*64 (local.set 2 (i64.rem_u (i64.const -{i}) (i64.or (local.get 2) (i64.const 3))))
      br $again)
    i64.const 0))
