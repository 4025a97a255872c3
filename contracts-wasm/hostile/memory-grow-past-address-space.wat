;; Asks for more than 4 GiB in all.
;; tied to: MEMORY_PAGES; wasmtime answers this one by another path
;; expect: returned ffffffff
;; gas: 100000000
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_execute") (param i32 i32) (result i64)
    (i32.store (i32.const 0) (memory.grow (i32.const 65535)))
    i64.const 4))
