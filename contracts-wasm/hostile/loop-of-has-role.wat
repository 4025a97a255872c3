;; Calls the host for ever: `has_role`.
;; tied to: base price of has_role
;; expect: out of gas
(module
  (import "salus0" "has_role" (func $has_role (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_execute") (param i32 i32) (result i64)
    (loop $again (drop (call $has_role (i32.const 1) (i32.const 1))) br $again)
    i64.const 0))
