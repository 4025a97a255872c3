//! Reviews: what is owed for a permit that came with [`super::Obligations::REVIEW`], until somebody has looked at it.

use super::{Obligations, RecordId};
use crate::{MemberId, PrincipalId};
use bincode::{Decode, Encode};
#[cfg(feature = "schema")]
use salus_sdk_macros::AbiSchema as Schema;

/// How long a review may take before it is overdue, in milliseconds: 72 hours.
pub const REVIEW_MS: u64 = 72 * 60 * 60 * 1000;
/// Open reviews in one answer, at most.
pub const REVIEWS_LIST_MAX: usize = 64;

/// A permit that waits for its review. It waits until it is reviewed, however long that takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct OpenReview {
    /// Which record was read.
    pub record: RecordId,
    /// By whom.
    pub requester: PrincipalId,
    /// What came with the permit.
    pub obligations: Obligations,
    /// Its place in the patient's access log.
    pub log_index: u64,
    /// When it is overdue: block time, milliseconds since 1970.
    pub due_ms: u64,
}

/// Asks for a hospital's open reviews.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct ReviewsOf {
    /// The hospital that the patients belonged to when their records were read.
    pub organisation: MemberId,
    /// The first number of interest; 0 for the oldest.
    pub from: u32,
}

/// An open review with its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct ReviewEntry {
    /// Its number among the hospital's reviews.
    pub number: u32,
    /// What waits.
    pub review: OpenReview,
    /// Whether it should have been reviewed by now.
    pub overdue: bool,
}

/// What a reviewer found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub enum Finding {
    /// There was an emergency, or another good reason.
    Justified,
    /// There was none. What follows is for people to decide.
    Unjustified,
}

crate::codec::encode_as_number!(Finding);

/// Closes a review. Callers: auditors and admins of the hospital, but never whoever read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct CloseReview {
    /// Of which hospital.
    pub organisation: MemberId,
    /// Which review.
    pub number: u32,
    /// What was found.
    pub finding: Finding,
}
