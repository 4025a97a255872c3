//! The chain's own entries, under contract number 0.
//!
//! | key | value |
//! | --- | --- |
//! | `p` | [`Params`] |
//! | `m`, member (u16 BE) | [`Member`](salus_types::Member): present, or decided to be two heights from now |
//! | `f`, member (u16 BE) | [`Faults`](crate::Faults) that were proven; absent: none |
//! | `g`, member (u16 BE) | [`FormerMember`](salus_types::FormerMember) |
//! | `b`, member (u16 BE) | [`KeysChange`](crate::members::KeysChange): the proof of keys that did not stand in the genesis |
//! | `x`, key (32 bytes) | [`MemberId`]: whose key it is or was |
//! | `v`, 2^64 - 1 - height (u64 BE) | [`ValidatorSet`]: decides this height and those up to the next entry's |
//! | `o`, proposal (u32 BE) | [`ChangeProposal`](salus_types::ChangeProposal): open, or passed and not enacted |
//! | `n` | [`Counters`](crate::members::Counters) |
//! | `s`, principal (u32 BE) | [`Sequence`]: how many of its transactions were executed; absent: none |
//! | `c`, contract (u32 BE) | [`ContractInfo`] |
//! | `j` | [`ResealJob`]: the latest one; absent: none yet |
//! | `d`, height (u64 BE) | [`ShareCommitment`]: the dealing in force of a block that was resealed; absent: its header's own |
//! | `i`, member (u16 BE) | u16: how many contracts its staff has instantiated; absent: none |
//! | `k`, code hash (32 bytes) | [`StoredCode`]: admitted code |
//! | `w`, code hash (32 bytes), chunk (u16 BE) | admitted WebAssembly, in chunks of [`CODE_CHUNK_BYTES`] |
//! | `u`, member (u16 BE), code hash (32 bytes) | [`CodeUpload`]: code that waits for its other parts, or for approval |
//! | `q`, member (u16 BE), code hash (32 bytes), chunk (u16 BE) | WebAssembly whose other parts are missing |
//!
//! Values are canonical encodings, except the raw bytes of code. Principals stand in the registry's own state, at
//! [`registry::principal_key`](salus_types::abi::registry::principal_key).

use salus_types::abi::registry::{Principal, principal_key};
use salus_types::codec::{self, Decode, Encode};
use salus_types::state::{StateFault, StateKey, StateReader};
use salus_types::{
    CodeUpload, ContractId, ContractInfo, ContractParams, Gas, Hash, Height, MemberId, PrincipalId,
    ResealJob, Sequence, ShareCommitment, StoredCode, ValidatorSet,
};

/// Bytes of code in one entry: below the store's limit for a value, with room for its framing.
pub const CODE_CHUNK_BYTES: usize = 30 << 10;
/// The network's settings, the same on every node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Params {
    /// The most gas that the limits of a block's transactions may promise: a transaction is taken only if the gas used
    /// before it and its own limit stay within this.
    pub block_gas_max: Gas,
    /// The most a transaction may ask for.
    pub transaction_gas_max: Gas,
    /// Bytes of a block's transactions and receipts together, at most.
    pub block_bytes_max: u32,
    /// How many heights ahead a transaction may set its end.
    pub expiry_heights_max: u64,
    /// k, if the network has fixed it; `None`: n - 2f of the validators that decide the block.
    pub threshold: Option<u16>,
    /// S: shares dealt of every block. A member's slot is below it.
    pub slots: u16,
    /// How contracts are changed.
    pub contracts: ContractParams,
}

impl Params {
    /// k: the shares needed to open a block that these validators decide.
    pub fn threshold_of(&self, validators: &ValidatorSet) -> u16 {
        let usual = u16::try_from(validators.threshold()).unwrap_or(u16::MAX);
        self.threshold.unwrap_or(usual)
    }
}

impl Default for Params {
    /// 400,000,000 gas a block, 20,000,000 a transaction, 4 MiB a block, 10,000 heights, k of 128 shares; contracts as
    /// usual.
    fn default() -> Self {
        Self {
            block_gas_max: Gas::new(400_000_000),
            transaction_gas_max: Gas::new(20_000_000),
            block_bytes_max: 4 << 20,
            expiry_heights_max: 10_000,
            threshold: None,
            slots: 128,
            contracts: ContractParams::default(),
        }
    }
}

/// Key of the parameters.
pub fn params_key() -> StateKey {
    StateKey::new(ContractId::SYSTEM, b"p")
}

/// Key of what a member was proven guilty of.
pub fn faults_key(member: MemberId) -> StateKey {
    let [a, b] = member.get().to_be_bytes();
    StateKey::new(ContractId::SYSTEM, &[b'f', a, b])
}

/// Key of a principal's sequence number.
pub fn sequence_key(principal: PrincipalId) -> StateKey {
    let [a, b, c, d] = principal.get().to_be_bytes();
    StateKey::new(ContractId::SYSTEM, &[b's', a, b, c, d])
}

/// Key of a contract.
pub fn contract_key(contract: ContractId) -> StateKey {
    ContractInfo::key(contract)
}

/// Key of the latest reseal.
pub fn reseal_job_key() -> StateKey {
    StateKey::new(ContractId::SYSTEM, b"j")
}

/// Key of the dealing in force of a block that was resealed.
pub fn dealing_key(height: Height) -> StateKey {
    let [a, b, c, d, e, f, g, h] = height.get().to_be_bytes();
    StateKey::new(ContractId::SYSTEM, &[b'd', a, b, c, d, e, f, g, h])
}

/// A key of a kind, made of parts.
fn composed(kind: u8, parts: &[&[u8]]) -> StateKey {
    StateKey::new(ContractId::SYSTEM, &[&[kind], parts.concat().as_slice()].concat())
}

/// Key of how many contracts a member's staff has instantiated.
pub fn instantiated_key(member: MemberId) -> StateKey {
    composed(b'i', &[&member.get().to_be_bytes()])
}

/// Key of admitted code.
pub fn stored_code_key(code_hash: &Hash) -> StateKey {
    StoredCode::key(code_hash)
}

/// Key of a piece of admitted code.
pub fn code_key(code_hash: &Hash, chunk: u16) -> StateKey {
    composed(b'w', &[code_hash.as_bytes(), &chunk.to_be_bytes()])
}

/// Key of a member's upload.
pub fn upload_key(member: MemberId, code_hash: &Hash) -> StateKey {
    composed(b'u', &[&member.get().to_be_bytes(), code_hash.as_bytes()])
}

/// Key of a piece of code whose other parts are missing.
pub fn upload_chunk_key(member: MemberId, code_hash: &Hash, chunk: u16) -> StateKey {
    composed(
        b'q',
        &[
            &member.get().to_be_bytes(),
            code_hash.as_bytes(),
            &chunk.to_be_bytes(),
        ],
    )
}

/// Key of a principal in the registry.
pub fn registry_key(principal: PrincipalId) -> StateKey {
    StateKey::new(ContractId::REGISTRY, &principal_key(principal))
}

/// The network's settings.
pub fn params(state: &dyn StateReader) -> Result<Params, StateFault> {
    read(state, &params_key())?.ok_or(damaged("the entry of the parameters"))
}

/// A principal of the registry, whatever its status.
pub fn principal(state: &dyn StateReader, id: PrincipalId) -> Result<Option<Principal>, StateFault> {
    read(state, &registry_key(id))
}

/// The number that a principal's next transaction must carry.
pub fn sequence(state: &dyn StateReader, id: PrincipalId) -> Result<Sequence, StateFault> {
    Ok(read(state, &sequence_key(id))?.unwrap_or_default())
}

/// What the chain keeps of a contract.
pub fn contract(state: &dyn StateReader, id: ContractId) -> Result<Option<ContractInfo>, StateFault> {
    read(state, &contract_key(id))
}

/// The latest reseal, whether it is under way or done.
pub fn reseal_job(state: &dyn StateReader) -> Result<Option<ResealJob>, StateFault> {
    read(state, &reseal_job_key())
}

/// The dealing in force of a block that was resealed; `None`: its header says it.
pub fn dealing(state: &dyn StateReader, height: Height) -> Result<Option<ShareCommitment>, StateFault> {
    read(state, &dealing_key(height))
}

/// Dealings in force of blocks above a height that were resealed, ascending, up to `count`.
pub fn dealings(
    state: &dyn StateReader,
    above: Height,
    count: usize,
) -> Result<Vec<ShareCommitment>, StateFault> {
    let prefix = StateKey::new(ContractId::SYSTEM, b"d");
    let mut after = dealing_key(above).as_bytes().to_vec();
    let mut dealings = Vec::new();
    while dealings.len() < count {
        let Some((key, value)) = state.next(prefix.as_bytes(), &after)? else {
            break;
        };
        let dealing = codec::decode_trusted(&value);
        dealings.push(dealing.map_err(|_| damaged("an entry of the chain's own state"))?);
        after = key.as_bytes().to_vec();
    }
    Ok(dealings)
}

/// Contracts above a number, ascending, up to `count`.
pub fn contracts(
    state: &dyn StateReader,
    above: ContractId,
    count: usize,
) -> Result<Vec<(ContractId, ContractInfo)>, StateFault> {
    let prefix = StateKey::new(ContractId::SYSTEM, b"c");
    let mut after = contract_key(above).as_bytes().to_vec();
    let mut contracts = Vec::new();
    while contracts.len() < count {
        let Some((key, value)) = state.next(prefix.as_bytes(), &after)? else {
            break;
        };
        after = key.as_bytes().to_vec();
        let number = after.last_chunk().ok_or(damaged("the key of a contract"))?;
        let info = codec::decode_trusted(&value).map_err(|_| damaged("the entry of a contract"))?;
        contracts.push((ContractId::new(u32::from_be_bytes(*number)), info));
    }
    Ok(contracts)
}

/// What the chain keeps of admitted code.
pub fn stored_code(state: &dyn StateReader, code_hash: &Hash) -> Result<Option<StoredCode>, StateFault> {
    read(state, &stored_code_key(code_hash))
}

/// How far a member's upload is.
pub fn upload(
    state: &dyn StateReader,
    member: MemberId,
    code_hash: &Hash,
) -> Result<Option<CodeUpload>, StateFault> {
    read(state, &upload_key(member, code_hash))
}

/// The WebAssembly of admitted code.
pub fn code(state: &dyn StateReader, code_hash: &Hash) -> Result<Vec<u8>, StateFault> {
    let code = chunks(state, |chunk| code_key(code_hash, chunk))?;
    if Hash::of_content(&code) == *code_hash {
        Ok(code)
    } else {
        Err(damaged("the code of a contract"))
    }
}

/// Consecutive entries from chunk 0 on, joined.
pub(crate) fn chunks(state: &dyn StateReader, key: impl Fn(u16) -> StateKey) -> Result<Vec<u8>, StateFault> {
    let mut joined = Vec::new();
    for chunk in 0..=u16::MAX {
        match state.get(&key(chunk))? {
            Some(bytes) => joined.extend(bytes),
            None => break,
        }
    }
    Ok(joined)
}

/// Reads and decodes an entry that this node wrote itself.
pub(crate) fn read<T: Decode<()>>(state: &dyn StateReader, key: &StateKey) -> Result<Option<T>, StateFault> {
    match state.get(key)? {
        None => Ok(None),
        Some(bytes) => match codec::decode_trusted(&bytes) {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(damaged("an entry of the chain's own state")),
        },
    }
}

/// What is stored is not what this crate wrote.
pub(crate) fn damaged(what: &str) -> StateFault {
    StateFault(format!(
        "{what} is damaged; rebuild the state from a snapshot or from the blocks"
    ))
}
