;; Asks a contract that does not exist.
;; tied to: unknown contracts answer -1
;; expect: returned ffffffff
(module
  (import "salus0" "call_read" (func $call_read (param i32 i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_execute") (param i32 i32) (result i64)
    (i32.store (i32.const 0) (call $call_read (i32.const 999) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
    i64.const 4))
