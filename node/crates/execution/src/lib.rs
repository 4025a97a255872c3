//! Runs a block's transactions over the contract state and yields receipts and the state root.
