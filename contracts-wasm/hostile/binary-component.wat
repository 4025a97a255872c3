;; A component instead of a module.
;; tied to: core modules only
;; expect: refused A003
(module binary
  "\00asm\0d\00\01\00")
