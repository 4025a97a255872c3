;; A data segment that ends one byte beyond the memory.
;; tied to: segments fit, or instantiation would fail
;; expect: refused A006
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (data (i32.const 65535) "ab")
  (func (export "salus_execute") (param i32 i32) (result i64)
    i64.const 0))
