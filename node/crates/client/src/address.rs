//! Patient addresses as people write them, and the pseudonym inside.
//!
//! The text is Bech32m (BIP 350): `salus1`, then area and PID in 29 characters, then six check characters, which find
//! every error in up to four characters. Read it in upper or lower case, never mixed.

use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Bech32m, Hrp};
use salus_types::abi::registry::PatientAddress;
use std::fmt;
use zeroize::Zeroizing;

/// What every patient address starts with.
pub const ADDRESS_PREFIX: &str = "salus";

/// Bytes of a medical record number, at most.
pub const RECORD_NUMBER_LENGTH_MAX: usize = 64;

const PREFIX: Hrp = Hrp::parse_unchecked(ADDRESS_PREFIX);
const PID_LENGTH: usize = 16;

/// Why a text is not a patient address, or a number not a medical record number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It does not have the form of an address.
    #[error("not a patient address; it starts with `{ADDRESS_PREFIX}1` and has 41 characters")]
    Malformed,
    /// Its check characters do not fit.
    #[error("the address is mistyped: its check characters do not fit")]
    Mistyped,
    /// The medical record number is empty, or longer than [`RECORD_NUMBER_LENGTH_MAX`].
    #[error("a medical record number has 1 to {RECORD_NUMBER_LENGTH_MAX} bytes")]
    RecordNumber,
}

/// An address as text, in lower case.
pub fn address_text(address: &PatientAddress) -> String {
    let mut bytes = address.area.to_be_bytes().to_vec();
    bytes.extend_from_slice(&address.pid);
    // Fails only for texts longer than Bech32m allows; this one always has 41 characters.
    bech32::encode_lower::<Bech32m>(PREFIX, &bytes).unwrap_or_default()
}

/// Reads an address from its text; spaces around it do not matter.
pub fn parse_address(text: &str) -> Result<PatientAddress, AddressError> {
    use bech32::primitives::decode::CheckedHrpstringError;
    let text = text.trim();
    let parsed = CheckedHrpstring::new::<Bech32m>(text).map_err(|error| match error {
        CheckedHrpstringError::Checksum(_) => AddressError::Mistyped,
        _ => AddressError::Malformed,
    })?;
    let bytes: Vec<u8> = parsed.byte_iter().collect();
    let address = match bytes.split_first_chunk::<2>() {
        Some((area, pid)) if parsed.hrp() == PREFIX => PatientAddress {
            area: u16::from_be_bytes(*area),
            pid: pid.try_into().map_err(|_| AddressError::Malformed)?,
        },
        _ => return Err(AddressError::Malformed),
    };
    // 144 bits fill 28.8 characters: the rest of the last one must be empty, or two texts would mean one address.
    if address_text(&address).eq_ignore_ascii_case(text) {
        Ok(address)
    } else {
        Err(AddressError::Malformed)
    }
}

/// A hospital's secret key that turns medical record numbers into pseudonyms: without it they cannot be guessed.
///
/// Zeroised when dropped; its `Debug` shows nothing.
#[derive(Clone)]
pub struct LinkageKey(Zeroizing<[u8; 32]>);

impl LinkageKey {
    /// Wraps 32 random bytes that the hospital keeps secret for ever: another key gives other pseudonyms.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The address of a patient: keyed BLAKE3 of the medical record number, cut to 16 bytes.
    ///
    /// Spaces around the number and the case of ASCII letters do not matter.
    pub fn address(&self, area: u16, medical_record_number: &str) -> Result<PatientAddress, AddressError> {
        let number = Zeroizing::new(medical_record_number.trim().to_ascii_uppercase());
        if number.is_empty() || number.len() > RECORD_NUMBER_LENGTH_MAX {
            return Err(AddressError::RecordNumber);
        }
        let hash = blake3::keyed_hash(&self.0, number.as_bytes());
        let pid = hash
            .as_bytes()
            .first_chunk::<PID_LENGTH>()
            .copied()
            .unwrap_or_default();
        Ok(PatientAddress { area, pid })
    }
}

impl fmt::Debug for LinkageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkageKey(..)")
    }
}
