;; A custom section whose name is no text.
;; tied to: malformed custom sections
;; expect: refused A001
(module binary
  "\00asm\01\00\00\00"
  "\00\03\02\ff\fe")
