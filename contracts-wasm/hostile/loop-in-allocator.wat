;; Never answers the host that asks for room.
;; tied to: the allocator runs on the same gas
;; expect: out of gas
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) (loop $again br $again) i32.const 0)
  (func (export "salus_execute") (param i32 i32) (result i64) i64.const 0))
