//! Between our wire types and the core's. Both directions are total: what we send is what we were given.

use super::context::{Address, Block, Context, CoreHeight, CoreProposal, CoreVote};
use crate::message::{PolkaCertificate, RoundCertificate, RoundCertificateKind, RoundSignature};
use arc_malachitebft_core_types as core_types;
use core_types::{NilOrVal, SignedMessage, VoteType};
use salus_types::{
    BlockId, ChainId, CommitCertificate, CommitSignature, Height, Proposal, Round, SignedProposal,
    SignedVote, Vote, VoteKind,
};

pub(crate) type CoreSignedVote = core_types::SignedVote<Context>;
pub(crate) type CoreSignedProposal = core_types::SignedProposal<Context>;
type CorePolka = core_types::PolkaCertificate<Context>;
type CoreRoundCertificate = core_types::RoundCertificate<Context>;
type CoreCommit = core_types::CommitCertificate<Context>;

pub(crate) fn round_to_core(round: Round) -> core_types::Round {
    core_types::Round::new(round.get())
}

/// The core's nil round (before a height starts) reads as round 0.
pub(crate) fn round_from_core(round: core_types::Round) -> Round {
    Round::new(round.as_u32().unwrap_or(0))
}

fn optional_round_to_core(round: Option<Round>) -> core_types::Round {
    round.map_or(core_types::Round::Nil, round_to_core)
}

fn optional_round_from_core(round: core_types::Round) -> Option<Round> {
    round.as_u32().map(Round::new)
}

pub(crate) fn kind_to_core(kind: VoteKind) -> VoteType {
    match kind {
        VoteKind::Prevote => VoteType::Prevote,
        VoteKind::Precommit => VoteType::Precommit,
    }
}

pub(crate) fn kind_from_core(kind: VoteType) -> VoteKind {
    match kind {
        VoteType::Prevote => VoteKind::Prevote,
        VoteType::Precommit => VoteKind::Precommit,
    }
}

fn block_to_core(block: Option<BlockId>) -> NilOrVal<BlockId> {
    block.map_or(NilOrVal::Nil, NilOrVal::Val)
}

fn block_from_core(block: &NilOrVal<BlockId>) -> Option<BlockId> {
    match block {
        NilOrVal::Nil => None,
        NilOrVal::Val(id) => Some(*id),
    }
}

pub(crate) fn vote_from_core(vote: &CoreVote) -> Vote {
    Vote {
        kind: kind_from_core(vote.kind),
        height: vote.height.0,
        round: round_from_core(vote.round),
        block: block_from_core(&vote.value),
        member: vote.address.0,
    }
}

pub(crate) fn vote_to_core(vote: &Vote) -> CoreVote {
    CoreVote {
        kind: kind_to_core(vote.kind),
        height: CoreHeight(vote.height),
        round: round_to_core(vote.round),
        value: block_to_core(vote.block),
        address: Address(vote.member),
    }
}

pub(crate) fn signed_vote_from_core(vote: &CoreSignedVote) -> SignedVote {
    SignedVote {
        vote: vote_from_core(&vote.message),
        signature: vote.signature,
    }
}

pub(crate) fn signed_vote_to_core(vote: &SignedVote) -> CoreSignedVote {
    SignedMessage::new(vote_to_core(&vote.vote), vote.signature)
}

pub(crate) fn proposal_from_core(proposal: &CoreProposal) -> Proposal {
    Proposal {
        height: proposal.height.0,
        round: round_from_core(proposal.round),
        valid_round: optional_round_from_core(proposal.valid_round),
        header: proposal.block.header().clone(),
        proposer: proposal.address.0,
    }
}

pub(crate) fn signed_proposal_from_core(proposal: &CoreSignedProposal) -> SignedProposal {
    SignedProposal {
        proposal: proposal_from_core(&proposal.message),
        signature: proposal.signature,
    }
}

pub(crate) fn signed_proposal_to_core(proposal: &SignedProposal, chain: &ChainId) -> CoreSignedProposal {
    let SignedProposal { proposal, signature } = proposal;
    SignedMessage::new(
        CoreProposal {
            height: CoreHeight(proposal.height),
            round: round_to_core(proposal.round),
            valid_round: optional_round_to_core(proposal.valid_round),
            block: Block::new(proposal.header.clone(), chain),
            address: Address(proposal.proposer),
        },
        *signature,
    )
}

pub(crate) fn polka_from_core(certificate: &CorePolka) -> PolkaCertificate {
    let mut signatures: Vec<CommitSignature> = certificate
        .polka_signatures
        .iter()
        .map(|one| CommitSignature {
            member: one.address.0,
            signature: one.signature,
        })
        .collect();
    signatures.sort();
    signatures.dedup_by_key(|one| one.member);
    PolkaCertificate {
        height: certificate.height.0,
        round: round_from_core(certificate.round),
        block: certificate.value_id,
        signatures,
    }
}

pub(crate) fn polka_to_core(certificate: &PolkaCertificate) -> CorePolka {
    CorePolka {
        height: CoreHeight(certificate.height),
        round: round_to_core(certificate.round),
        value_id: certificate.block,
        polka_signatures: certificate
            .signatures
            .iter()
            .map(|one| core_types::PolkaSignature::new(Address(one.member), one.signature))
            .collect(),
    }
}

pub(crate) fn round_certificate_from_core(certificate: &CoreRoundCertificate) -> RoundCertificate {
    let mut signatures: Vec<RoundSignature> = certificate
        .round_signatures
        .iter()
        .map(|one| RoundSignature {
            member: one.address.0,
            kind: kind_from_core(one.vote_type),
            block: block_from_core(&one.value_id),
            signature: one.signature,
        })
        .collect();
    signatures.sort();
    signatures.dedup_by_key(|one| one.member);
    RoundCertificate {
        height: certificate.height.0,
        round: round_from_core(certificate.round),
        kind: match certificate.cert_type {
            core_types::RoundCertificateType::Skip => RoundCertificateKind::Skip,
            core_types::RoundCertificateType::Precommit => RoundCertificateKind::Precommit,
        },
        signatures,
    }
}

pub(crate) fn round_certificate_to_core(certificate: &RoundCertificate) -> CoreRoundCertificate {
    CoreRoundCertificate {
        height: CoreHeight(certificate.height),
        round: round_to_core(certificate.round),
        cert_type: match certificate.kind {
            RoundCertificateKind::Skip => core_types::RoundCertificateType::Skip,
            RoundCertificateKind::Precommit => core_types::RoundCertificateType::Precommit,
        },
        round_signatures: certificate
            .signatures
            .iter()
            .map(|one| {
                core_types::RoundSignature::new(
                    kind_to_core(one.kind),
                    block_to_core(one.block),
                    Address(one.member),
                    one.signature,
                )
            })
            .collect(),
    }
}

/// Sorts the signatures, as our certificates must be.
pub(crate) fn commit_from_core(certificate: &CoreCommit) -> CommitCertificate {
    let mut signatures: Vec<CommitSignature> = certificate
        .commit_signatures
        .iter()
        .map(|one| CommitSignature {
            member: one.address.0,
            signature: one.signature,
        })
        .collect();
    signatures.sort();
    signatures.dedup_by_key(|one| one.member);
    CommitCertificate {
        height: certificate.height.0,
        round: round_from_core(certificate.round),
        block: certificate.value_id,
        signatures,
    }
}

pub(crate) fn height_to_core(height: Height) -> CoreHeight {
    CoreHeight(height)
}
