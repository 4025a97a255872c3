;; Reaches its own `unreachable` far below the limit: no exhausted stack.
;; tied to: an own trap is told from a counted one
;; expect: trapped Unreachable
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func $down (param i32)
    (if (i32.eqz (local.get 0)) (then unreachable))
    (call $down (i32.sub (local.get 0) (i32.const 1))))
  (func (export "salus_execute") (param i32 i32) (result i64)
    (call $down (i32.const 500))
    i64.const 0))
