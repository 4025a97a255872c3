//! What a person's device needs: signing, proofs, and records sealed and opened.
