;; Names an output longer than a message.
;; tied to: MESSAGE_LENGTH_MAX
;; expect: trapped BadResult
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_execute") (param i32 i32) (result i64)
    i64.const 0x10001))
