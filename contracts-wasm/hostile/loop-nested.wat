;; Sixty-four million rounds in nested loops.
;; tied to: gas is looked at in every loop head
;; expect: out of gas
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_execute") (param i32 i32) (result i64) (local i32 i32)
    (loop $outer
      (local.set 2 (i32.const 1000000))
      (loop $inner
        (br_if $inner (local.tee 2 (i32.sub (local.get 2) (i32.const 1)))))
      (br_if $outer (i32.lt_u (local.tee 3 (i32.add (local.get 3) (i32.const 1))) (i32.const 64))))
    i64.const 0))
