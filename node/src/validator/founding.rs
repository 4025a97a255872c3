//! A validator's folder, read and opened: on the chain's state as it was left, or founded just now.

use super::ValidatorError;
use crate::chain::Tip;
use crate::compiled::{self, CompiledFiles};
use crate::config;
use crate::home::{Home, ValidatorKeys};
use crate::joining::{self, Seat};
use salus_execution::{Executor, GenesisContract, GenesisState, members};
use salus_genesis::Genesis;
use salus_runtime::{CodeCache, Engine, EngineConfig};
use salus_store::{ChainStore, Store, StoreKey, StoreReport};
use salus_types::state::StateFault;
use salus_types::{BlockId, Gas, Hash, Header, Height, Member, MemberId, Round, Sealing};

/// A validator's folder, read and opened, on the chain's state as it was left or founded just now.
pub(super) struct Founded {
    pub(super) genesis: Genesis,
    pub(super) keys: ValidatorKeys,
    pub(super) executor: Executor,
    pub(super) store: Store,
    pub(super) tip: Tip,
}

impl Founded {
    pub(super) fn load(home: &Home) -> Result<Self, ValidatorError> {
        let path = home.genesis();
        let text = std::fs::read_to_string(&path).map_err(|error| ValidatorError::File {
            path: path.display().to_string(),
            error,
        })?;
        let genesis = Genesis::from_toml(&text)?;
        genesis.check_gas_table(&Hash::new(salus_runtime::gas_table_hash()))?;
        let mut keys = home.keys()?;
        let storage = keys.last().map_or([0; 32], |keys| *keys.storage);
        let executor = Executor::new(engine(home, &storage)?, genesis.chain_id());
        let store = Store::open(&home.data(), &StoreKey::new(storage))?;
        report(&store.report);
        found(home, &genesis, &executor, &store.chain)?;
        let tip = read_tip(&store.chain)?;
        let known = known_members(&store.chain)?;
        let in_use = keys
            .iter()
            .rposition(|keys| known.iter().any(|member| keys.belong_to(member)));
        // A newcomer's keys are in nobody's state yet: the latest count.
        let in_use = in_use.unwrap_or(keys.len().saturating_sub(1));
        Ok(Self {
            genesis,
            keys: keys.swap_remove(in_use),
            executor,
            store,
            tip,
        })
    }

    /// Whose validator this is: by the own state, or, for a newcomer, by what present members say.
    pub(super) async fn seat(&self, join: &config::Join) -> Result<Seat, ValidatorError> {
        let chain = self.genesis.chain_id();
        let seat = joining::seat(join, &chain, &self.keys, self.member()?).await;
        seat.ok_or_else(|| ValidatorError::NotAMember(self.genesis.agreement().name.clone()))
    }

    /// Whose validator this is, by the own state: a present member's, or one's that was removed.
    fn member(&self) -> Result<Option<Member>, StateFault> {
        let known = known_members(&self.store.chain)?;
        Ok(known.into_iter().find(|member| self.keys.belong_to(member)))
    }
}

/// The contract engine, with the code that earlier starts compiled.
fn engine(home: &Home, storage: &[u8; 32]) -> Result<Engine, ValidatorError> {
    let files = CompiledFiles::new(home.compiled(), compiled::FOLDER_BYTES_MAX);
    let cache = CodeCache::new(storage, Box::new(files));
    Engine::with_cache(&EngineConfig::default(), cache)
        .map_err(|error| ValidatorError::Engine(error.to_string()))
}

/// Members of now and of before.
fn known_members(state: &ChainStore) -> Result<Vec<Member>, StateFault> {
    let former = members::former_members(state)?.into_iter();
    let present = members::members(state)?;
    Ok(present
        .into_iter()
        .chain(former.map(|former| former.member))
        .collect())
}

/// Tells the operator what opening the store found.
fn report(report: &StoreReport) {
    if let Some(path) = &report.index_moved_to {
        tracing::warn!(path = %path.display(), "the index was damaged and moved aside; it is rebuilt from peers");
    }
    if report.shares.torn_bytes > 0 {
        tracing::warn!(
            bytes = report.shares.torn_bytes,
            "cut off a share whose writing was interrupted"
        );
    }
    if let Some(range) = &report.blocks_forgotten {
        tracing::warn!(from = %range.start(), to = %range.end(), "the index forgot committed blocks; they are caught up with");
    }
    for damage in &report.shares.damaged {
        tracing::warn!(
            ?damage,
            "the share log is damaged; what it costs is repaired from peers"
        );
    }
}

/// Gives an empty store the genesis state, or checks that the store grew from it.
fn found(
    home: &Home,
    genesis: &Genesis,
    executor: &Executor,
    index: &ChainStore,
) -> Result<(), ValidatorError> {
    const FOUNDED: &str = "chain";
    let chain = genesis.chain_id();
    if index.tip().is_some() {
        let founded = index.meta(FOUNDED)?;
        return if founded.as_deref() == Some(chain.as_bytes()) {
            Ok(())
        } else {
            Err(ValidatorError::OtherChain)
        };
    }
    let agreement = genesis.agreement();
    let contracts = genesis.contracts().map(|(contract, hash, input)| {
        let code = contract_code(home, &hash)?;
        Ok(GenesisContract {
            contract,
            code,
            input,
        })
    });
    let params = &agreement.params;
    let state = GenesisState {
        members: agreement.members.clone(),
        params: salus_execution::Params {
            block_gas_max: params.block_gas_max,
            transaction_gas_max: params.transaction_gas_max,
            // The rest of a body holds the parent's certificate and evidence.
            block_bytes_max: params.body_bytes_max.saturating_sub(64 << 10),
            expiry_heights_max: params.expiry_heights_max,
            threshold: params.threshold,
            slots: params.slots,
            contracts: params.contracts,
        },
        contracts: contracts.collect::<Result<_, ValidatorError>>()?,
    };
    let executed = executor.genesis(&state, agreement.time)?;
    let validators = genesis.validators().hash(&chain);
    let header = Header {
        height: Height::ZERO,
        round: Round::ZERO,
        time: agreement.time,
        proposer: MemberId::new(0),
        parent: BlockId::new(Hash::ZERO),
        validators,
        next_validators: validators,
        sealing: Sealing {
            suite: 0,
            threshold: 0,
            slots: 0,
            body_length: 0,
            sealed_length: 0,
        },
        body_commitment: Hash::ZERO,
        share_root: Hash::ZERO,
        receipts_root: Hash::ZERO,
        state_root: executed.state_root,
        gas_used: Gas::ZERO,
    };
    index.init(&header, header.id(&chain), None, &executed.state, &executed.tree)?;
    Ok(index.put_meta(FOUNDED, chain.as_bytes())?)
}

fn contract_code(home: &Home, hash: &Hash) -> Result<Vec<u8>, ValidatorError> {
    if let Some(code) = salus_genesis::builtin_code(hash) {
        return Ok(code.to_vec());
    }
    let path = home.contract(hash);
    let missing = || ValidatorError::MissingCode {
        hash: *hash,
        path: path.display().to_string(),
    };
    let code = std::fs::read(&path).map_err(|_| missing())?;
    if Hash::of_content(&code) == *hash {
        Ok(code)
    } else {
        Err(missing())
    }
}

fn read_tip(index: &ChainStore) -> Result<Tip, ValidatorError> {
    let lost = || ValidatorError::Part {
        part: "index",
        reason: "it has no tip: remove data/index and start again".into(),
    };
    let tip = index.tip().ok_or_else(lost)?;
    let header = index.header(tip.height)?.ok_or_else(lost)?;
    Ok(Tip {
        header,
        id: tip.id,
        certificate: index.certificate(tip.height)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use salus_genesis::GenesisError;

    const EXAMPLE: &str = include_str!("../../../genesis/networks/example.toml");

    #[test]
    fn a_network_that_counts_gas_otherwise_is_refused_before_anything_is_opened() {
        let own = Hash::new(salus_runtime::gas_table_hash());
        let other = Hash::of_content(b"another gas table");
        let text = EXAMPLE.replace(&own.to_string(), &other.to_string());
        assert_ne!(text, EXAMPLE, "the example network has this program's table");

        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path());
        std::fs::write(home.genesis(), text).unwrap();
        let refused = Founded::load(&home).map(|_| ()).unwrap_err();
        let expected = GenesisError::GasTable { agreed: other, own };
        assert!(
            matches!(&refused, ValidatorError::Genesis(error) if *error == expected),
            "{refused}"
        );
        assert!(!home.data().exists());
    }
}
