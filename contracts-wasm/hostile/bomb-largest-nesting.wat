;; As deep as it may be: admitted, and runs.
;; tied to: NESTING
;; expect: returned
(module
  (memory (export "memory") 1)
  (func (export "salus_abi_1"))
  (func (export "salus_alloc") (param i32) (result i32) i32.const 1024)
  (func $deep
;;*255 block
;;*255 end
  )
  (func (export "salus_execute") (param i32 i32) (result i64)
    call $deep
    i64.const 0))
