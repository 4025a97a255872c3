;; Overspends without a loop, then wants a host call on credit.
;; tied to: the host looks at gas first
;; expect: out of gas
;; gas: 25000
(module
  (import "salus0" "state_set" (func $state_set (param i32 i32 i32 i32)))
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_execute") (param i32 i32) (result i64)
;;*10000 (drop (i32.const 1))
    (call $state_set (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1))
    i64.const 0))
