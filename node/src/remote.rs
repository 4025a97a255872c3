//! A validator seen from outside, through its public HTTP interface: what the command line, the demo and the
//! benches use. It knows nothing of a node's inside.

use crate::clock::Clock;
use data_encoding::{BASE64, HEXLOWER};
use salus_types::codec::{self, Decode, Encode};
use salus_types::{
    ChainId, ContractId, Height, Member, MemberId, PrincipalId, PublicKey, Sequence, SignedOpenRequest, Slot,
    TransactionId, UnverifiedTransaction,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::time::Duration;

/// How long the chain may stand still before who waits for a transaction is told.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a transaction that is not in a block yet is looked for.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// A validator's public interface.
#[derive(Clone, Debug)]
pub struct Remote {
    base: String,
    http: reqwest::Client,
    patience: Duration,
}

/// Why a validator did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// Nobody answers.
    #[error("no validator answers at {base}: {reason}")]
    Unreachable {
        /// Where it was expected.
        base: String,
        /// What went wrong.
        reason: String,
    },
    /// It said no.
    #[error("{message} ({code}); {hint}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// A stable code.
        code: String,
        /// What is wrong.
        message: String,
        /// What to do.
        hint: String,
    },
    /// No block comes any more, so neither does the one that would hold the transaction.
    #[error(
        "the chain has stood still at height {height} for {} s, as seen by a validator with {peers} peers: too few members' \
         validators run or reach one another. Transaction {id} was accepted and may still be executed: look for it before \
         sending it again", .waited.as_secs()
    )]
    StandsStill {
        /// Of the last block.
        height: u64,
        /// Other validators that the one spoken to is connected to.
        peers: u16,
        /// For how long no block came.
        waited: Duration,
        /// What was waited for.
        id: String,
    },
    /// The answer makes no sense.
    #[error("the validator's answer makes no sense: {0}")]
    Garbled(String),
}

impl RemoteError {
    /// The stable code of a refusal; empty otherwise.
    pub fn code(&self) -> &str {
        match self {
            Self::Refused { code, .. } => code,
            Self::Unreachable { .. } | Self::StandsStill { .. } | Self::Garbled(_) => "",
        }
    }
}

/// How a validator is.
#[derive(Clone, Debug, Deserialize)]
pub struct Status {
    /// The network's id.
    pub chain: String,
    /// The network's name.
    pub name: String,
    /// Whose validator it is.
    pub member: u16,
    /// Its version.
    pub version: String,
    /// The last committed height.
    pub height: u64,
    /// Its block's id.
    pub block_id: String,
    /// Its time, milliseconds since 1970.
    pub block_time_ms: u64,
    /// n.
    pub validators: u16,
    /// k.
    pub threshold: u16,
    /// Who may have blocks opened: `members` or `ticket`.
    pub open_policy: String,
    /// Other validators it is connected to.
    pub peers: u16,
    /// Transactions waiting.
    pub mempool: u32,
    /// Whether it is behind its peers.
    pub catching_up: bool,
    /// Repair of its own shares.
    pub repair: RepairStatus,
    /// The rolling check of its own shares.
    pub scrub: ScrubStatus,
    /// How it comes forward when it is behind.
    pub sync: SyncStatus,
    /// Blocks that a snapshot skipped and that were not opened yet to see what is in them.
    pub unread_blocks: u64,
    /// What it keeps for other members.
    pub deposits: Deposits,
    /// The latest reseal of old blocks, under way or done.
    pub reseal: Option<ResealStatus>,
    /// What it keeps.
    pub storage: Storage,
}

/// Repair of a validator's own shares.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct RepairStatus {
    /// Shares it still misses.
    pub missing: u64,
    /// How many of these come first.
    pub urgent: u64,
    /// Shares it rebuilt since it was started.
    pub repaired: u64,
    /// Tries that came to nothing for now.
    pub failed: RepairFailures,
    /// How long the missing ones take at the present speed, in milliseconds.
    pub estimate_ms: Option<u64>,
}

/// Tries to repair a share that came to nothing for now.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct RepairFailures {
    /// The block's header is not there.
    pub no_header: u64,
    /// Too few members gave their share.
    pub too_few_shares: u64,
    /// The shares did not open the block.
    pub unopenable: u64,
}

/// The rolling check of a validator's own shares.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct ScrubStatus {
    /// Bytes it reads in a second, at most.
    pub bytes_per_second: u64,
    /// The pass under way.
    pub current: ScrubPass,
    /// The last height it has checked.
    pub height: u64,
    /// The last pass over all shares.
    pub last: Option<ScrubPass>,
    /// Damaged shares found since it was started.
    pub damaged: u64,
}

/// One pass over all shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct ScrubPass {
    /// When it began, milliseconds since 1970.
    pub started_ms: u64,
    /// When it ended; 0 while it is under way.
    pub finished_ms: u64,
    /// Shares read.
    pub checked: u64,
    /// Of these, damaged.
    pub damaged: u64,
    /// Of these, rebuilt since.
    pub repaired: u64,
}

/// How a validator comes forward that is behind, or that misses own shares.
#[derive(Clone, Debug, Deserialize)]
pub struct SyncStatus {
    /// `in_step`; `headers`, counted in headers; `snapshot`, in bytes; `blocks`; `repair`, in blocks.
    pub phase: String,
    /// How much of it is done.
    pub done: u64,
    /// How much there is to do.
    pub total: u64,
    /// How much was done in a second, lately.
    pub per_second: f64,
    /// How many seconds it takes at that rate.
    pub eta_seconds: Option<u64>,
}

/// What a validator keeps for others until enough of them hold their shares; only where k > n - 2f.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Deposits {
    /// Blocks.
    pub held: u64,
    /// Their bytes on disk.
    pub bytes: u64,
    /// The lowest of their heights, if there is one.
    pub oldest: Option<u64>,
}

/// A range of old blocks that the network deals anew.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct ResealStatus {
    /// The first block.
    pub from: u64,
    /// The last block.
    pub to: u64,
    /// How many are done.
    pub done: u64,
    /// How many there are.
    pub total: u64,
}

impl ResealStatus {
    /// Whether blocks are left to be dealt anew.
    pub fn is_open(&self) -> bool {
        self.done < self.total
    }
}

/// What a validator keeps on disk, in bytes.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Storage {
    /// Shares of blocks.
    pub shares_bytes: u64,
    /// Headers, state and indexes.
    pub index_bytes: u64,
    /// Consensus write-ahead log.
    pub wal_bytes: u64,
    /// Pieces of health records.
    pub pieces_bytes: u64,
    /// What all bodies would take if they were kept whole.
    pub full_replication_bytes: u64,
}

/// A transaction in a block.
#[derive(Clone, Debug, Deserialize)]
pub struct Committed {
    /// The transaction's id.
    pub id: String,
    /// `pending`, `committed` or `unknown`.
    pub state: String,
    /// In which block.
    pub height: Option<u64>,
    /// At which position.
    pub index: Option<u32>,
    /// What it did.
    pub receipt: Option<Receipt>,
}

/// What a transaction did.
#[derive(Clone, Debug, Deserialize)]
pub struct Receipt {
    /// Whether it did what it says.
    pub success: bool,
    /// Why not.
    pub failure: Option<Failure>,
    /// What it cost.
    pub gas_used: u64,
    output: String,
}

/// Why a transaction failed.
#[derive(Clone, Debug, Deserialize)]
pub struct Failure {
    /// A stable code.
    pub code: String,
    /// The contract's own error code, or the trap's.
    pub detail: Option<u16>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl Receipt {
    /// What the entry returned.
    pub fn output<T: Encode + Decode<()>>(&self) -> Result<T, RemoteError> {
        decode(&self.output)
    }

    /// The same as bytes.
    pub fn output_bytes(&self) -> Result<Vec<u8>, RemoteError> {
        BASE64.decode(self.output.as_bytes()).map_err(garbled)
    }
}

#[derive(Deserialize)]
struct Refusal {
    code: String,
    message: String,
    hint: String,
}

fn garbled(error: impl ToString) -> RemoteError {
    RemoteError::Garbled(error.to_string())
}

fn decode<T: Encode + Decode<()>>(base64: &str) -> Result<T, RemoteError> {
    let bytes = BASE64.decode(base64.as_bytes()).map_err(garbled)?;
    codec::decode(&bytes, 1 << 20).map_err(garbled)
}

impl Remote {
    /// The validator at a base address such as `http://127.0.0.1:8700`.
    pub fn new(base: &str) -> Result<Self, RemoteError> {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(60))
            .build()
            .map_err(garbled)?;
        Ok(Self {
            base: base.trim_end_matches('/').to_owned(),
            http,
            patience: PATIENCE,
        })
    }

    /// The same, for who gives up sooner, or later, while the chain stands still.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Its base address.
    pub fn base(&self) -> &str {
        &self.base
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Vec<u8>, RemoteError> {
        let lost = |error: reqwest::Error| RemoteError::Unreachable {
            base: self.base.clone(),
            reason: error.without_url().to_string(),
        };
        let response = request.send().await.map_err(lost)?;
        let status = response.status();
        let body = response.bytes().await.map_err(lost)?;
        if status.is_success() {
            return Ok(body.into());
        }
        let refusal: Refusal =
            serde_json::from_slice(&body).map_err(|_| garbled(format!("HTTP status {status}")))?;
        let Refusal { code, message, hint } = refusal;
        Err(RemoteError::Refused {
            status: status.as_u16(),
            code,
            message,
            hint,
        })
    }

    /// A JSON answer to a GET.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, RemoteError> {
        let body = self.send(self.http.get(format!("{}{path}", self.base))).await?;
        serde_json::from_slice(&body).map_err(garbled)
    }

    /// A JSON answer to a GET that may have blocks opened, for whoever signed the wish.
    pub async fn get_opened<T: DeserializeOwned>(
        &self,
        path: &str,
        wish: Option<&SignedOpenRequest>,
    ) -> Result<T, RemoteError> {
        let mut request = self.http.get(format!("{}{path}", self.base));
        if let Some(wish) = wish {
            request = request.header("Salus-Open", BASE64.encode(&codec::encode(wish)));
        }
        serde_json::from_slice(&self.send(request).await?).map_err(garbled)
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, content: &Value) -> Result<T, RemoteError> {
        let body = self
            .send(self.http.post(format!("{}{path}", self.base)).json(content))
            .await?;
        serde_json::from_slice(&body).map_err(garbled)
    }

    /// The text of the Prometheus metrics.
    pub async fn metrics(&self) -> Result<String, RemoteError> {
        let body = self.send(self.http.get(format!("{}/metrics", self.base))).await?;
        String::from_utf8(body).map_err(garbled)
    }

    /// How it is.
    pub async fn status(&self) -> Result<Status, RemoteError> {
        self.get("/v1/status").await
    }

    /// The network's id.
    pub async fn chain(&self) -> Result<ChainId, RemoteError> {
        self.status().await?.chain.parse().map_err(garbled)
    }

    /// The members of the network.
    pub async fn members(&self) -> Result<Vec<Member>, RemoteError> {
        #[derive(Deserialize)]
        struct Answer {
            members: Vec<Row>,
        }
        #[derive(Deserialize)]
        struct Row {
            id: u16,
            name: String,
            consensus_key: String,
            network_key: String,
            release_key: String,
            slot: u16,
            addresses: Vec<String>,
        }
        let key = |text: &str| -> Result<[u8; 32], RemoteError> {
            let bytes = HEXLOWER.decode(text.as_bytes()).map_err(garbled)?;
            bytes
                .try_into()
                .map_err(|_| garbled("a key is not 32 bytes long"))
        };
        let answer: Answer = self.get("/v1/members").await?;
        let member = |row: Row| {
            Ok(Member {
                id: MemberId::new(row.id),
                name: row.name,
                consensus_key: PublicKey::new(key(&row.consensus_key)?),
                network_key: PublicKey::new(key(&row.network_key)?),
                release_key: key(&row.release_key)?,
                slot: Slot::new(row.slot),
                addresses: row.addresses,
            })
        };
        answer.members.into_iter().map(member).collect()
    }

    /// The sequence number a principal's next transaction carries.
    pub async fn next_sequence(&self, principal: PrincipalId) -> Result<Sequence, RemoteError> {
        #[derive(Deserialize)]
        struct Answer {
            next_sequence: u64,
        }
        let answer: Answer = self.get(&format!("/v1/principals/{}", principal.get())).await?;
        Ok(Sequence::new(answer.next_sequence))
    }

    /// Asks a contract.
    pub async fn query<T: Encode + Decode<()>>(
        &self,
        contract: ContractId,
        entry: u8,
        input: &impl Encode,
    ) -> Result<T, RemoteError> {
        let answer = self.ask(contract.get(), entry, &codec::encode(input)).await?;
        decode(answer["output"].as_str().unwrap_or_default())
    }

    /// The same with an encoded argument, for the whole answer.
    pub async fn ask(&self, contract: u32, entry: u8, input: &[u8]) -> Result<Value, RemoteError> {
        let input = BASE64.encode(input);
        self.post(
            "/v1/query",
            &json!({ "contract": contract, "entry": entry, "input": input }),
        )
        .await
    }

    /// Hands in a transaction; it is in the pool when this returns.
    pub async fn submit(
        &self,
        chain: &ChainId,
        transaction: &UnverifiedTransaction,
    ) -> Result<TransactionId, RemoteError> {
        #[derive(Deserialize)]
        struct Answer {
            id: String,
        }
        let answer: Answer = self
            .post("/v1/transactions", &submission(chain, transaction))
            .await?;
        answer.id.parse().map_err(garbled)
    }

    /// Hands in up to 256 transactions at once; the first one that is refused is the error.
    pub async fn submit_batch(
        &self,
        chain: &ChainId,
        transactions: &[UnverifiedTransaction],
    ) -> Result<(), RemoteError> {
        #[derive(Deserialize)]
        struct Answer {
            results: Vec<Outcome>,
        }
        #[derive(Deserialize)]
        struct Outcome {
            error: Option<Refusal>,
        }
        let encoded: Vec<String> = transactions
            .iter()
            .map(|one| BASE64.encode(&codec::encode(one)))
            .collect();
        let batch = json!({ "chain_id": chain.to_string(), "transactions": encoded });
        let answer: Answer = self.post("/v1/transactions/batch", &batch).await?;
        match answer.results.into_iter().find_map(|outcome| outcome.error) {
            Some(Refusal { code, message, hint }) => Err(RemoteError::Refused {
                status: 200,
                code,
                message,
                hint,
            }),
            None => Ok(()),
        }
    }

    /// Hands in a transaction and waits until it is in a block: as long as blocks come, since it is in one of them or expires,
    /// and no longer than the patience of this where none comes.
    pub async fn submit_and_wait(
        &self,
        chain: &ChainId,
        transaction: &UnverifiedTransaction,
    ) -> Result<Committed, RemoteError> {
        let clock = Clock::start();
        let (mut height, mut grown_at) = (None, clock.elapsed());
        let submission = submission(chain, transaction);
        let submitted = self.post("/v1/transactions?wait=commit", &submission);
        let mut answer: Committed = match tokio::time::timeout(self.patience, submitted).await {
            Ok(answer) => answer?,
            Err(_) => self.transaction(&transaction.payload.id(chain)).await?,
        };
        while answer.receipt.is_none() {
            if answer.state == "unknown" {
                return Err(garbled(
                    "the transaction left the pool without being executed: sign it again",
                ));
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
            answer = self.get(&format!("/v1/transactions/{}", answer.id)).await?;
            let status = self.status().await?;
            if height
                .replace(status.height)
                .is_some_and(|before| before != status.height)
            {
                grown_at = clock.elapsed();
            }
            let waited = clock.elapsed().saturating_sub(grown_at);
            if answer.receipt.is_none() && waited >= self.patience {
                return Err(RemoteError::StandsStill {
                    height: status.height,
                    peers: status.peers,
                    waited,
                    id: answer.id,
                });
            }
        }
        Ok(answer)
    }

    /// What became of a transaction.
    pub async fn transaction(&self, id: &TransactionId) -> Result<Committed, RemoteError> {
        self.get(&format!("/v1/transactions/{id}")).await
    }

    /// A block's header and certificate.
    pub async fn block(&self, height: Height) -> Result<Value, RemoteError> {
        self.get(&format!("/v1/blocks/{height}")).await
    }

    /// A block's body, reconstructed from shares.
    pub async fn body(&self, height: Height) -> Result<Value, RemoteError> {
        self.get(&format!("/v1/blocks/{height}/body")).await
    }

    /// A block's body, reconstructed from shares for whoever signed the wish.
    pub async fn open_body(&self, height: Height, wish: &SignedOpenRequest) -> Result<Value, RemoteError> {
        self.get_opened(&format!("/v1/blocks/{height}/body"), Some(wish))
            .await
    }

    /// Hands a piece of a record to a member, through this validator; returns the member's signed receipt.
    pub async fn store_piece(&self, member: MemberId, piece: Vec<u8>) -> Result<[u8; 64], RemoteError> {
        #[derive(Deserialize)]
        struct Answer {
            signature: String,
        }
        let url = format!("{}/v1/records/pieces/{}", self.base, member.get());
        let request = self
            .http
            .put(url)
            .header("content-type", "application/octet-stream")
            .body(piece);
        let answer: Answer = serde_json::from_slice(&self.send(request).await?).map_err(garbled)?;
        let signature = HEXLOWER.decode(answer.signature.as_bytes()).map_err(garbled)?;
        signature
            .try_into()
            .map_err(|_| garbled("a signature is not 64 bytes long"))
    }

    /// Asks a member for its piece of a record, through this validator.
    pub async fn read_piece(&self, member: MemberId, request: Vec<u8>) -> Result<Vec<u8>, RemoteError> {
        let url = format!("{}/v1/records/pieces/{}/read", self.base, member.get());
        self.send(
            self.http
                .post(url)
                .header("content-type", "application/octet-stream")
                .body(request),
        )
        .await
    }
}

fn submission(chain: &ChainId, transaction: &UnverifiedTransaction) -> Value {
    json!({ "chain_id": chain.to_string(), "transaction": BASE64.encode(&codec::encode(transaction)) })
}
