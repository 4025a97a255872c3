//! One person working with one validator: what the command line and the demo do, through the public interface alone.

use crate::clock::Clock;
use crate::remote::{Committed, Failure, Receipt, Remote, RemoteError};
use salus_client::record::{OpenedRecord, Seed};
use salus_client::{Download, Signer, Terms, Upload, UploadError, explain_status};
use salus_types::abi::access::{
    self, Decision, OpenTicket, Purpose, Record, RecordClass, RecordId, StoredReceipt,
};
use salus_types::abi::registry::{self, PatientAddress};
use salus_types::{
    ContractId, Gas, Height, MemberId, PrincipalId, RecordNumber, Sequence, Signature, SignedOpenRequest,
    Status, SystemCall, UnverifiedTransaction,
};
use serde_json::Value;
use std::sync::{Mutex as StdMutex, PoisonError};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

/// What a transaction may cost unless said otherwise.
const GAS_LIMIT: Gas = Gas::new(10_000_000);
/// What storing, instantiating or migrating a contract may cost: as much as a network usually allows.
const CONTRACT_GAS_LIMIT: Gas = Gas::new(20_000_000);
/// Transactions handed in at once.
const BATCH: usize = 250;
/// How long a ticket must last for another not to be asked for, in milliseconds.
const TICKET_REST_MS: u64 = 30_000;
/// How many heights a transaction stays valid.
const VALID_HEIGHTS: u64 = 1_000;

/// A person with keys, talking to a validator.
#[derive(Debug)]
pub struct Session {
    remote: Remote,
    signer: Signer,
    /// The sequence number of the next transaction, once known.
    next: Mutex<Option<Sequence>>,
    /// Signatures of everything that was sent.
    signatures: StdMutex<Vec<Signature>>,
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The validator did not do it.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// The transaction is in a block, but failed.
    #[error("the chain refused it: {message} ({code}); {hint}")]
    Failed {
        /// A stable code.
        code: String,
        /// What is wrong.
        message: String,
        /// What to do.
        hint: String,
    },
    /// The record could not be dispersed.
    #[error("{0}{1}")]
    Upload(UploadError, Complaints),
    /// Nobody is registered under this address.
    #[error("no patient is registered under this address")]
    UnknownPatient,
    /// There is no such record.
    #[error("the patient has no record {0}")]
    UnknownRecord(RecordNumber),
    /// The contract refused the request.
    #[error("{0}")]
    Denied(String),
    /// Too few members released their piece.
    #[error("the record can't be opened: {0}{1}")]
    NotReleased(String, Complaints),
}

/// What single members had to say, for an error message.
#[derive(Debug, Default)]
pub struct Complaints(Vec<(MemberId, String)>);

impl std::fmt::Display for Complaints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0
            .iter()
            .try_for_each(|(member, complaint)| write!(f, "\n  member {}: {complaint}", member.get()))
    }
}

/// A decision, with where it stands in the chain.
#[derive(Clone, Copy, Debug)]
pub struct Decided {
    /// The answer.
    pub decision: Decision,
    /// The block that holds it.
    pub height: Height,
}

impl Session {
    /// A session of `signer` at a validator.
    pub fn new(remote: Remote, signer: Signer) -> Self {
        Self {
            remote,
            signer,
            next: Mutex::new(None),
            signatures: StdMutex::default(),
        }
    }

    /// Who acts.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// The validator.
    pub fn remote(&self) -> &Remote {
        &self.remote
    }

    /// Talks to another validator from now on: the one before may be down.
    pub fn move_to(&mut self, remote: Remote) {
        self.remote = remote;
    }

    /// Signs a transaction, hands it in and waits until it is in a block, whatever became of it.
    ///
    /// # Errors
    ///
    /// Among others [`RemoteError::StandsStill`], when no block came for as long as the [`Remote`] is patient; the
    /// transaction may be executed all the same.
    pub async fn send(
        &self,
        build: impl Fn(&Signer, Terms) -> UnverifiedTransaction,
    ) -> Result<Committed, SessionError> {
        let mut next = self.next.lock().await;
        let sequence = match *next {
            Some(sequence) => sequence,
            None => self.remote.next_sequence(self.signer.principal()).await?,
        };
        let height = self.remote.status().await?.height;
        let terms = Terms {
            sequence,
            expires: Height::new(height + VALID_HEIGHTS),
            gas_limit: GAS_LIMIT,
        };
        let transaction = build(&self.signer, terms);
        self.note_signature(&transaction);
        let sent = self
            .remote
            .submit_and_wait(self.signer.chain(), &transaction)
            .await;
        // After a failure the sequence is asked for anew: it may or may not have been used.
        *next = sent.is_ok().then(|| sequence.saturating_add(1));
        Ok(sent?)
    }

    /// Sends many transactions at once, one behind the other, and waits until the last is in a block.
    pub async fn send_many(
        &self,
        count: usize,
        build: impl Fn(&Signer, Terms) -> UnverifiedTransaction,
    ) -> Result<Committed, SessionError> {
        let mut next = self.next.lock().await;
        let mut sequence = match next.take() {
            Some(sequence) => sequence,
            None => self.remote.next_sequence(self.signer.principal()).await?,
        };
        let expires = Height::new(self.remote.status().await?.height + VALID_HEIGHTS);
        let mut transactions = Vec::with_capacity(count);
        for _ in 0..count {
            let transaction = build(
                &self.signer,
                Terms {
                    sequence,
                    expires,
                    gas_limit: GAS_LIMIT,
                },
            );
            self.note_signature(&transaction);
            transactions.push(transaction);
            sequence = sequence.saturating_add(1);
        }
        let (chain, last) = (self.signer.chain(), transactions.pop());
        for batch in transactions.chunks(BATCH) {
            self.remote.submit_batch(chain, batch).await?;
        }
        let last = last.ok_or_else(|| RemoteError::Garbled("there is nothing to send".into()))?;
        let committed = self.remote.submit_and_wait(chain, &last).await?;
        *next = Some(sequence);
        Ok(committed)
    }

    fn note_signature(&self, transaction: &UnverifiedTransaction) {
        self.signatures
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(transaction.signature);
    }

    /// Signatures of everything that was sent here.
    pub fn signatures(&self) -> Vec<[u8; 64]> {
        let signatures = self.signatures.lock().unwrap_or_else(PoisonError::into_inner);
        signatures.iter().map(|signature| *signature.as_bytes()).collect()
    }

    /// As [`Self::send`], and the transaction must succeed.
    pub async fn send_successfully(
        &self,
        build: impl Fn(&Signer, Terms) -> UnverifiedTransaction,
    ) -> Result<(Receipt, Height), SessionError> {
        settled(self.send(build).await?, |failure| failure.message.clone())
    }

    /// Makes a system call; an error if the chain refuses it.
    pub async fn system(&self, call: SystemCall) -> Result<(Receipt, Height), SessionError> {
        let gas_limit = match call {
            SystemCall::Contract(_) => CONTRACT_GAS_LIMIT,
            _ => GAS_LIMIT,
        };
        let sent = self
            .send(|signer, terms| signer.system(call.clone(), Terms { gas_limit, ..terms }))
            .await?;
        // A receipt does not say what was called, so the validator can't tell what the code of a refusal means.
        settled(sent, |failure| match failure.detail {
            Some(code) if failure.code == "contract_refused" => {
                explain_status(ContractId::SYSTEM, Status::Aborted { code })
            }
            _ => failure.message.clone(),
        })
    }

    /// The hospital that registered whoever acts.
    pub async fn organisation(&self) -> Result<MemberId, SessionError> {
        #[derive(serde::Deserialize)]
        struct Answer {
            organisation: u16,
        }
        let path = format!("/v1/principals/{}", self.signer.principal().get());
        let answer: Answer = self.remote.get(&path).await?;
        Ok(MemberId::new(answer.organisation))
    }

    /// The principal number of a patient address.
    pub async fn find_patient(&self, address: &PatientAddress) -> Result<PrincipalId, SessionError> {
        let found: Option<PrincipalId> = self
            .remote
            .query(ContractId::REGISTRY, registry::query::FIND_PATIENT, address)
            .await?;
        found.ok_or(SessionError::UnknownPatient)
    }

    /// Seals a content, disperses it to the members, and puts it on the chain once enough of them have it durably.
    pub async fn put_record(
        &self,
        patient: PrincipalId,
        class: RecordClass,
        content: &[u8],
    ) -> Result<RecordNumber, SessionError> {
        let members = self.remote.members().await?;
        let seed = Seed::new(crate::random_bytes());
        let mut upload = Upload::seal(&self.signer, patient, class, content, &members, None, seed)
            .map_err(|error| SessionError::Upload(error, Complaints::default()))?;
        let mut stores = JoinSet::new();
        for piece in upload.outstanding() {
            let (remote, member, bytes) = (self.remote.clone(), piece.member, piece.encode());
            stores.spawn(async move { (member, remote.store_piece(member, bytes).await) });
        }
        let mut complaints = Complaints::default();
        while let Some(Ok((member, stored))) = stores.join_next().await {
            let accepted = match stored {
                Ok(signature) => upload
                    .accept(StoredReceipt { member, signature })
                    .map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            if let Err(complaint) = accepted {
                complaints.0.push((member, complaint));
            }
        }
        let record = upload
            .finish()
            .map_err(|error| SessionError::Upload(error, complaints))?;
        let (receipt, _) = self
            .send_successfully(|signer, terms| signer.add_record(&record, terms))
            .await?;
        Ok(receipt.output()?)
    }

    /// What it takes to have blocks opened: nothing where the members' word is enough, and else a ticket, which this gets
    /// if there is none that lasts, and the signed wish that the validator spoken to opens them.
    pub async fn open_wish(
        &self,
        from: Height,
        to: Height,
        purpose: Purpose,
    ) -> Result<Option<SignedOpenRequest>, SessionError> {
        let status = self.remote.status().await?;
        if status.open_policy != "ticket" {
            return Ok(None);
        }
        let now = Clock::start().wall();
        let ticket: Option<OpenTicket> = self
            .remote
            .query(
                ContractId::ACCESS,
                access::query::OPEN_TICKET,
                &self.signer.principal(),
            )
            .await?;
        let lasts = |ticket: &OpenTicket| {
            ticket.from <= from.get()
                && to.get() <= ticket.to
                && ticket.until_ms > now.saturating_add(TICKET_REST_MS).get()
        };
        if !ticket.as_ref().is_some_and(lasts) {
            self.send_successfully(|signer, terms| signer.open_blocks(from, to, purpose, terms))
                .await?;
        }
        let recipient = MemberId::new(status.member);
        Ok(Some(self.signer.open_request(
            from,
            to,
            recipient,
            Clock::start().wall(),
        )))
    }

    /// Has a block opened, with a ticket where the network asks for one.
    pub async fn open_block(&self, height: Height, purpose: Purpose) -> Result<Value, SessionError> {
        match self.open_wish(height, height, purpose).await? {
            Some(wish) => Ok(self.remote.open_body(height, &wish).await?),
            None => Ok(self.remote.body(height).await?),
        }
    }

    /// Asks the access contract for a record. A refusal is an answer, and logged like a permit.
    pub async fn retrieve(
        &self,
        patient: PrincipalId,
        record: RecordNumber,
        purpose: Purpose,
        emergency: bool,
    ) -> Result<Decided, SessionError> {
        let (receipt, height) = self
            .send_successfully(|signer, terms| signer.retrieve(patient, record, purpose, emergency, terms))
            .await?;
        Ok(Decided {
            decision: receipt.output()?,
            height,
        })
    }

    /// With a ticket: asks all members for their pieces and opens the record here.
    pub async fn open_record(
        &self,
        patient: PrincipalId,
        record: RecordNumber,
    ) -> Result<OpenedRecord, SessionError> {
        let id = RecordId { patient, record };
        let on_chain: Option<Record> = self
            .remote
            .query(ContractId::ACCESS, access::query::RECORD, &id)
            .await?;
        let on_chain = on_chain.ok_or(SessionError::UnknownRecord(record))?;
        let mut download = Download::new(&self.signer, patient, record, on_chain, Clock::start().wall());
        let request = download.request().encode();
        let mut answers = JoinSet::new();
        for member in self.remote.members().await? {
            let (remote, request) = (self.remote.clone(), request.clone());
            answers.spawn(async move { (member.id, remote.read_piece(member.id, request).await) });
        }
        let mut complaints = Complaints::default();
        while let Some(Ok((member, answer))) = answers.join_next().await {
            let accepted = match answer {
                Ok(bytes) => download
                    .accept(member, &bytes)
                    .map(drop)
                    .map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            if let Err(complaint) = accepted {
                complaints.0.push((member, complaint));
            }
        }
        download
            .open()
            .map_err(|error| SessionError::NotReleased(error.to_string(), complaints))
    }

    /// Asks, and opens the record if the answer is a permit.
    pub async fn get_record(
        &self,
        patient: PrincipalId,
        record: RecordNumber,
        purpose: Purpose,
        emergency: bool,
    ) -> Result<(Decided, OpenedRecord), SessionError> {
        let decided = self.retrieve(patient, record, purpose, emergency).await?;
        match decided.decision {
            Decision::Permit { .. } => Ok((decided, self.open_record(patient, record).await?)),
            Decision::Deny { .. } => Err(SessionError::Denied(salus_client::explain(&decided.decision))),
        }
    }
}

/// The receipt of a transaction that succeeded, or why it failed, in the given words.
fn settled(
    committed: Committed,
    message: impl FnOnce(&Failure) -> String,
) -> Result<(Receipt, Height), SessionError> {
    let height = Height::new(committed.height.unwrap_or_default());
    let receipt = committed
        .receipt
        .ok_or_else(|| RemoteError::Garbled("a block without receipt".into()))?;
    match receipt.failure.clone() {
        None => Ok((receipt, height)),
        Some(failure) => Err(SessionError::Failed {
            message: message(&failure),
            code: failure.code,
            hint: failure.hint,
        }),
    }
}
