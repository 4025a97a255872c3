;; A thousand locals that are all alive to the end: register allocation at its worst.
;; tied to: LOCALS; OPERATORS
;; expect: returned
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func (export "salus_execute") (param i32 i32) (result i64)
;;*1000 (local $v{i} i64)
    
;;*1000 (local.set $v{i} (i64.add (local.get $v0) (i64.const {i})))
    i64.const 0
;;*1000 (i64.xor (local.get $v{i}))
    i64.const 0
    i64.and))
