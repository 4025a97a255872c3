;; Looks for what another run left in the memory that the pool hands out again: all zero.
;; tied to: CVE-2022-39393: data of another instance in the pooling allocator
;; expect: returned 00000000
;; gas: 5000000
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_execute") (param i32 i32) (result i64) (local i32 i64)
    (drop (memory.grow (i32.const 3)))
    (local.set 2 (i32.const 2048)) ;; after the input
    (loop $again
      (local.set 3 (i64.or (local.get 3) (i64.load (local.get 2))))
      (br_if $again (i32.lt_u (local.tee 2 (i32.add (local.get 2) (i32.const 8))) (i32.const 262144))))
    (i32.store (i32.const 0) (i64.ne (local.get 3) (i64.const 0)))
    (memory.fill (i32.const 4) (i32.const 0xa5) (i32.const 262140))
    i64.const 4))
