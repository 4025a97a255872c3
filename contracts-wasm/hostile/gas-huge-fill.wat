;; Fills 4 GiB in one instruction.
;; tied to: bulk operations cost by byte, before they start
;; expect: out of gas
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_execute") (param i32 i32) (result i64)
    (memory.fill (i32.const 0) (i32.const 1) (i32.const -1))
    i64.const 0))
