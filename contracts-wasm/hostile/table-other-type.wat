;; Calls a function as what it is not.
;; tied to: CVE-2021-39219, CVE-2024-47813: types of indirect calls
;; expect: trapped BadIndirectCall
(module
  (type $none (func))
  (table 2 2 funcref)
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func $other (param i32))
  (elem (i32.const 1) $other)
  (func (export "salus_execute") (param i32 i32) (result i64)
    (call_indirect (type $none) (i32.const 1))
    i64.const 0))
