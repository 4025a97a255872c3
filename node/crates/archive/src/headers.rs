//! Checks a batch of headers under one certificate.

use salus_types::{
    BlockId, CertificateError, ChainId, CommitCertificate, Hash, Header, Height, ValidatorSet,
};

/// Why a batch of headers is wrong. An honest peer sends none of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadersError {
    /// None, from a peer that says it has them.
    #[error("no headers")]
    Empty,
    /// More than were asked for.
    #[error("{got} headers where at most {max} were asked for")]
    TooMany {
        /// Headers received.
        got: usize,
        /// Headers asked for.
        max: u16,
    },
    /// They do not ascend one by one from the height asked for.
    #[error("a header of height {got} where height {want} belongs")]
    WrongHeight {
        /// The header's height.
        got: Height,
        /// The height that belongs there.
        want: Height,
    },
    /// A header does not name the one before it as its parent.
    #[error("the header of height {0} does not name the one before it as its parent")]
    BrokenLink(Height),
    /// The certificate is of another block than the last.
    #[error("the certificate is not of the last header")]
    OtherCertificate,
    /// The certificate proves nothing.
    #[error("the certificate of the last header: {0}")]
    Certificate(#[from] CertificateError),
}

/// What a batch turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Every header is certified, and the first one's parent is what it must be. Ids in the same order.
    Sound(Vec<BlockId>),
    /// Certified, but not on top of the own block.
    Fork {
        /// The parent that the certified chain names.
        parent: BlockId,
    },
    /// Validators change within: only this many of the first headers are decided by the set in force. Ask for those.
    Shorter(u16),
    /// An honest peer does not send this.
    Wrong(HeadersError),
}

/// What was asked for.
pub(crate) struct Expected<'a> {
    pub(crate) chain: &'a ChainId,
    pub(crate) validators: &'a ValidatorSet,
    pub(crate) validators_hash: Hash,
    pub(crate) from: Height,
    pub(crate) max: u16,
    pub(crate) parent: BlockId,
}

/// Checks a batch: cheap things first, the certificate last.
pub(crate) fn check(expected: &Expected<'_>, headers: &[Header], certificate: &CommitCertificate) -> Verdict {
    match shape(expected, headers) {
        Ok(()) => {}
        Err(error) => return Verdict::Wrong(error),
    }
    let foreign = |header: &Header| header.validators != expected.validators_hash;
    if let Some(before) = headers.iter().position(foreign) {
        return Verdict::Shorter(u16::try_from(before).unwrap_or(u16::MAX));
    }
    let ids: Vec<BlockId> = headers.iter().map(|header| header.id(expected.chain)).collect();
    for (id, next) in ids.iter().zip(headers.iter().skip(1)) {
        if next.parent != *id {
            return Verdict::Wrong(HeadersError::BrokenLink(next.height));
        }
    }
    let last = headers.last().map(|header| header.height);
    if ids.last() != Some(&certificate.block) || last != Some(certificate.height) {
        return Verdict::Wrong(HeadersError::OtherCertificate);
    }
    if let Err(error) = certificate.verify(expected.validators, expected.chain) {
        return Verdict::Wrong(HeadersError::Certificate(error));
    }
    match headers.first().map(|header| header.parent) {
        Some(parent) if parent != expected.parent => Verdict::Fork { parent },
        _ => Verdict::Sound(ids),
    }
}

fn shape(expected: &Expected<'_>, headers: &[Header]) -> Result<(), HeadersError> {
    if headers.is_empty() {
        return Err(HeadersError::Empty);
    }
    if headers.len() > usize::from(expected.max) {
        return Err(HeadersError::TooMany {
            got: headers.len(),
            max: expected.max,
        });
    }
    let mut want = expected.from;
    for header in headers {
        if header.height != want {
            return Err(HeadersError::WrongHeight {
                got: header.height,
                want,
            });
        }
        want = want.next();
    }
    Ok(())
}
