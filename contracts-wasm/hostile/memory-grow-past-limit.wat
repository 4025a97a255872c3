;; Asks for one page more than there can be: the answer is -1 on every machine.
;; tied to: MEMORY_PAGES
;; expect: returned ffffffff
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_execute") (param i32 i32) (result i64)
    (i32.store (i32.const 0) (memory.grow (i32.const 64)))
    i64.const 4))
