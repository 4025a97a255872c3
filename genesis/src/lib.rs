//! The agreement a network starts from.
