;; A shared memory.
;; tied to: threads are off; CVE-2025-64345: shared memory
;; expect: refused A003
(module
  (memory (export "memory") 1 1 shared)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_execute") (param i32 i32) (result i64)
    i64.const 0))
