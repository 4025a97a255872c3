//! Entries of the write-ahead log: the inputs of the core that a restarted node must see again, and their bytes.
//!
//! ```text
//! version  1 byte, 1
//! height   canonical u64
//! body     1 byte: 0 vote, 1 proposal, 2 polka, 3 timeout, 4 block; then its fields
//! ```
//!
//! All in the canonical encoding of [`salus_types::codec`].

use crate::malachite::context::{Address, Block, Context};
use crate::malachite::convert::{
    height_to_core, polka_from_core, polka_to_core, round_from_core, round_to_core,
    signed_proposal_from_core, signed_proposal_to_core, signed_vote_from_core, signed_vote_to_core,
};
use crate::{Message, PolkaCertificate};
use arc_malachitebft_core_consensus::{Input as CoreInput, ProposedValue};
use arc_malachitebft_core_types::{Round as CoreRound, Timeout, TimeoutKind, Validity, ValueOrigin};
use salus_types::codec::{self, Decode, DecodeError, Encode};
use salus_types::{ChainId, Header, Height, MemberId, Round, SignedProposal, SignedVote};

const VERSION: u8 = 1;

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct LogEntry {
    version: u8,
    /// The height it belongs to: timeouts don't name one themselves.
    pub(crate) height: Height,
    pub(crate) body: LogBody,
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) enum LogBody {
    Vote(SignedVote),
    Proposal(SignedProposal),
    Polka(PolkaCertificate),
    Timeout(LogTimeout),
    Block(LogBlock),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct LogTimeout {
    step: LogStep,
    round: Round,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
enum LogStep {
    Propose,
    Prevote,
    Precommit,
}

/// A block that was built or judged.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct LogBlock {
    round: Round,
    valid_round: Option<Round>,
    proposer: MemberId,
    pub(crate) header: Header,
    pub(crate) valid: bool,
}

impl LogEntry {
    /// The entry for an input of the core; `None` for one that never belongs in the log.
    pub(crate) fn from_core(height: Height, input: &CoreInput<Context>) -> Option<Self> {
        let body = match input {
            CoreInput::Vote(vote) => LogBody::Vote(signed_vote_from_core(vote)),
            CoreInput::Proposal(proposal) => LogBody::Proposal(signed_proposal_from_core(proposal)),
            CoreInput::PolkaCertificate(certificate) => LogBody::Polka(polka_from_core(certificate)),
            CoreInput::TimeoutElapsed(timeout) => LogBody::Timeout(LogTimeout {
                step: match timeout.kind {
                    TimeoutKind::Propose => LogStep::Propose,
                    TimeoutKind::Prevote => LogStep::Prevote,
                    TimeoutKind::Precommit => LogStep::Precommit,
                    TimeoutKind::Rebroadcast | TimeoutKind::FinalizeHeight(_) => return None,
                },
                round: round_from_core(timeout.round),
            }),
            CoreInput::ProposedValue(value, ValueOrigin::Consensus) => LogBody::Block(LogBlock {
                round: round_from_core(value.round),
                valid_round: value.valid_round.as_u32().map(Round::new),
                proposer: value.proposer.0,
                header: value.value.header().clone(),
                valid: value.validity.is_valid(),
            }),
            CoreInput::StartHeight(..)
            | CoreInput::RoundCertificate(_)
            | CoreInput::Propose(_)
            | CoreInput::ProposedValue(_, ValueOrigin::Sync)
            | CoreInput::SyncValueResponse(_) => return None,
        };
        Some(Self {
            version: VERSION,
            height,
            body,
        })
    }

    /// The input it stands for.
    pub(crate) fn to_core(&self, chain: &ChainId) -> CoreInput<Context> {
        match &self.body {
            LogBody::Vote(vote) => CoreInput::Vote(signed_vote_to_core(vote)),
            LogBody::Proposal(proposal) => CoreInput::Proposal(signed_proposal_to_core(proposal, chain)),
            LogBody::Polka(certificate) => CoreInput::PolkaCertificate(polka_to_core(certificate)),
            LogBody::Timeout(LogTimeout { step, round }) => {
                let kind = match step {
                    LogStep::Propose => TimeoutKind::Propose,
                    LogStep::Prevote => TimeoutKind::Prevote,
                    LogStep::Precommit => TimeoutKind::Precommit,
                };
                CoreInput::TimeoutElapsed(Timeout::new(round_to_core(*round), kind))
            }
            LogBody::Block(block) => CoreInput::ProposedValue(
                ProposedValue {
                    height: height_to_core(self.height),
                    round: round_to_core(block.round),
                    valid_round: block.valid_round.map_or(CoreRound::Nil, round_to_core),
                    proposer: Address(block.proposer),
                    value: Block::new(block.header.clone(), chain),
                    validity: Validity::from_bool(block.valid),
                },
                ValueOrigin::Consensus,
            ),
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// # Errors
    ///
    /// [`DecodeError`] if the bytes are no entry of this version.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let entry: Self = codec::decode(bytes, Message::LENGTH_MAX)?;
        if entry.version == VERSION {
            Ok(entry)
        } else {
            Err(DecodeError::Malformed)
        }
    }
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
