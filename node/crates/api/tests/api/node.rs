//! A node that answers by a script: what it says depends only on what it is asked.

use salus_api::{
    BlockHead, CommittedTransaction, LogPage, MemberFaults, MemberStatus, Membership, NodeStatus,
    OpenProposal, PieceRefusal, PrincipalState, QueryAnswer, QueryRefusal, ReadRefusal, ReconstructedBlock,
    Rejection, Release, ReleasePurpose, RepairStatus, Reply, Request, ScrubPass, ScrubStatus, ShareHolder,
    ShareState, StateAnswer, StorageStatus, SyncPhase, SyncStatus, TransactionStatus,
};
use salus_types::abi::access::{self, *};
use salus_types::abi::registry::{self, PatientAddress, Principal, Role};
use salus_types::codec::{self, DecodeError};
use salus_types::state::StateKey;
use salus_types::*;
use std::time::Duration;

pub(crate) fn chain() -> ChainId {
    ChainId::new(Hash::of_content(b"test network"))
}

pub(crate) fn hash(of: u8) -> Hash {
    Hash::new([of; 32])
}

/// Every rejection; a transaction with sequence `i` gets number `i`, one with a higher sequence is taken.
pub(crate) fn rejections() -> Vec<Rejection> {
    let next = Sequence::new(41);
    vec![
        Rejection::Malformed(DecodeError::Malformed),
        Rejection::Malformed(DecodeError::NotCanonical),
        Rejection::WrongChain {
            given: ChainId::new(hash(1)),
            here: chain(),
        },
        Rejection::UnknownSender,
        Rejection::SenderDeleted,
        Rejection::BadSignature,
        Rejection::Replay { next },
        Rejection::SequenceTaken,
        Rejection::OutOfOrder { next },
        Rejection::Expired {
            height: Height::new(9),
        },
        Rejection::ExpiryTooFar {
            latest: Height::new(99),
        },
        Rejection::Oversized {
            length: 100_000,
            limit: 81_920,
        },
        Rejection::GasLimit {
            min: Gas::new(50_000),
            max: Gas::new(1_000_000),
        },
        Rejection::OverQuota {
            retry_after: Duration::from_millis(1500),
        },
        Rejection::PoolFull,
        Rejection::UnknownContract,
        Rejection::NotReady,
    ]
}

pub(crate) fn transaction(sequence: u64) -> UnverifiedTransaction {
    let retrieve = Retrieve {
        patient: PrincipalId::new(7),
        record: RecordNumber::new(1),
        purpose: Purpose::Treatment,
        emergency: false,
    };
    TransactionPayload {
        sender: PrincipalId::new(5),
        sequence: Sequence::new(sequence),
        expires: Height::new(u64::MAX),
        gas_limit: Gas::new(1 << 60),
        call: Call::Contract {
            contract: ContractId::ACCESS,
            entry: access::entry::RETRIEVE,
            input: codec::encode(&retrieve),
        },
    }
    .sign(&SecretKey::from_seed(&[5; 32]), &chain())
}

pub(crate) fn log_entry(index: u64) -> LogEntry {
    LogEntry {
        patient: PrincipalId::new(7),
        index,
        record: RecordNumber::new(1),
        requester: PrincipalId::new(5),
        purpose: Purpose::Treatment,
        emergency: false,
        decision: Decision::Deny {
            reason: reason::NO_GRANT,
            standing: Standing::Warned { refusals: 1 },
        },
        height: 3,
    }
}

pub(crate) fn receipt() -> Receipt {
    Receipt {
        status: Status::Success,
        gas_used: Gas::new(1234),
        output: codec::encode(&log_entry(0).decision),
        events: vec![
            Event {
                contract: ContractId::ACCESS,
                data: codec::encode(&AccessEvent::Access(log_entry(0))),
            },
            Event {
                contract: ContractId::new(9),
                data: vec![1, 2, 3],
            },
        ],
    }
}

fn failed(status: Status) -> Receipt {
    Receipt {
        status,
        gas_used: Gas::new(5),
        output: Vec::new(),
        events: Vec::new(),
    }
}

pub(crate) fn header(height: u64) -> Header {
    Header {
        height: Height::new(height),
        round: Round::new(0),
        time: Timestamp::new(1_700_000_000_000 + height),
        proposer: MemberId::new(1),
        parent: BlockId::new(hash(1)),
        validators: hash(2),
        next_validators: hash(2),
        sealing: Sealing {
            suite: 1,
            threshold: 2,
            slots: 8,
            body_length: 900,
            sealed_length: 512,
        },
        body_commitment: hash(3),
        share_root: hash(4),
        receipts_root: hash(5),
        state_root: hash(6),
        gas_used: Gas::new(1234),
    }
}

fn body() -> Body {
    let receipts = vec![
        receipt(),
        failed(Status::Aborted {
            code: access::error::UNKNOWN_GRANT,
        }),
        failed(Status::OutOfGas),
    ];
    Body {
        transactions: (0..3).map(transaction).collect(),
        receipts,
        evidence: Vec::new(),
        parent_certificate: None,
        reseals: Vec::new(),
    }
}

pub(crate) fn address() -> PatientAddress {
    PatientAddress {
        area: 12,
        pid: [0xab; 16],
    }
}

fn principal(number: PrincipalId) -> Option<PrincipalState> {
    let patient = number.get() == 7;
    (number.get() < 10).then(|| PrincipalState {
        principal: Principal {
            signing_key: [1; 32],
            encryption_key: [2; 32],
            role: if patient { Role::Patient } else { Role::Doctor },
            organisation: MemberId::new(2),
            status: registry::Status::Active,
            address: patient.then(address),
            attributes: vec![(3, vec![4, 5])],
        },
        next_sequence: Sequence::new(41),
    })
}

/// Answers, or gives back a waiter that stays unanswered: the transaction with sequence 1000 never commits.
pub(crate) fn answer(request: Request) -> Option<Reply<CommittedTransaction>> {
    match request {
        Request::Submit { transaction, reply } => give(reply, take(&transaction)),
        Request::SubmitBatch { transactions, reply } => give(reply, transactions.iter().map(take).collect()),
        Request::WaitCommitted { id, reply } => {
            if id == transaction(1000).payload.id(&chain()) {
                return Some(reply);
            }
            give(reply, committed());
        }
        Request::Transaction { id, reply, .. } => give(reply, find(id)),
        Request::Status { reply } => give(reply, status()),
        Request::Members { reply } => give(reply, membership()),
        Request::Validators { height, reply } => give(reply, (height.get() <= 9).then(validators)),
        Request::Headers { from, limit, reply } => {
            let first = from.map_or(8 - u64::from(limit).min(7), Height::get).max(1);
            let last = first.saturating_add(u64::from(limit)).min(8);
            give(reply, (first..last).map(header).collect());
        }
        Request::Block { height, reply } => give(
            reply,
            (height.get() <= 7).then(|| BlockHead {
                header: header(height.get()),
                certificate: (height.get() == 7).then(certificate),
                resealed: (height.get() == 3).then(|| ShareCommitment {
                    dealt_at: Height::new(6),
                    ..ShareCommitment::from(&header(3))
                }),
            }),
        ),
        Request::Body { height, wish, reply } => give(reply, reconstruct(height, wish)),
        Request::Releases { reply } => give(reply, vec![release()]),
        Request::ShareHolders { height, reply } => give(reply, holders(height)),
        Request::Query {
            contract,
            entry,
            input,
            caller,
            proof,
            reply,
        } => {
            let answer = query(contract, entry, &input, caller);
            let reads = proof.then(|| codec::encode(&salus_types::state::ReadSet::default()));
            give(reply, answer.map(|answer| QueryAnswer { reads, ..answer }));
        }
        Request::Contracts { above, limit, reply } => {
            let numbers = (1..=3).map(ContractId::new).filter(|number| *number > above);
            let contracts = numbers
                .map(|number| (number, contract_info()))
                .take(usize::from(limit));
            give(reply, contracts.collect());
        }
        Request::State { key, proof, reply } => give(
            reply,
            StateAnswer {
                value: state_entry(&key),
                proof: proof.then(|| vec![9; 3]),
                height: Height::new(7),
            },
        ),
        Request::Principal {
            principal: number,
            reply,
        } => give(reply, principal(number)),
        Request::AccessLog {
            patient,
            from,
            limit,
            reply,
            ..
        } => give(reply, log(patient, from, limit)),
        Request::StorePiece { member, piece, reply } => {
            give(reply, piece_answer(member, Signature::new([piece[0]; 64])))
        }
        Request::ReadPiece {
            member,
            request,
            reply,
        } => give(reply, piece_answer(member, request)),
    }
    None
}

fn give<T>(reply: Reply<T>, answer: T) {
    // The client may have left; that is its business.
    let _ = reply.send(answer);
}

fn take(transaction: &UnverifiedTransaction) -> Result<TransactionId, Rejection> {
    let index = usize::try_from(transaction.payload.sequence.get()).unwrap();
    match rejections().get(index) {
        Some(rejection) => Err(*rejection),
        None => Ok(transaction.payload.id(&chain())),
    }
}

fn committed() -> CommittedTransaction {
    CommittedTransaction {
        height: Height::new(3),
        index: 4,
        contract: ContractId::new(7),
        receipt: receipt(),
    }
}

fn find(id: TransactionId) -> Result<TransactionStatus, ReadRefusal> {
    match id.as_bytes()[0] {
        0 => Ok(TransactionStatus::Unknown),
        1 => Ok(TransactionStatus::Pending),
        2 => Ok(TransactionStatus::Committed(committed())),
        _ => Err(ReadRefusal::SharesMissing { have: 1, need: 2 }),
    }
}

fn status() -> NodeStatus {
    NodeStatus {
        height: Height::new(7),
        block: header(7).id(&chain()),
        block_time: Timestamp::new(1_700_000_000_007),
        validators: 4,
        threshold: 2,
        ticket_to_open: true,
        peers: 3,
        mempool: 6,
        catching_up: false,
        repair: RepairStatus {
            missing: 1,
            urgent: 1,
            repaired: 2,
            failed_no_header: 3,
            failed_too_few_shares: 4,
            failed_unopenable: 5,
            estimate_ms: Some(1_500),
        },
        scrub: ScrubStatus {
            bytes_per_second: 1_000,
            current: ScrubPass {
                started: Timestamp::new(20),
                checked: 7,
                ..ScrubPass::default()
            },
            height: Height::new(7),
            last: Some(ScrubPass {
                started: Timestamp::new(10),
                finished: Timestamp::new(15),
                checked: 9,
                damaged: 2,
                repaired: 1,
            }),
            damaged: 2,
        },
        sync: SyncStatus {
            phase: SyncPhase::Snapshot,
            done: 3,
            total: 9,
            per_second: 2.0,
            remaining: Some(Duration::from_secs(3)),
        },
        unread: 5,
        deposits: salus_api::DepositStatus {
            held: 3,
            bytes: 4_000,
            oldest: Some(Height::new(5)),
        },
        reseal: Some(ResealJob {
            from: Height::new(1),
            to: Height::new(5),
            next: Height::new(4),
            since: Height::new(6),
        }),
        storage: StorageStatus {
            shares_bytes: 10,
            index_bytes: 20,
            wal_bytes: 30,
            pieces_bytes: 40,
            full_replication_bytes: 50,
        },
    }
}

fn member() -> MemberStatus {
    MemberStatus {
        member: Member {
            id: MemberId::new(2),
            name: "St. Elsewhere".into(),
            consensus_key: PublicKey::new([1; 32]),
            network_key: PublicKey::new([2; 32]),
            release_key: [3; 32],
            slot: Slot::new(2),
            addresses: vec!["/ip4/127.0.0.1/tcp/7700".into()],
        },
        validating: true,
        connected: true,
        faults: MemberFaults {
            double_votes: 0,
            wrong_shares: 3,
            latest: Some(Height::new(6)),
        },
    }
}

fn certificate() -> CommitCertificate {
    CommitCertificate {
        height: Height::new(7),
        round: Round::new(0),
        block: header(7).id(&chain()),
        signatures: vec![CommitSignature {
            member: MemberId::new(1),
            signature: Signature::new([8; 64]),
        }],
    }
}

fn release() -> Release {
    Release {
        first: Timestamp::new(1_000),
        last: Timestamp::new(2_000),
        member: MemberId::new(3),
        purpose: ReleasePurpose::Read,
        principal: Some(PrincipalId::new(7)),
        allowed: false,
        lowest: Height::new(4),
        highest: Height::new(9),
        count: 6,
    }
}

/// A wish that opens block 3 here.
pub(crate) fn wish() -> SignedOpenRequest {
    let request = OpenRequest {
        principal: PrincipalId::new(7),
        from: Height::new(3),
        to: Height::new(3),
        recipient: MemberId::new(2),
        expires: Timestamp::new(1_700_000_000_000),
    };
    SignedOpenRequest {
        request,
        signature: Signature::new([5; 64]),
    }
}

fn reconstruct(height: Height, given: Option<SignedOpenRequest>) -> Result<ReconstructedBlock, ReadRefusal> {
    match height.get() {
        3 if given == Some(wish()) => reconstruct(Height::new(1), None),
        1 => Ok(ReconstructedBlock {
            header: header(1),
            body: body(),
            shares_from: vec![MemberId::new(2), MemberId::new(0)],
            elapsed: Duration::from_micros(2500),
            cached: false,
        }),
        2 => Err(ReadRefusal::SharesMissing { have: 1, need: 2 }),
        3 => Err(ReadRefusal::Refused),
        4 => Err(ReadRefusal::Busy),
        5 => Err(ReadRefusal::Damaged),
        _ => Err(ReadRefusal::NotFound),
    }
}

fn holders(height: Height) -> Result<Vec<ShareHolder>, ReadRefusal> {
    if height.get() > 7 {
        return Err(ReadRefusal::NotFound);
    }
    let states = [
        ShareState::Held,
        ShareState::Missing,
        ShareState::Wrong,
        ShareState::Unreachable,
    ];
    Ok((0u16..)
        .zip(states)
        .map(|(number, state)| ShareHolder {
            member: MemberId::new(number),
            slot: Slot::new(number),
            state,
        })
        .collect())
}

/// Contract 9 refuses in every way, by entry, and echoes; the registry and the access contract know one patient.
fn query(
    contract: ContractId,
    entry: u8,
    input: &[u8],
    caller: Option<PrincipalId>,
) -> Result<QueryAnswer, QueryRefusal> {
    let output = match (contract, entry) {
        (ContractId::REGISTRY, registry::query::FIND_PATIENT) => {
            codec::encode(&(input == codec::encode(&address())).then_some(PrincipalId::new(7)))
        }
        (ContractId::ACCESS, access::query::RECORDS) => {
            codec::encode(&vec![(RecordNumber::new(1), record())])
        }
        (ContractId::ACCESS, access::query::POLICY_LIST) => codec::encode(&grants()),
        (ContractId::ACCESS, access::query::STANDING) => codec::encode(&Standing::Penalised {
            until_ms: u64::MAX,
            level: 2,
        }),
        (ContractId::ACCESS, _) => {
            return Err(QueryRefusal::Aborted {
                code: access::error::BAD_INPUT,
            });
        }
        (contract, 0) if contract.get() == 9 => {
            let mut output = input.to_vec();
            if let Some(caller) = caller {
                output.extend(caller.get().to_be_bytes());
            }
            output
        }
        (contract, 1) if contract.get() == 9 => return Err(QueryRefusal::Aborted { code: 300 }),
        (contract, 2) if contract.get() == 9 => return Err(QueryRefusal::Trapped { code: 4 }),
        (contract, 3) if contract.get() == 9 => return Err(QueryRefusal::OutOfGas),
        (contract, 4) if contract.get() == 9 => return Err(QueryRefusal::NotReady),
        _ => return Err(QueryRefusal::UnknownContract),
    };
    Ok(QueryAnswer {
        output,
        gas_used: Gas::new(77),
        height: Height::new(7),
        reads: None,
    })
}

fn record() -> Record {
    Record {
        digest: [1; 32],
        root: [2; 32],
        threshold: 2,
        pieces: 4,
        size_bucket: 60,
        class: RecordClass::Laboratory,
        author: PrincipalId::new(5),
        time_ms: 1_700_000_000_000,
    }
}

fn grants() -> Vec<GrantEntry> {
    let scopes = [
        Scope::All,
        Scope::Class(RecordClass::Imaging),
        Scope::Record(RecordNumber::new(3)),
    ];
    (0u32..)
        .zip(scopes)
        .map(|(number, scope)| GrantEntry {
            grantee: PrincipalId::new(5),
            number,
            grant: Grant {
                scope,
                purposes: Purposes::of(&[Purpose::Treatment, Purpose::Research]),
                until_ms: u64::MAX,
            },
        })
        .collect()
}

/// A log of three entries.
fn log(patient: PrincipalId, from: u64, limit: u16) -> Result<LogPage, ReadRefusal> {
    if patient.get() != 7 {
        return Err(ReadRefusal::SharesMissing { have: 0, need: 2 });
    }
    let last = from.saturating_add(u64::from(limit)).min(3);
    Ok(LogPage {
        entries: (from..last).map(log_entry).collect(),
        head: LogHead {
            count: 3,
            head: [6; 32],
        },
    })
}

/// Member 0 does as it is asked; the others refuse, each in its way.
fn piece_answer<T>(member: MemberId, good: T) -> Result<T, PieceRefusal> {
    match member.get() {
        0 => Ok(good),
        1 => Err(PieceRefusal::Unreachable),
        2 => Err(PieceRefusal::BadPiece),
        3 => Err(PieceRefusal::BadRequest),
        4 => Err(PieceRefusal::NoTicket),
        5 => Err(PieceRefusal::NotHeld),
        6 => Err(PieceRefusal::Full),
        _ => Err(PieceRefusal::UnknownMember(member)),
    }
}

/// One member, one that left, and one proposal of each kind.
pub(crate) fn membership() -> Membership {
    let (consensus, network) = (SecretKey::from_seed(&[11; 32]), SecretKey::from_seed(&[12; 32]));
    let keys = MemberKeys {
        consensus: consensus.public(),
        network: network.public(),
        release: [13; 32],
    };
    let admin = AdminKeys {
        signing: SecretKey::from_seed(&[14; 32]).public(),
        encryption: [15; 32],
    };
    let card = MemberCard {
        name: "Elm".into(),
        keys,
        admin,
        addresses: vec!["/ip4/192.0.2.9/tcp/8600".into()],
        proof: keys.prove("Elm", Some(&admin), (&consensus, &network), &chain()),
    };
    let proposal = |id, change, needed| OpenProposal {
        proposal: ChangeProposal {
            id: ProposalId::new(id),
            proposer: MemberId::new(2),
            change,
            expires: Height::new(100),
            approvals: vec![MemberId::new(1), MemberId::new(2)],
            ready: (needed == 2).then(|| Timestamp::new(5_000)),
        },
        needed,
    };
    let migrate = ContractChange::Migrate {
        contract: ContractId::new(3),
        code: CodeHashes {
            wasm: Hash::new([1; 32]),
            schema: None,
            manifest: Hash::new([2; 32]),
        },
        state_version: 2,
        argument: vec![9],
    };
    let present = member();
    let left = Member {
        id: MemberId::new(1),
        name: "Oak".into(),
        slot: Slot::new(1),
        ..present.member.clone()
    };
    Membership {
        members: vec![present],
        former: vec![FormerMember {
            member: left,
            removed: Height::new(5),
            serves_until: Timestamp::new(86_400_000),
        }],
        proposals: vec![
            proposal(3, Change::Member(MemberChange::Add(Box::new(card))), 3),
            proposal(4, Change::Member(MemberChange::Remove(MemberId::new(2))), 3),
            proposal(5, Change::Contract(migrate), 2),
        ],
    }
}

/// Contract 3 and its code are there; of other contracts' entries those with more than one byte of a key, as their own value.
fn state_entry(key: &StateKey) -> Option<Vec<u8>> {
    let info = contract_info();
    let code = StoredCode {
        length: info.code_length,
        schema: Some(Hash::new([2; 32])),
        origin: CodeOrigin::Approved {
            height: Height::new(5),
            manifest: Hash::new([3; 32]),
        },
    };
    match key {
        key if *key == ContractInfo::key(ContractId::new(3)) => Some(codec::encode(&info)),
        key if *key == StoredCode::key(&info.code_hash) => Some(codec::encode(&code)),
        key if key.as_bytes().starts_with(&[0; 4]) => None,
        key => (key.as_bytes().len() > 5).then(|| key.as_bytes().to_vec()),
    }
}

fn contract_info() -> ContractInfo {
    ContractInfo {
        code_hash: Hash::new([1; 32]),
        code_length: 12_000,
        state_version: 2,
        frozen: true,
        founder: Some(MemberId::new(1)),
    }
}

pub(crate) fn validators() -> ValidatorSet {
    ValidatorSet::new(vec![member().member.validator()]).unwrap()
}
