;; An index with its top bit set, kept over many live values so that it is spilled.
;; tied to: CVE-2021-32629: a spilled 32-bit value read back with its sign
;; expect: trapped MemoryOutOfBounds
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func $opaque (result i32) i32.const 0x80000000)
  (func (export "salus_execute") (param i32 i32) (result i64) (local i32 i64)
    (local.set 2 (call $opaque))
    (local.set 3 (i64.load (i32.const 0)))
;;*40 (local.set 3 (i64.add (i64.rotl (local.get 3) (i64.extend_i32_u (local.get 2))) (i64.load offset={i} (i32.const 0))))
    (i64.store (i32.add (local.get 2) (i32.const 16)) (local.get 3))
    i64.const 0))
