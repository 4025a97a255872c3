;; Grows to the limit and touches every page, ten thousand times over.
;; tied to: MEMORY_PAGES; gas by byte
;; expect: out of gas
;; gas: 50000000
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_execute") (param i32 i32) (result i64)
    (drop (memory.grow (i32.const 63)))
    (loop $again
      (memory.fill (i32.const 0) (i32.const 1) (i32.const 4194304))
      br $again)
    i64.const 0))
