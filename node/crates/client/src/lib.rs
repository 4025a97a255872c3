//! What a person's device needs: signing, proofs, and records sealed and opened.
//!
//! ```text
//! passphrase + file --keystore--> Identity --+--> Signer ----> transactions, read requests
//!                                            |
//! content --Upload--> pieces to members, receipts back, AddRecord transaction
//! ticket  --Download--> request to members, pieces back, content
//!
//! headers + certificates --LightClient--> TrustedHeader --> receipts, state entries
//! log entries --LogVerifier--> complete, or not
//! ```
//!
//! The command line, a hospital's gateway and a browser use the same code, so there is no network, file, clock or
//! system randomness here: the caller brings bytes, times and seeds.
//!
//! Invariants:
//! - keys leave an [`Identity`] only into an encrypted [`keystore`];
//! - nothing that a node says is believed: receipts and state are checked against a header, a header
//!   against the signatures of two thirds of the validators, a record against its digest on the chain.

//!
//! ```
//! use salus_client::{Identity, LinkageKey, Signer, Terms, address_text, parse_address};
//! use salus_types::abi::access::Purpose;
//! use salus_types::{ChainId, Gas, Hash, Height, PrincipalId, RecordNumber, Sequence};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A hospital gives its patient a pseudonym; whoever types its address wrongly is told so.
//! let address = LinkageKey::new([5; 32]).address(4021, "MRN-00123-X")?;
//! let text = address_text(&address);
//! assert_eq!(parse_address(&text)?, address);
//! assert!(parse_address(&text.replace('z', "2")).is_err());
//!
//! // A doctor asks for a record.
//! let chain = ChainId::new(Hash::of_content(b"genesis"));
//! let doctor = Signer::new(chain, PrincipalId::new(13), Identity::from_seed(&[1; 32]));
//! let terms = Terms { sequence: Sequence::ZERO, expires: Height::new(100), gas_limit: Gas::new(2_000_000) };
//! let asked = doctor.retrieve(PrincipalId::new(7), RecordNumber::new(0), Purpose::Treatment, false, terms);
//! assert!(asked.verify(&chain, &doctor.identity().public().signing_key).is_ok());
//! # Ok(())
//! # }
//! ```

mod address;
mod explain;
mod identity;
pub mod keystore;
mod light;
mod log;
mod receipts;
mod records;
mod signer;
mod state;

#[cfg(test)]
mod tests;

pub use address::{
    ADDRESS_PREFIX, AddressError, LinkageKey, RECORD_NUMBER_LENGTH_MAX, address_text, parse_address,
};
pub use explain::{explain, explain_reason, explain_status, utc_text};
pub use identity::{Identity, PublicIdentity};
pub use light::{LightClient, LightError, ReceiptProof, TrustedHeader};
pub use log::{LogError, LogVerifier, verify_log};
pub use receipts::{ReceiptError, access_events, decision, grant_number, new_principal, record_number};
pub use records::{Download, Upload, UploadError, UploadProgress};
pub use salus_records as record;
pub use signer::{Signer, Terms};
