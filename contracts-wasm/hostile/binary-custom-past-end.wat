;; A custom section that announces 4 GiB.
;; tied to: malformed custom sections
;; expect: refused A001
(module binary
  "\00asm\01\00\00\00"
  "\00\ff\ff\ff\ff\0f\01x")
