//! Decides what to ask of whom: reconstruct, repair and catch up, without doing any I/O.
