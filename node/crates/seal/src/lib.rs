//! Turns a block into shares and shares back into the block.
//!
//! "Secret Sharing Made Short" (Krawczyk, CRYPTO 1993): the body is encrypted under a fresh data key, the key is
//! split by Shamir's scheme and the ciphertext by a Reed-Solomon code. Any k of S shares give the body back;
//! fewer show nothing of it; each share is a k-th of the body and 33 bytes of key.
//!
//! ```text
//!  proposer   body --seal--> SealedBlock --> header (sealing, body_commitment, share_root)
//!                                |
//!                             Dealing: body, data key, all key shares; sent once, never written
//!                                v
//!  validator  Dealing --check(header)--> CheckedDealing --share(slot)--> SealedShare, written before the vote
//!
//!  holder     SealedShare --CheckedShare::check(header), sign--> SignedShare
//!  asker      SignedShare --CheckedShare::check_answer--> CheckedShare, or a proof that its holder lies, or nothing
//!  anyone     k x SealedShare --CheckedShare::check(header)--> open --> OpenedBlock: body, rederive(slot)
//!
//!  later      OpenedBlock --reseal--> SealedBlock + Redealing --check(former, new)--> CheckedDealing
//! ```
//!
//! A header says what its block's shares are checked against; if a later block dealt the body anew, a
//! [`ShareCommitment`](salus_types::ShareCommitment) says it instead. All functions take either.
//!
//! Where k shares are not yet known to be kept by honest members, a validator also keeps the [`KeylessDealing`]: the
//! ciphertext and the leaves, which give any member its share back but for the key share, and show nothing by themselves.
//!
//! Suite 1 is AES-256-GCM, Shamir over GF(2^8) byte by byte, Reed-Solomon over GF(2^8), BLAKE3, and zstd where it helps.
//! [`schemes`] puts it beside what others do, for researchers; no node uses that module.
//!
//! Invariants:
//! - One data key seals one body once: the key is moved into [`seal()`], and what encrypts is derived from it together
//!   with chain, height, round and proposer, and with the dealing block's height if that is another one. So the nonce may be constant.
//! - Whoever has any k checked shares, or the dealing, computes the same S shares bit for bit, and has checked them
//!   against the header's `share_root`. A dealing that would open differently for different readers does not check.
//! - Only a holder that signed a wrong share is ever accused of one ([`verify_wrong_share`]): a spoiled answer accuses nobody.
//! - A share's index is its slot and one: zero, foreign and repeated indices cannot reach the Shamir library.
//! - Nothing here does I/O or reads a clock. The only randomness besides the caller's data key are the Shamir
//!   coefficients, which the library draws from the operating system; so a dealing carries its key shares.
//! - Data keys, dealings and the key shares in them are zeroised on drop, and no `Debug` shows them. Not wiped: opened
//!   bodies, single shares (which are stored and sent anyway), and what the Shamir library leaves on the stack.
//!
//! ```
//! use salus_seal::{Binding, CheckedShare, DataKey, Parameters, open, seal};
//! # use salus_types::{BlockId, ChainId, Gas, Hash, Header, Height, MemberId, Round, Slot, Timestamp};
//! # let chain = ChainId::new(Hash::of_content(b"doc"));
//! let (height, dealt_at) = (Height::new(1), Height::new(1));
//! let binding = Binding { chain, height, dealt_at, round: Round::ZERO, proposer: MemberId::new(0) };
//! // The shell draws the key from the operating system.
//! let sealed = seal(b"a body", &binding, Parameters::new(2, 4)?, DataKey::new([7; 32]))?;
//! # let header = Header {
//! #     height: binding.height, round: binding.round, time: Timestamp::ZERO, proposer: binding.proposer,
//! #     parent: BlockId::new(Hash::ZERO), validators: Hash::ZERO, next_validators: Hash::ZERO,
//! #     sealing: sealed.sealing(), body_commitment: sealed.body_commitment(), share_root: sealed.share_root(),
//! #     receipts_root: Hash::ZERO, state_root: Hash::ZERO, gas_used: Gas::ZERO,
//! # };
//! let shares = [Slot::new(3), Slot::new(1)]
//!     .into_iter()
//!     .filter_map(|slot| sealed.share(slot))
//!     .map(|share| CheckedShare::check(share, &header))
//!     .collect::<Result<Vec<_>, _>>()?;
//! assert_eq!(open(&header, &chain, &shares)?.body(), b"a body");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![deny(clippy::arithmetic_side_effects)]

mod parameters;
mod seal;

mod dealing;
mod keyless;
mod share;

mod answer;
mod open;
mod redealing;

mod cipher;
mod code;
mod key;
mod key_shares;
mod payload;
mod secret;
mod share_set;

pub mod schemes;

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    reason = "a test that overflows fails, as it should"
)]
mod tests;

pub use answer::{AnswerError, AskedShare, NotProven, verify_wrong_share};
pub use code::{UnsupportedCpu, check_cpu};
pub use dealing::{CheckedDealing, Dealing, DealingError};
pub use key::{Binding, DataKey};
pub use keyless::{KeylessDealing, KeylessError, KeylessShare};
pub use open::{OpenError, OpenedBlock, open};
pub use parameters::{Layout, Parameters, ParametersError, SUITE_SSMS, SealingError};
pub use redealing::{Redealing, RedealingError};
pub use seal::{SealError, SealedBlock, seal};
pub use share::{CheckedShare, ShareError};
pub use share_set::PrimitiveError;
