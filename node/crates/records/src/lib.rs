//! Health records: sealed by their author, dispersed to members, released by a threshold of them.
