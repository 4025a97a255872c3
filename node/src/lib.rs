//! A validator of Salus, and the tool that hospitals, researchers and contract authors use.
