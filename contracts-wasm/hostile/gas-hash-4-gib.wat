;; Announces 4 GiB to hash.
;; tied to: a length is paid before it is looked at
;; expect: out of gas
(module
  (import "salus0" "blake3" (func $blake3 (param i32 i32 i32)))
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_execute") (param i32 i32) (result i64)
    (call $blake3 (i32.const 0) (i32.const -1) (i32.const 0))
    i64.const 0))
