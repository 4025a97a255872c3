;; Grows its memory for ever.
;; tied to: price of memory.grow; MEMORY_PAGES
;; expect: out of gas
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_execute") (param i32 i32) (result i64)
    (loop $again (drop (memory.grow (i32.const 1))) br $again)
    i64.const 0))
