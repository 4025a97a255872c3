use crate::{ContractId, Decode, Encode, MemberId, PrincipalId, host};
use alloc::vec::Vec;
use salus_abi::access::{AccessRequest, RuleDecision};
use salus_abi::codec;
use salus_abi::host::{READ_DECIDE, READ_QUERY};
use salus_abi::registry::Role;

/// The chain as a contract sees it during one call.
///
/// Only the entry points make one. Shared, it reads; exclusive, it also writes ([`Self::emit`], [`crate::Item`],
/// [`crate::Map`]).
#[derive(Debug)]
pub struct Ctx(());

impl Ctx {
    pub(crate) fn new() -> Self {
        Self(())
    }

    /// The principal that signed the transaction; `None` in a query that nobody signed.
    pub fn caller(&self) -> Option<PrincipalId> {
        host::caller().map(PrincipalId::new)
    }

    /// The contract that asks; `None` if the call comes from outside.
    pub fn calling_contract(&self) -> Option<ContractId> {
        host::calling_contract().map(ContractId::new)
    }

    /// This contract's own number.
    pub fn self_id(&self) -> ContractId {
        ContractId::new(host::self_id())
    }

    /// The hash of the chain's genesis; part of everything that is signed or hashed.
    pub fn chain_id(&self) -> [u8; 32] {
        host::chain_id()
    }

    /// Height of the block that is being executed.
    pub fn height(&self) -> u64 {
        host::height()
    }

    /// Block time, in milliseconds since 1970-01-01T00:00:00Z.
    pub fn time_ms(&self) -> u64 {
        host::time_ms()
    }

    /// Whether a principal is active and has the role.
    pub fn has_role(&self, principal: PrincipalId, role: Role) -> bool {
        host::has_role(principal.get(), role as u8)
    }

    /// The hospital of an active principal.
    pub fn organisation_of(&self, principal: PrincipalId) -> Option<MemberId> {
        host::organisation_of(principal.get()).map(MemberId::new)
    }

    /// A numbered attribute of a principal, at most 64 bytes.
    pub fn attribute(&self, principal: PrincipalId, number: u16) -> Option<Vec<u8>> {
        host::attribute(principal.get(), number)
    }

    /// How many members have their validator in the current set.
    pub fn member_count(&self) -> usize {
        usize::try_from(host::member_count()).unwrap_or(usize::MAX)
    }

    /// The key with which a member's validator signs.
    pub fn member_key(&self, member: MemberId) -> Option<[u8; 32]> {
        host::member_key(member.get())
    }

    /// Whether a signature is valid under the chain's strict rule.
    pub fn verify(&self, key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        host::ed25519_verify(key, message, signature)
    }

    /// The BLAKE3 hash of bytes.
    pub fn blake3(&self, data: &[u8]) -> [u8; 32] {
        host::blake3(data)
    }

    /// Asks another contract's query; `None` if it fails or answers something else than an `O`.
    pub fn query<A: Encode, O: Decode<()>>(
        &self,
        contract: ContractId,
        entry: u8,
        argument: &A,
    ) -> Option<O> {
        let mut input = alloc::vec![entry];
        input.extend(codec::encode(argument));
        let answer = host::call_read(contract.get(), READ_QUERY, &input)?;
        codec::decode_trusted(&answer).ok()
    }

    /// Asks a rule what it says to a request; `None` if it fails or answers nonsense.
    pub fn ask(&self, rule: ContractId, request: &AccessRequest) -> Option<RuleDecision> {
        let answer = host::call_read(rule.get(), READ_DECIDE, &codec::encode(request))?;
        codec::decode_trusted(&answer).ok()
    }

    /// Adds an event to the receipt.
    pub fn emit(&mut self, event: &impl Encode) {
        host::emit(&codec::encode(event));
    }

    /// A line for the author's tools. Validators ignore it; never put health data or identities in it.
    pub fn debug(&self, line: &str) {
        host::debug(line.as_bytes());
    }
}
