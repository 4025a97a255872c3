//! The public HTTP interface of a validator.
