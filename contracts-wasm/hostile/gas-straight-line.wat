;; Ten thousand instructions without a loop, where the engine does not look at gas: none is left at the end.
;; tied to: nothing left at the end is out of gas
;; expect: out of gas
;; gas: 25000
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_execute") (param i32 i32) (result i64)
;;*10000 (drop (i32.const 1))
    i64.const 0))
