//! Headers, bodies and who holds their shares.

use super::hex;
use super::receipt::ReceiptDto;
use crate::{BlockHead, ReconstructedBlock, ShareHolder, ShareState};
use salus_types::abi::access::{self, Purpose};
use salus_types::abi::registry;
use salus_types::codec::{self, Decode};
use salus_types::{
    Call, ChainId, CommitCertificate, ContractCall, ContractId, Header, Sealing, ShareCommitment, SystemCall,
    UnverifiedTransaction,
};
use serde::Serialize;
use utoipa::ToSchema;

/// What every node keeps of every block. Hashes are hexadecimal.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Header)]
pub(crate) struct HeaderDto {
    /// The block's id: the hash of the header.
    pub(crate) id: String,
    /// Its position.
    pub(crate) height: u64,
    /// The round in which it was built.
    pub(crate) round: u32,
    /// Block time, milliseconds since 1970.
    pub(crate) time_ms: u64,
    /// Who built it.
    pub(crate) proposer: u16,
    /// The block before it.
    pub(crate) parent: String,
    /// Hash of the validator set that decides it.
    pub(crate) validators: String,
    /// Hash of the validator set that decides the next one.
    pub(crate) next_validators: String,
    /// How its body was turned into shares.
    pub(crate) sealing: SealingDto,
    /// Keyed BLAKE3 of the body.
    pub(crate) body_commitment: String,
    /// Merkle root over the sealed shares.
    pub(crate) share_root: String,
    /// Merkle root over the receipts.
    pub(crate) receipts_root: String,
    /// Root of the state after execution.
    pub(crate) state_root: String,
    /// Gas of all transactions together.
    pub(crate) gas_used: u64,
}

/// How a body was turned into shares.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Sealing)]
pub(crate) struct SealingDto {
    /// The scheme and its primitives.
    pub(crate) suite: u8,
    /// k: shares needed to open.
    pub(crate) threshold: u16,
    /// S: shares dealt.
    pub(crate) slots: u16,
    /// Bytes of the encoded body.
    pub(crate) body_length: u32,
    /// Bytes of the ciphertext.
    pub(crate) sealed_length: u32,
}

/// Headers, ascending.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Headers)]
pub(crate) struct HeadersDto {
    /// The headers.
    pub(crate) blocks: Vec<HeaderDto>,
}

/// What is kept whole of a block.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Block)]
pub(crate) struct BlockDto {
    /// The header.
    pub(crate) header: HeaderDto,
    /// The header's canonical bytes, base64: its id is their hash.
    pub(crate) header_bytes: String,
    /// The certificate that decided it, if still kept.
    pub(crate) certificate: Option<CertificateDto>,
    /// The dealing in force, if a later block dealt this one anew.
    pub(crate) resealed: Option<ResealedDto>,
}

/// Proof that a quorum decided a block.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Certificate)]
pub(crate) struct CertificateDto {
    /// The round in which it was decided.
    pub(crate) round: u32,
    /// The decided block, hexadecimal.
    pub(crate) block: String,
    /// The precommits, sorted by member.
    pub(crate) signatures: Vec<CommitSignatureDto>,
    /// The certificate's canonical bytes, base64.
    pub(crate) bytes: String,
}

/// One validator's precommit.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CommitSignature)]
pub(crate) struct CommitSignatureDto {
    /// Who precommitted.
    pub(crate) member: u16,
    /// The signature, hexadecimal.
    pub(crate) signature: String,
}

/// A later dealing of a block, which took the place of the one that its header names.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Resealed)]
pub(crate) struct ResealedDto {
    /// The height of the block that dealt it.
    pub(crate) at: u64,
    /// How the body was turned into shares this time.
    pub(crate) sealing: SealingDto,
    /// Keyed BLAKE3 of the body, under a key of this dealing.
    pub(crate) body_commitment: String,
    /// Merkle root over its shares.
    pub(crate) share_root: String,
}

/// A block's body, opened from shares.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Body)]
pub(crate) struct BodyDto {
    /// The header it was checked against.
    pub(crate) header: HeaderDto,
    /// Transactions in the whole body.
    pub(crate) count: usize,
    /// A page of them, with their receipts.
    pub(crate) transactions: Vec<BodyTransactionDto>,
    /// `from` of the next page, if there is one.
    pub(crate) next: Option<usize>,
    /// Proofs of members' faults in the body.
    pub(crate) evidence: usize,
    /// Older blocks that it deals anew.
    pub(crate) reseals: Vec<u64>,
    /// How it was obtained.
    pub(crate) reconstruction: ReconstructionDto,
}

/// How a body was obtained.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Reconstruction)]
pub(crate) struct ReconstructionDto {
    /// Members whose shares opened it, this node's own included.
    pub(crate) members: Vec<u16>,
    /// How long gathering and opening took, in milliseconds.
    pub(crate) elapsed_ms: f64,
    /// Whether it had been opened before and was still in memory.
    pub(crate) cached: bool,
}

/// A transaction with its receipt.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BodyTransaction)]
pub(crate) struct BodyTransactionDto {
    /// Its id, hexadecimal.
    pub(crate) id: String,
    /// Its position in the block, from 0.
    pub(crate) index: usize,
    /// Who sent it.
    pub(crate) sender: u32,
    /// The sender's count of executed transactions.
    pub(crate) sequence: u64,
    /// The last height at which it could be executed, as a decimal string.
    pub(crate) expires: String,
    /// The most it could cost, as a decimal string.
    pub(crate) gas_limit: String,
    /// What it asked for.
    pub(crate) call: CallDto,
    /// What it did.
    pub(crate) receipt: ReceiptDto,
}

/// What a transaction asked for, in short. The numbers are there when the call has them.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = Call)]
pub(crate) struct CallDto {
    /// Which contract; 0 is the chain itself.
    pub(crate) contract: u32,
    /// Which entry.
    pub(crate) entry: Option<u8>,
    /// A name, if it is one of the chain's own calls: `access.retrieve`, `registry.add_user`.
    #[schema(example = "access.retrieve")]
    pub(crate) name: Option<&'static str>,
    /// Bytes of the argument.
    pub(crate) input_length: usize,
    /// Whose records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) patient: Option<u32>,
    /// Which record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) record: Option<u32>,
    /// Which principal it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) principal: Option<u32>,
    /// For what: an HL7 v3 PurposeOfUse code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) purpose: Option<&'static str>,
}

/// Who holds a block's shares.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Shares)]
pub(crate) struct SharesDto {
    /// The block's height.
    pub(crate) height: u64,
    /// Members that hold theirs.
    pub(crate) held: usize,
    /// One row for each member.
    pub(crate) shares: Vec<ShareDto>,
}

/// A member's share of a block.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Share)]
pub(crate) struct ShareDto {
    /// Whose.
    pub(crate) member: u16,
    /// Which share of the dealing.
    pub(crate) slot: u16,
    /// `held`, `missing`, `wrong` or `unreachable`.
    #[schema(example = "held")]
    pub(crate) state: &'static str,
}

impl HeaderDto {
    pub(crate) fn new(chain: &ChainId, header: &Header) -> Self {
        Self {
            id: header.id(chain).to_string(),
            height: header.height.get(),
            round: header.round.get(),
            time_ms: header.time.get(),
            proposer: header.proposer.get(),
            parent: header.parent.to_string(),
            validators: header.validators.to_string(),
            next_validators: header.next_validators.to_string(),
            sealing: SealingDto::from(header.sealing),
            body_commitment: header.body_commitment.to_string(),
            share_root: header.share_root.to_string(),
            receipts_root: header.receipts_root.to_string(),
            state_root: header.state_root.to_string(),
            gas_used: header.gas_used.get(),
        }
    }
}

impl BlockDto {
    pub(crate) fn new(chain: &ChainId, head: &BlockHead) -> Self {
        Self {
            header: HeaderDto::new(chain, &head.header),
            header_bytes: super::base64(&codec::encode(&head.header)),
            certificate: head.certificate.as_ref().map(CertificateDto::from),
            resealed: head.resealed.as_ref().map(ResealedDto::from),
        }
    }
}

impl From<&ShareCommitment> for ResealedDto {
    fn from(commitment: &ShareCommitment) -> Self {
        Self {
            at: commitment.dealt_at.get(),
            sealing: SealingDto::from(commitment.sealing),
            body_commitment: commitment.body_commitment.to_string(),
            share_root: commitment.share_root.to_string(),
        }
    }
}

impl From<Sealing> for SealingDto {
    fn from(sealing: Sealing) -> Self {
        Self {
            suite: sealing.suite,
            threshold: sealing.threshold,
            slots: sealing.slots,
            body_length: sealing.body_length,
            sealed_length: sealing.sealed_length,
        }
    }
}

impl From<&CommitCertificate> for CertificateDto {
    fn from(certificate: &CommitCertificate) -> Self {
        Self {
            round: certificate.round.get(),
            block: certificate.block.to_string(),
            signatures: certificate
                .signatures
                .iter()
                .map(|one| CommitSignatureDto {
                    member: one.member.get(),
                    signature: hex(one.signature.as_bytes()),
                })
                .collect(),
            bytes: super::base64(&codec::encode(certificate)),
        }
    }
}

impl BodyDto {
    /// A page of `limit` transactions from the one at `from`.
    pub(crate) fn new(chain: &ChainId, block: &ReconstructedBlock, from: usize, limit: usize) -> Self {
        let body = &block.body;
        let transactions: Vec<_> = body
            .transactions
            .iter()
            .zip(&body.receipts)
            .enumerate()
            .skip(from)
            .take(limit)
            .map(|(index, (transaction, receipt))| {
                let call = CallDto::from(&transaction.payload.call);
                let receipt = ReceiptDto::new(receipt, ContractId::new(call.contract));
                BodyTransactionDto::new(chain, index, transaction, call, receipt)
            })
            .collect();
        let read = from.saturating_add(transactions.len());
        Self {
            header: HeaderDto::new(chain, &block.header),
            count: body.transactions.len(),
            next: (!transactions.is_empty() && read < body.transactions.len()).then_some(read),
            transactions,
            evidence: body.evidence.len(),
            reseals: body.reseals.iter().map(|one| one.height.get()).collect(),
            reconstruction: ReconstructionDto {
                members: block.shares_from.iter().map(|member| member.get()).collect(),
                elapsed_ms: block.elapsed.as_secs_f64() * 1e3,
                cached: block.cached,
            },
        }
    }
}

impl BodyTransactionDto {
    fn new(
        chain: &ChainId,
        index: usize,
        transaction: &UnverifiedTransaction,
        call: CallDto,
        receipt: ReceiptDto,
    ) -> Self {
        let payload = &transaction.payload;
        Self {
            id: payload.id(chain).to_string(),
            index,
            sender: payload.sender.get(),
            sequence: payload.sequence.get(),
            expires: payload.expires.to_string(),
            gas_limit: payload.gas_limit.to_string(),
            call,
            receipt,
        }
    }
}

impl From<&Call> for CallDto {
    fn from(call: &Call) -> Self {
        match call {
            Call::Contract {
                contract,
                entry,
                input,
            } => Self {
                contract: contract.get(),
                entry: Some(*entry),
                input_length: input.len(),
                ..match *contract {
                    ContractId::ACCESS => access_call(*entry, input),
                    ContractId::REGISTRY => registry_call(*entry, input),
                    _ => Self::default(),
                }
            },
            Call::System(call) => Self {
                contract: ContractId::SYSTEM.get(),
                name: Some(match call {
                    SystemCall::SetAddresses { .. } => "system.set_addresses",
                    SystemCall::StartReseal { .. } => "system.start_reseal",
                    SystemCall::StopReseal => "system.stop_reseal",
                    SystemCall::Propose { .. } => "system.propose",
                    SystemCall::Vote { .. } => "system.vote",
                    SystemCall::RotateMemberKeys { .. } => "system.rotate_member_keys",
                    SystemCall::Contract(ContractCall::StoreCode(_)) => "system.store_code",
                    SystemCall::Contract(ContractCall::Instantiate { .. }) => "system.instantiate",
                    SystemCall::Contract(ContractCall::Enact { .. }) => "system.enact",
                }),
                ..Self::default()
            },
        }
    }
}

/// The argument of a call, if it is one: a body may hold a call whose argument the contract refused.
fn argument<T: Decode<()>>(input: &[u8]) -> Option<T> {
    codec::decode_trusted(input).ok()
}

fn access_call(entry: u8, input: &[u8]) -> CallDto {
    use access::entry as e;
    let named = |name| CallDto {
        name: Some(name),
        ..CallDto::default()
    };
    match entry {
        e::ADD_RECORD => CallDto {
            patient: argument::<access::AddRecord>(input).map(|a| a.patient.get()),
            ..named("access.add_record")
        },
        e::GRANT => CallDto {
            principal: argument::<access::GrantAccess>(input).map(|a| a.grantee.get()),
            ..named("access.grant")
        },
        e::REVOKE => CallDto {
            principal: argument::<access::RevokeAccess>(input).map(|a| a.grantee.get()),
            ..named("access.revoke")
        },
        e::RETRIEVE => {
            let retrieve = argument::<access::Retrieve>(input);
            CallDto {
                patient: retrieve.map(|a| a.patient.get()),
                record: retrieve.map(|a| a.record.get()),
                purpose: retrieve.map(|a| Purpose::code(a.purpose)),
                ..named("access.retrieve")
            }
        }
        e::LIFT_PENALTY => CallDto {
            principal: argument::<access::LiftPenalty>(input).map(|a| a.principal.get()),
            ..named("access.lift_penalty")
        },
        e::REGISTER_RULE => named("access.register_rule"),
        e::OPEN_BLOCKS => named("access.open_blocks"),
        e::ACT_FOR => CallDto {
            patient: argument::<access::ActFor>(input).map(|a| a.patient.get()),
            ..named("access.act_for")
        },
        e::CLOSE_REVIEW => named("access.close_review"),
        e::REPLACE_RECORD => {
            let replaced = argument::<access::ReplaceRecord>(input);
            CallDto {
                patient: replaced.as_ref().map(|a| a.dealing.patient.get()),
                record: replaced.map(|a| a.record.get()),
                ..named("access.replace_record")
            }
        }
        e::SHRED => {
            let shredded = argument::<access::Shred>(input);
            CallDto {
                patient: shredded.map(|a| a.record.patient.get()),
                record: shredded.map(|a| a.record.record.get()),
                ..named("access.shred")
            }
        }
        _ => CallDto::default(),
    }
}

fn registry_call(entry: u8, input: &[u8]) -> CallDto {
    use registry::entry as e;
    let named = |name| CallDto {
        name: Some(name),
        ..CallDto::default()
    };
    match entry {
        e::ADD_USER => named("registry.add_user"),
        e::DELETE_USER => CallDto {
            principal: argument::<registry::DeleteUser>(input).map(|a| a.principal.get()),
            ..named("registry.delete_user")
        },
        e::ROTATE_KEYS => named("registry.rotate_keys"),
        e::SET_ATTRIBUTE => CallDto {
            principal: argument::<registry::SetAttribute>(input).map(|a| a.principal.get()),
            ..named("registry.set_attribute")
        },
        e::SET_ROLE => CallDto {
            principal: argument::<registry::SetRole>(input).map(|a| a.principal.get()),
            ..named("registry.set_role")
        },
        e::CHANGE_HOSPITAL => named("registry.change_hospital"),
        e::SET_GUARDIANS => named("registry.set_guardians"),
        e::START_RECOVERY => CallDto {
            principal: argument::<registry::StartRecovery>(input).map(|a| a.principal.get()),
            ..named("registry.start_recovery")
        },
        e::APPROVE_RECOVERY => CallDto {
            principal: argument::<registry::ApproveRecovery>(input).map(|a| a.principal.get()),
            ..named("registry.approve_recovery")
        },
        e::VETO_RECOVERY => named("registry.veto_recovery"),
        e::FINISH_RECOVERY => CallDto {
            principal: argument::<registry::FinishRecovery>(input).map(|a| a.principal.get()),
            ..named("registry.finish_recovery")
        },
        _ => CallDto::default(),
    }
}

impl SharesDto {
    pub(crate) fn new(height: u64, holders: &[ShareHolder]) -> Self {
        Self {
            height,
            held: holders
                .iter()
                .filter(|holder| matches!(holder.state, ShareState::Held | ShareState::Claimed))
                .count(),
            shares: holders
                .iter()
                .map(|holder| ShareDto {
                    member: holder.member.get(),
                    slot: holder.slot.get(),
                    state: match holder.state {
                        ShareState::Held => "held",
                        ShareState::Claimed => "claimed",
                        ShareState::Missing => "missing",
                        ShareState::Wrong => "wrong",
                        ShareState::Unreachable => "unreachable",
                    },
                })
                .collect(),
        }
    }
}
