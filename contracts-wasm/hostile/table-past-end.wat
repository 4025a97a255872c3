;; Calls beyond its table.
;; tied to: CVE-2024-47813 and others: types of indirect calls
;; expect: trapped TableOutOfBounds
(module
  (type $none (func))
  (table 2 2 funcref)
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func $other (param i32))
  (elem (i32.const 1) $other)
  (func (export "salus_execute") (param i32 i32) (result i64)
    (call_indirect (type $none) (i32.const 5))
    i64.const 0))
