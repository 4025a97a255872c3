;; As many targets as there may be: admitted, and runs.
;; tied to: BRANCH_TARGETS
;; expect: returned
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_execute") (param i32 i32) (result i64)
    (block $out
    (br_table
;;*4095 $out
    (i32.const 9)))
    i64.const 0))
