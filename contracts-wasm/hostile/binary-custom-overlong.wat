;; A custom section whose name is longer than itself.
;; tied to: malformed custom sections
;; expect: refused A001
(module binary
  "\00asm\01\00\00\00"
  "\00\02\ffx")
