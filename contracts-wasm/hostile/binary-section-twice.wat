;; The same section twice.
;; tied to: malformed modules
;; expect: refused A001
(module binary
  "\00asm\01\00\00\00"
  "\01\04\01\60\00\00"
  "\01\04\01\60\00\00")
