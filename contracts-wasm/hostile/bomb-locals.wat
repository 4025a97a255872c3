;; A body that declares four thousand million locals in eight bytes.
;; tied to: LOCALS
;; expect: refused A001 too many locals
(module binary
  "\00asm\01\00\00\00"
  "\01\04\01\60\00\00"  ;; a type () -> ()
  "\03\02\01\00"          ;; a function of it
  "\0a\0a\01\08\01\ff\ff\ff\ff\0f\7e\0b")
