;; One branch with too many targets.
;; tied to: BRANCH_TARGETS
;; expect: refused A004 branch targets
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (br_table
;;*4098 0
  (i32.const 0)))
  (func (export "salus_execute") (param i32 i32) (result i64)
    i64.const 0))
