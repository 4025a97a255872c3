;; Asks for all pages there are, for ever.
;; tied to: memory.grow costs by page, given or not
;; expect: out of gas
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_execute") (param i32 i32) (result i64)
    (drop (memory.grow (i32.const -1)))
    i64.const 0))
