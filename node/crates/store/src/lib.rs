//! What a validator keeps: its share log, the consensus write-ahead log, headers, indexes and contract state.
