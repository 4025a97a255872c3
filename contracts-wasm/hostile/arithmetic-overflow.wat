;; The one quotient that does not fit.
;; tied to: IntegerOverflow is ours, whatever the processor raises
;; expect: trapped IntegerOverflow
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_execute") (param i32 i32) (result i64)
    (i64.div_s (i64.const -9223372036854775808) (i64.const -1))))
