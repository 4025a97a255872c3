;; Aborts with a code that is no 16-bit number.
;; tied to: abort codes are 0 to 65535
;; expect: trapped BadArgument
(module
  (import "salus0" "abort" (func $abort (param i32)))
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_execute") (param i32 i32) (result i64)
    (call $abort (i32.const 65536))
    i64.const 0))
