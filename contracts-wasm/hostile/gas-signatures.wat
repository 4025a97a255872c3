;; Checks a signature that is none, for ever.
;; tied to: price of ed25519_verify
;; expect: out of gas
(module
  (import "salus0" "ed25519_verify" (func $ed25519_verify (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_execute") (param i32 i32) (result i64)
    (loop $again (drop (call $ed25519_verify (i32.const 0) (i32.const 64) (i32.const 65000) (i32.const 128))) br $again)
    i64.const 0))
