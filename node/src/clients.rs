//! Answers what clients ask through the API.
//!
//! What can be answered at once is worked off by a pool of threads ([`ClientDesk::answer`]); what waits for other
//! members is a task ([`ClientDesk::fetch`]), so that waiting clients never hold up quick answers.

mod blocks;
mod records;

use crate::admission::admit;
use crate::archivist;
use crate::chain;
use crate::courier::Courier;
use crate::in_force::InForce;
use crate::query;
use crate::recent::CommittedBlock;
use crate::view::{OUTBOX_MAX, View};
use salus_api::{
    BlockHead, DepositStatus, MemberFaults, MemberStatus, Membership, NodeStatus, OpenProposal,
    PrincipalState, Rejection, Request, StateAnswer, StorageStatus,
};
use salus_execution::{Faults, approvals_needed, members};
use salus_types::state::{StateFault, StateKey};
use salus_types::{
    BlockId, ChangeProposal, Hash, Height, MemberId, PrincipalId, Timestamp, TransactionId,
    UnverifiedTransaction, ValidatorSet, codec,
};
use std::collections::VecDeque;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex};

/// Works off clients' requests.
pub(crate) struct ClientDesk {
    view: Arc<View>,
    courier: Arc<Courier>,
    chain: SyncSender<chain::Event>,
    archive: SyncSender<archivist::Event>,
    /// Blocks that were opened lately.
    opened: Mutex<VecDeque<Arc<CommittedBlock>>>,
}

impl ClientDesk {
    pub(crate) fn new(
        view: Arc<View>,
        courier: Arc<Courier>,
        chain: SyncSender<chain::Event>,
        archive: SyncSender<archivist::Event>,
    ) -> Self {
        Self {
            view,
            courier,
            chain,
            archive,
            opened: Mutex::default(),
        }
    }

    /// Whether a request waits for other members.
    pub(crate) fn waits(request: &Request) -> bool {
        matches!(
            request,
            Request::Transaction { .. }
                | Request::Body { .. }
                | Request::ShareHolders { .. }
                | Request::AccessLog { .. }
                | Request::StorePiece { .. }
                | Request::ReadPiece { .. }
        )
    }

    /// Answers a request that needs nobody else. A reply that nobody waits for any more is dropped.
    pub(crate) fn answer(&self, request: Request) {
        match request {
            Request::Submit { transaction, reply } => {
                deliver(reply, self.submit(transaction));
                self.wake_chain();
            }
            Request::SubmitBatch { transactions, reply } => {
                let results = transactions
                    .into_iter()
                    .map(|transaction| self.submit(transaction))
                    .collect();
                deliver(reply, results);
                self.wake_chain();
            }
            Request::WaitCommitted { id, reply } => {
                let _ = self.chain.try_send(chain::Event::Wait { id, reply });
            }
            Request::Status { reply } => deliver(reply, self.status()),
            Request::Releases { reply } => deliver(reply, self.view.releases.log()),
            Request::Members { reply } => answer_or_log(reply, self.membership()),
            Request::Validators { height, reply } => answer_or_log(reply, self.validators(height)),
            Request::Headers { from, limit, reply } => answer_or_log(reply, self.headers(from, limit)),
            Request::Block { height, reply } => answer_or_log(reply, self.block(height)),
            Request::Query {
                contract,
                entry,
                input,
                caller,
                proof,
                reply,
            } => {
                let ask = if proof { query::proven } else { query::contract };
                deliver(reply, ask(&self.view, contract, entry, &input, caller));
            }
            Request::Contracts { above, limit, reply } => {
                let view = &self.view;
                let contracts = view.executor.contracts(&view.index, above, usize::from(limit));
                answer_or_log(reply, contracts.map_err(text));
            }
            Request::State { key, proof, reply } => answer_or_log(reply, self.state(&key, proof)),
            Request::Principal { principal, reply } => answer_or_log(reply, self.principal(principal)),
            other => {
                tracing::error!(request = ?other, "a request that waits for others came to the wrong desk")
            }
        }
    }

    fn submit(&self, transaction: UnverifiedTransaction) -> Result<TransactionId, Rejection> {
        if self.view.outbox().len() >= OUTBOX_MAX {
            return Err(Rejection::PoolFull);
        }
        let id = admit(&self.view, transaction.clone())?;
        self.view.outbox().push(transaction);
        Ok(id)
    }

    fn wake_chain(&self) {
        let _ = self.chain.try_send(chain::Event::Work); // a full inbox means that it works already
    }

    fn status(&self) -> NodeStatus {
        let view = &self.view;
        let tip = view.index.tip();
        let height = tip.map_or(Height::ZERO, |tip| tip.height);
        let header = view.index.header(height).ok().flatten();
        let in_force = InForce::read(&view.executor, &view.index, height).ok();
        let connected = self
            .courier
            .net()
            .peers()
            .iter()
            .filter(|peer| peer.connected)
            .count();
        let small = |count: usize| u16::try_from(count).unwrap_or(u16::MAX);
        let deposits = view.deposits.usage();
        NodeStatus {
            height,
            block: tip.map_or(BlockId::new(Hash::ZERO), |tip| tip.id),
            block_time: header.map_or(Timestamp::ZERO, |header| header.time),
            validators: in_force
                .as_ref()
                .map_or(0, |rules| small(rules.validators.count())),
            threshold: in_force.map_or(0, |rules| rules.threshold),
            ticket_to_open: view.releases.needs_ticket(),
            peers: small(connected),
            mempool: u32::try_from(view.pool().len()).unwrap_or(u32::MAX),
            catching_up: view.progress.is_catching_up(height),
            repair: view.progress.repair(),
            scrub: view.progress.scrub(),
            sync: view.progress.sync(),
            unread: view.progress.unread(),
            deposits: DepositStatus {
                held: deposits.count,
                bytes: deposits.bytes,
                oldest: deposits.oldest,
            },
            reseal: view.executor.reseal_job(&view.index).ok().flatten(),
            storage: StorageStatus {
                shares_bytes: view.shares.bytes(),
                index_bytes: view.index.bytes().unwrap_or(0),
                wal_bytes: view.progress.wal_bytes(),
                pieces_bytes: view.pieces.bytes(),
                full_replication_bytes: view.progress.bodies(),
            },
        }
    }

    fn membership(&self) -> Result<Membership, String> {
        let view = &self.view;
        let peers = self.courier.net().peers();
        let validators = InForce::read(&view.executor, &view.index, view.tip())
            .map_err(text)?
            .validators;
        let members = view.executor.members(&view.index).map_err(text)?;
        let status = |member: salus_types::Member| {
            let linked = peers
                .iter()
                .any(|peer| peer.member == member.id && peer.connected);
            Ok::<_, String>(MemberStatus {
                validating: validators.get(member.id).is_some(),
                connected: linked || member.id == view.me,
                faults: self.faults(member.id)?,
                member,
            })
        };
        let tip = view.tip();
        let mut proposals = members::proposals(&view.index).map_err(text)?;
        proposals.retain(|proposal| proposal.expires > tip || proposal.ready.is_some());
        let open = |proposal: ChangeProposal| {
            let needed = approvals_needed(&view.index, &members, &proposal.change).map_err(text)?;
            let needed = u16::try_from(needed).unwrap_or(u16::MAX);
            Ok::<_, String>(OpenProposal { proposal, needed })
        };
        let proposals = proposals.into_iter().map(open).collect::<Result<_, String>>()?;
        Ok(Membership {
            members: members.into_iter().map(status).collect::<Result<_, String>>()?,
            former: members::former_members(&view.index).map_err(text)?,
            proposals,
        })
    }

    fn validators(&self, height: Height) -> Result<Option<ValidatorSet>, String> {
        if height > self.view.tip().saturating_add(2) {
            return Ok(None);
        }
        let view = &self.view;
        view.executor.validators_at(&view.index, height).map_err(text)
    }

    fn faults(&self, member: MemberId) -> Result<MemberFaults, String> {
        let Faults {
            double_votes,
            wrong_shares,
        } = self
            .view
            .executor
            .faults(&self.view.index, member)
            .map_err(text)?;
        Ok(MemberFaults {
            double_votes: double_votes.count(),
            wrong_shares: wrong_shares.count(),
            latest: double_votes.latest().max(wrong_shares.latest()),
        })
    }

    fn headers(&self, from: Option<Height>, limit: u16) -> Result<Vec<salus_types::Header>, String> {
        let first =
            from.unwrap_or_else(|| self.view.tip().saturating_sub(u64::from(limit).saturating_sub(1)));
        let headers = self.view.index.headers(first, usize::from(limit)).map_err(text)?;
        Ok(headers.into_iter().map(|(_, header)| header).collect())
    }

    fn block(&self, height: Height) -> Result<Option<BlockHead>, String> {
        let Some(header) = self.view.index.header(height).map_err(text)? else {
            return Ok(None);
        };
        let certificate = self.view.index.certificate(height).map_err(text)?;
        let resealed = self.view.resealed(height).map_err(text)?;
        Ok(Some(BlockHead {
            header,
            certificate,
            resealed,
        }))
    }

    fn state(&self, key: &StateKey, proof: bool) -> Result<StateAnswer, String> {
        let state = self.view.index.view();
        let height = state.height().unwrap_or(Height::ZERO);
        let value = salus_types::state::StateReader::get(&state, key).map_err(text)?;
        let proof = proof
            .then(|| {
                self.view
                    .executor
                    .prove(&state, key)
                    .map(|proof| codec::encode(&proof))
            })
            .transpose()
            .map_err(text)?;
        Ok(StateAnswer { value, proof, height })
    }

    fn principal(&self, principal: PrincipalId) -> Result<Option<PrincipalState>, String> {
        let view = &self.view;
        let read = || -> Result<_, StateFault> {
            let Some(found) = view.executor.sender(&view.index, principal)? else {
                return Ok(None);
            };
            let next_sequence = view.executor.next_sequence(&view.index, principal)?;
            Ok(Some(PrincipalState {
                principal: found,
                next_sequence,
            }))
        };
        read().map_err(text)
    }
}

fn text(error: impl ToString) -> String {
    error.to_string()
}

/// Sends an answer to a client, which may have left.
fn deliver<T>(reply: salus_api::Reply<T>, answer: T) {
    let _ = reply.send(answer);
}

/// Sends an answer; a fault of this node's own is logged, and the client learns that there is no answer.
fn answer_or_log<T>(reply: salus_api::Reply<T>, answer: Result<T, String>) {
    match answer {
        Ok(answer) => deliver(reply, answer),
        Err(error) => tracing::error!(error, "a request could not be answered"),
    }
}
