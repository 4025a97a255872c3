//! Turns a block into shares and shares back into the block.
