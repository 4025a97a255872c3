;; A name section that names functions which do not exist: dropped unread.
;; tied to: custom sections are dropped at admission
;; expect: returned
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (@custom "name" "\01\ff\ff\ff\ff\ff\ff")
  (func (export "salus_execute") (param i32 i32) (result i64)
    i64.const 0))
