;; Works, then divides by zero, where the engine's account of gas is imprecise: the whole limit is charged.
;; tied to: whole limit after imprecise traps
;; expect: trapped DivisionByZero
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_execute") (param i32 i32) (result i64) (local i32)
    (loop $again (br_if $again (i32.lt_u (local.tee 2 (i32.add (local.get 2) (i32.const 1))) (i32.const 1000))))
    (i64.div_u (i64.const 1) (i64.extend_i32_u (i32.sub (local.get 2) (i32.const 1000))))))
