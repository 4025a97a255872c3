use super::*;
use proptest::prelude::*;
use salus_types::state::{StateProofError, entry_hash, node_hash};
use salus_types::{ContractId, codec};
use std::collections::BTreeMap;

/// Entries and stored nodes in maps.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
struct Memory {
    entries: BTreeMap<StateKey, Vec<u8>>,
    nodes: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl StateReader for Memory {
    fn get(&self, key: &StateKey) -> Result<Option<Vec<u8>>, StateFault> {
        Ok(self.entries.get(key).cloned())
    }

    fn next(&self, _: &[u8], _: &[u8]) -> Result<Option<(StateKey, Vec<u8>)>, StateFault> {
        Ok(None)
    }

    fn tree_node(&self, path: &[u8]) -> Result<Option<Vec<u8>>, StateFault> {
        Ok(self.nodes.get(path).cloned())
    }
}

impl Memory {
    fn commit(&mut self, changes: &StateChanges) -> Hash {
        let (root, tree) = apply(self, changes).unwrap();
        for (path, node) in tree {
            match node {
                Some(node) => self.nodes.insert(path, node),
                None => self.nodes.remove(&path),
            };
        }
        for (key, value) in changes {
            match value {
                Some(value) => self.entries.insert(key.clone(), value.clone()),
                None => self.entries.remove(key),
            };
        }
        root
    }
}

fn key(number: u32) -> StateKey {
    StateKey::new(ContractId::new(5), &number.to_be_bytes())
}

/// The root by the definition, without any stored node.
fn naive_root(entries: &BTreeMap<StateKey, Vec<u8>>) -> Hash {
    fn node(entries: &[(Hash, Hash)], level: usize) -> Hash {
        let places = std::array::from_fn(|digit| {
            let below: Vec<_> = entries
                .iter()
                .copied()
                .filter(|(path, _)| usize::from(tree_digit(path, level)) == digit)
                .collect();
            match below.as_slice() {
                [] => Hash::ZERO,
                [(path, value)] => entry_hash(path, value),
                _ => node(&below, level + 1),
            }
        });
        node_hash(&places)
    }
    let hashed: Vec<_> = entries
        .iter()
        .map(|(key, value)| (key.path(), Hash::of_content(value)))
        .collect();
    node(&hashed, 0)
}

fn batches() -> impl Strategy<Value = Vec<BTreeMap<u32, Option<u8>>>> {
    let batch = prop::collection::btree_map(0u32..300, prop::option::weighted(0.6, any::<u8>()), 0..60);
    prop::collection::vec(batch, 1..8)
}

fn changes(batch: &BTreeMap<u32, Option<u8>>) -> StateChanges {
    batch
        .iter()
        .map(|(number, value)| (key(*number), value.map(|byte| vec![byte; 3])))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn the_root_is_the_one_of_the_definition_after_every_batch(batches in batches()) {
        let mut memory = Memory::default();
        for batch in &batches {
            let new_root = memory.commit(&changes(batch));
            prop_assert_eq!(new_root, naive_root(&memory.entries));
            prop_assert_eq!(new_root, root(&memory).unwrap());
        }
    }

    #[test]
    fn the_same_entries_give_the_same_nodes_whatever_their_history(batches in batches()) {
        let mut grown = Memory::default();
        for batch in &batches {
            grown.commit(&changes(batch));
        }
        let mut at_once = Memory::default();
        at_once.commit(&grown.entries.iter().map(|(key, value)| (key.clone(), Some(value.clone()))).collect());
        prop_assert_eq!(&grown, &at_once);
        // And taking all of it away leaves nothing.
        let all_gone: StateChanges = grown.entries.keys().map(|key| (key.clone(), None)).collect();
        prop_assert_eq!(grown.commit(&all_gone), Hash::ZERO);
        prop_assert_eq!(grown, Memory::default());
    }

    #[test]
    fn proofs_show_what_is_there_and_what_is_not(batches in batches(), wrong: u8) {
        let mut memory = Memory::default();
        for batch in &batches {
            memory.commit(&changes(batch));
        }
        let root = root(&memory).unwrap();
        for number in 0..300 {
            let key = key(number);
            let value = memory.entries.get(&key).map(Vec::as_slice);
            let proof = prove(&memory, &key).unwrap();
            let bytes = codec::encode(&proof);
            let proof: StateProof = codec::decode(&bytes, StateProof::LENGTH_MAX).unwrap();
            prop_assert_eq!(proof.verify(&root, &key, value), Ok(()));
            let lie = match value {
                Some(_) => None,
                None => Some(&[wrong; 3][..]),
            };
            prop_assert!(proof.verify(&root, &key, lie).is_err());
            if value != Some(&[wrong; 3][..]) {
                prop_assert!(proof.verify(&root, &key, Some(&[wrong; 3])).is_err());
            }
        }
    }

    #[test]
    fn a_proof_with_one_wrong_byte_shows_nothing(number in 0u32..60, at in any::<prop::sample::Index>(), flip in 1u8..) {
        let mut memory = Memory::default();
        let root = memory.commit(&(0..30).map(|n| (key(n), Some(vec![1]))).collect());
        let key = key(number);
        let value = memory.entries.get(&key).map(Vec::as_slice);
        let mut bytes = codec::encode(&prove(&memory, &key).unwrap());
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        if let Ok(proof) = codec::decode::<StateProof>(&bytes, StateProof::LENGTH_MAX) {
            prop_assert!(proof.verify(&root, &key, value).is_err());
        }
    }

    #[test]
    fn any_bytes_decode_to_a_node_or_to_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Some(node) = Node::decode(&bytes) {
            prop_assert_eq!(node.encode(), bytes);
        }
    }
}

#[test]
fn the_empty_state_has_a_zero_root_and_proves_absence() {
    let memory = Memory::default();
    assert_eq!(root(&memory).unwrap(), Hash::ZERO);
    let proof = prove(&memory, &key(1)).unwrap();
    assert_eq!(proof.verify(&Hash::ZERO, &key(1), None), Ok(()));
    assert_eq!(
        proof.verify(&Hash::ZERO, &key(1), Some(&[])),
        Err(StateProofError::WrongRoot)
    );
}

#[test]
fn changes_that_change_nothing_store_nothing() {
    let mut memory = Memory::default();
    let before = memory.commit(&(0..50).map(|n| (key(n), Some(vec![1]))).collect());
    let same = [(key(3), Some(vec![1])), (key(99), None)].into_iter().collect();
    assert_eq!(apply(&memory, &same).unwrap(), (before, TreeChanges::new()));
}

#[test]
fn one_change_touches_the_nodes_on_its_way_only() {
    let mut memory = Memory::default();
    memory.commit(&(0..2_000).map(|n| (key(n), Some(vec![1]))).collect());
    let (_, tree) = apply(&memory, &[(key(7), Some(vec![2]))].into_iter().collect()).unwrap();
    assert!((2..=5).contains(&tree.len()), "{}", tree.len());
    let size = codec::encode(&prove(&memory, &key(7)).unwrap()).len();
    assert!(size < 600, "{size}");
}

#[test]
fn damaged_nodes_are_reported_not_trusted() {
    let mut memory = Memory::default();
    memory.commit(&(0..50).map(|n| (key(n), Some(vec![1]))).collect());
    let change = [(key(7), Some(vec![2]))].into_iter().collect();
    let mut torn = memory.clone();
    torn.nodes.values_mut().for_each(|node| node.truncate(20));
    assert!(apply(&torn, &change).is_err());
    assert!(prove(&torn, &key(7)).is_err());
    memory.nodes.retain(|path, _| path.is_empty());
    let changes_all: StateChanges = (0..50).map(|n| (key(n), Some(vec![2]))).collect();
    assert!(apply(&memory, &changes_all).is_err());
}

#[test]
fn stored_nodes_and_proofs_keep_their_bytes() {
    let mut memory = Memory::default();
    let root = memory.commit(&(0..20).map(|n| (key(n), Some(vec![1]))).collect());
    let hash = |bytes: &[u8]| Hash::of_content(bytes).to_string();
    let nodes: Vec<u8> = memory
        .nodes
        .iter()
        .flat_map(|(path, node)| [path.clone(), node.clone()].concat())
        .collect();
    let proofs: Vec<u8> = (0..40)
        .flat_map(|n| codec::encode(&prove(&memory, &key(n)).unwrap()))
        .collect();
    assert_eq!(
        [root.to_string(), hash(&nodes), hash(&proofs)],
        [
            "d98e5451a4fc0b8a363e2248ac5387814cc3504e82ec20f8237cd8513fe69321",
            "313ba23eb9ba29430815ee229f0282b09ec4ae31a39c1ec8927125ed7b43ddb1",
            "59377fd1e267d043a84fde7c95d2e94df8ad66db8a7b313fccbacbd6ca7e093a",
        ]
    );
}
