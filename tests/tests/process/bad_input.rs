//! Each kind of bad input gets its typed code, costs nothing, and leaves no trace.

use super::{People, on_network, session};
use data_encoding::BASE64;
use salus_client::{Signer, Terms};
use salus_tests::people::{GAS_LIMIT, identity};
use salus_tests::{Network, Options};
use salus_types::abi::access::Purpose;
use salus_types::{
    ChainId, ContractId, Gas, Hash, Height, PrincipalId, RecordNumber, Sequence, Signature, TransactionId,
    UnverifiedTransaction, codec,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The order of the curve's group, little-endian: RFC 8032, 5.1.
const L: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];
/// The contract that misbehaves as its entry says, added to the network's agreement.
const HOSTILE: ContractId = ContractId::new(4);
const ENTRY_TRAPS: u8 = 0;
const ENTRY_NEVER_ENDS: u8 = 1;
const ENTRY_ABORTS: u8 = 2;

/// Entry 0 executes `unreachable`, entry 1 loops for ever, any other aborts with code 77.
fn hostile_contract() -> Vec<u8> {
    let text = r#"(module
        (import "salus0" "abort" (func $abort (param i32)))
        (memory (export "memory") 1)
        (func (export "salus_abi_1"))
        (func (export "salus_alloc") (param i32) (result i32) (i32.const 1024))
        (func (export "salus_instantiate") (param i32 i32) (result i64) (i64.const 0))
        (func (export "salus_execute") (param $ptr i32) (param $len i32) (result i64)
            (local $entry i32)
            (local.set $entry (i32.load8_u (local.get $ptr)))
            (if (i32.eqz (local.get $entry)) (then (unreachable)))
            (if (i32.eq (local.get $entry) (i32.const 1)) (then (loop $again (br $again))))
            (call $abort (i32.const 77))
            (i64.const 0))
    )"#;
    wat::parse_str(text).unwrap()
}

/// Someone who sends what should be refused, in whatever form.
struct Sender {
    http: reqwest::Client,
    base: String,
    chain: ChainId,
    signer: Signer,
    patient: PrincipalId,
    record: RecordNumber,
}

impl Sender {
    async fn terms(&self, network: &Network) -> Terms {
        let remote = network.remote(1).unwrap();
        let sequence = remote.next_sequence(self.signer.principal()).await.unwrap();
        let height = remote.status().await.unwrap().height;
        Terms {
            sequence,
            expires: Height::new(height + 1_000),
            gas_limit: GAS_LIMIT,
        }
    }

    fn retrieve(&self, terms: Terms) -> UnverifiedTransaction {
        self.signer
            .retrieve(self.patient, self.record, Purpose::Treatment, false, terms)
    }

    async fn post(&self, body: String) -> (u16, Value) {
        let url = format!("{}/v1/transactions", self.base);
        let request = self
            .http
            .post(url)
            .header("content-type", "application/json")
            .body(body);
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (
            status,
            serde_json::from_slice(&response.bytes().await.unwrap()).unwrap(),
        )
    }

    async fn send_bytes(&self, chain: &ChainId, bytes: &[u8]) -> (u16, Value) {
        self.post(json!({ "chain_id": chain.to_string(), "transaction": BASE64.encode(bytes) }).to_string())
            .await
    }

    /// Announces a body of so many bytes and sends none: the refusal must not wait for it.
    async fn announce(&self, length: usize) -> (u16, Value) {
        let host = self.base.trim_start_matches("http://");
        let mut stream = TcpStream::connect(host).await.unwrap();
        let head = format!(
            "POST /v1/transactions HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap())
    }

    /// What is sent must be refused with this status and code, a message and a hint; gives the whole answer.
    async fn refused(&self, bytes: &[u8], status: u16, code: &str) -> Value {
        let (answered, body) = self.send_bytes(&self.chain, bytes).await;
        assert_refusal(answered, &body, status, code);
        body
    }

    async fn refused_transaction(
        &self,
        transaction: &UnverifiedTransaction,
        status: u16,
        code: &str,
    ) -> Value {
        self.refused(&codec::encode(transaction), status, code).await
    }
}

fn assert_refusal(answered: u16, body: &Value, status: u16, code: &str) {
    assert_eq!((answered, body["code"].as_str()), (status, Some(code)), "{body}");
    assert!(
        body["message"].as_str().is_some_and(|text| !text.is_empty()),
        "{body}"
    );
    assert!(
        body["hint"].as_str().is_some_and(|text| !text.is_empty()),
        "{body}"
    );
}

#[test]
fn every_bad_input_is_refused_with_its_code() {
    let options = Options {
        contracts: vec![hostile_contract()],
        ..Options::default()
    };
    on_network(options, async |network| {
        let people = People::register(network).await;
        people.grant().await;
        let sender = Sender {
            http: reqwest::Client::new(),
            base: network.remote(1).unwrap().base().to_owned(),
            chain: network.chain(),
            signer: people.doctor.signer().clone(),
            patient: people.patient_id(),
            record: people.record,
        };
        // One request that is in order, so that there is a sequence number that was used.
        people
            .doctor
            .retrieve(people.patient_id(), people.record, Purpose::Treatment, false)
            .await
            .unwrap();
        let before = sender.terms(network).await.sequence;
        network.wait_height(1, 1).await.unwrap();
        bytes_that_are_no_transaction(&sender, sender.terms(network).await).await;
        signatures(&sender, sender.terms(network).await).await;
        terms_out_of_bounds(&sender, sender.terms(network).await).await;
        strangers(&sender, sender.terms(network).await).await;
        assert_eq!(
            sender.terms(network).await.sequence,
            before,
            "nothing of all that was executed"
        );
        replays(&sender, sender.terms(network).await, network).await;
        contracts_that_break(network, &people).await;
    });
}

async fn bytes_that_are_no_transaction(sender: &Sender, terms: Terms) {
    let good = codec::encode(&sender.retrieve(terms));
    sender.refused(&good[..good.len() - 1], 400, "malformed").await;
    sender.refused(&[], 400, "malformed").await;
    sender.refused(&[0xff; 200], 400, "malformed").await;
    let longer = [good.as_slice(), &[0]].concat();
    sender.refused(&longer, 400, "not_canonical").await;
    // The sender's number, a single byte, spelt with the marker of two-byte integers.
    assert!(good[0] < 251, "the number of the sender has one byte");
    let spelt = [&[251, 0], good.as_slice()].concat();
    sender.refused(&spelt, 400, "not_canonical").await;
    sender.refused(&vec![0; (80 << 10) + 1], 413, "oversized").await;
    let (status, body) = sender.announce(1 << 30).await;
    assert_refusal(status, &body, 413, "oversized");
    let not_base64 = json!({ "chain_id": sender.chain.to_string(), "transaction": "*" }).to_string();
    let (status, body) = sender.post(not_base64).await;
    assert_refusal(status, &body, 400, "malformed");
    let (status, body) = sender.post("{\"chain_id\":".into()).await;
    assert_refusal(status, &body, 400, "bad_json");
}

async fn signatures(sender: &Sender, terms: Terms) {
    let good = sender.retrieve(terms);
    // For another network: the client says so, or it does not and the signature does not fit.
    let elsewhere = ChainId::new(Hash::of_content(b"another network"));
    let (status, body) = sender.send_bytes(&elsewhere, &codec::encode(&good)).await;
    assert_refusal(status, &body, 422, "wrong_chain");
    let principal = sender.signer.principal();
    let abroad = Signer::new(elsewhere, principal, sender.signer.identity().clone());
    let foreign = abroad.retrieve(sender.patient, sender.record, Purpose::Treatment, false, terms);
    sender.refused_transaction(&foreign, 422, "bad_signature").await;
    // Somebody else's key.
    let forger = Signer::new(sender.chain, principal, identity(99));
    let forged = forger.retrieve(sender.patient, sender.record, Purpose::Treatment, false, terms);
    sender.refused_transaction(&forged, 422, "bad_signature").await;
    // Another payload under the same signature.
    let mut changed = good.clone();
    changed.payload.gas_limit = Gas::new(changed.payload.gas_limit.get() - 1);
    sender.refused_transaction(&changed, 422, "bad_signature").await;
    // The same signature spelt with S + L, which only lax verifiers accept.
    let malleable = UnverifiedTransaction {
        signature: with_s_plus_l(&good.signature),
        ..good
    };
    sender.refused_transaction(&malleable, 422, "bad_signature").await;
}

/// (R, S) becomes (R, S + L).
fn with_s_plus_l(signature: &Signature) -> Signature {
    let mut bytes = *signature.as_bytes();
    let mut carry = 0;
    for (byte, add) in bytes[32..].iter_mut().zip(L) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    assert_eq!(carry, 0, "S is below L, so the sum fits");
    Signature::new(bytes)
}

async fn terms_out_of_bounds(sender: &Sender, terms: Terms) {
    let with = |change: &dyn Fn(&mut Terms)| {
        let mut terms = terms;
        change(&mut terms);
        sender.retrieve(terms)
    };
    let next = terms.sequence.get();
    sender
        .refused_transaction(&with(&|terms| terms.expires = Height::new(1)), 422, "expired")
        .await;
    sender
        .refused_transaction(&with(&|terms| terms.expires = Height::MAX), 422, "expiry_too_far")
        .await;
    sender
        .refused_transaction(&with(&|terms| terms.gas_limit = Gas::MAX), 422, "gas_limit")
        .await;
    let used = with(&|terms| terms.sequence = Sequence::new(next - 1));
    let answer = sender.refused_transaction(&used, 409, "replay").await;
    assert_eq!(answer["next_sequence"].as_u64(), Some(next));
    let ahead = with(&|terms| terms.sequence = Sequence::new(next + 10_000));
    let answer = sender.refused_transaction(&ahead, 409, "out_of_order").await;
    assert_eq!(answer["next_sequence"].as_u64(), Some(next));
}

async fn strangers(sender: &Sender, terms: Terms) {
    let nobody = Signer::new(sender.chain, PrincipalId::new(4_000_000), identity(99));
    let unknown = nobody.retrieve(sender.patient, sender.record, Purpose::Treatment, false, terms);
    sender.refused_transaction(&unknown, 422, "unknown_sender").await;
    let nowhere = sender.signer.call(ContractId::new(4_711), 0, &0u8, terms);
    sender
        .refused_transaction(&nowhere, 422, "unknown_contract")
        .await;
}

/// The same transaction again is harmless while it waits, and refused once it is executed.
async fn replays(sender: &Sender, terms: Terms, network: &Network) {
    let good = sender.retrieve(terms);
    let remote = network.remote(1).unwrap();
    let first: TransactionId = remote.submit(&sender.chain, &good).await.unwrap();
    let committed = remote.submit_and_wait(&sender.chain, &good).await;
    // By now it may wait still, or be executed already.
    if let Err(error) = &committed {
        assert_eq!(error.code(), "replay", "{error}");
    }
    let executed = async || Ok(remote.transaction(&first).await?.receipt.is_some());
    network
        .wait("the first copy is executed", executed)
        .await
        .unwrap();
    let next = terms.sequence.get() + 1;
    for validator in 0..network.validators() {
        network
            .wait_height(validator, remote.status().await.unwrap().height)
            .await
            .unwrap();
        let refusal = network
            .remote(validator)
            .unwrap()
            .submit(&sender.chain, &good)
            .await
            .unwrap_err();
        assert_eq!(refusal.code(), "replay", "validator {validator}: {refusal}");
    }
    assert_eq!(
        sender.terms(network).await.sequence.get(),
        next,
        "it was executed once"
    );
}

/// A contract that breaks costs its sender gas and a sequence number, gets a typed receipt, and harms nobody.
async fn contracts_that_break(network: &Network, people: &People) {
    let caller = session(network, 2, people.doctor.signer().clone());
    for (entry, code) in [
        (ENTRY_TRAPS, "trap"),
        (ENTRY_NEVER_ENDS, "out_of_gas"),
        (ENTRY_ABORTS, "contract_refused"),
    ] {
        let committed = caller
            .send(|signer, terms| signer.call(HOSTILE, entry, &0u8, terms))
            .await
            .unwrap();
        let receipt = committed.receipt.unwrap();
        let failure = receipt.failure.clone().unwrap();
        assert_eq!(
            (receipt.success, failure.code.as_str()),
            (false, code),
            "{failure:?}"
        );
        assert!(receipt.gas_used > 0 && !failure.hint.is_empty());
    }
    // Too little gas for an honest contract ends the same way, and the next honest call succeeds.
    let (patient, record) = (people.patient_id(), people.record);
    let starved = caller.send(|signer, terms| {
        let terms = Terms {
            gas_limit: Gas::new(60_000),
            ..terms
        };
        signer.retrieve(patient, record, Purpose::Treatment, false, terms)
    });
    let failure = starved.await.unwrap().receipt.unwrap().failure.unwrap();
    assert_eq!(failure.code, "out_of_gas");
    caller
        .retrieve(patient, record, Purpose::Treatment, false)
        .await
        .unwrap();
}
