;; Announces four thousand million types in six bytes.
;; tied to: counts are checked before anything is reserved
;; expect: refused A001
(module binary
  "\00asm\01\00\00\00"
  "\01\05\ff\ff\ff\ff\0f")
