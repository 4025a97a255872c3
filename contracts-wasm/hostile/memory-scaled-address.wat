;; Shifts an index left by three and adds it to a load: 35 bits if the compiler forgets to cut them.
;; tied to: CVE-2023-26489: address modes of x86-64
;; expect: returned 00000000
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func $opaque (result i32) i32.const 0x20000008)
  (func (export "salus_execute") (param i32 i32) (result i64)
    (i32.store (i32.const 0) (i32.load8_u (i32.shl (call $opaque) (i32.const 3))))
    i64.const 4))
