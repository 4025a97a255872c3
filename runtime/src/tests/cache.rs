//! Compiled code that is kept: only what this machine wrote, for this engine, is run.

use super::*;
use crate::{CodeCache, CodeName, CodeRefusal, CodeStore};
use std::sync::{Arc, Mutex};

/// Records in a map, and what was refused. Its clones are the same one.
#[derive(Clone, Default)]
pub(super) struct MemoryStore(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    records: BTreeMap<String, Vec<u8>>,
    saved: usize,
    refused: Vec<CodeRefusal>,
}

impl MemoryStore {
    /// An engine over this store.
    pub(super) fn engine(&self, secret: u8, effort: Effort) -> Engine {
        let config = EngineConfig { instances: 8, effort };
        Engine::with_cache(&config, CodeCache::new(&[secret; 32], Box::new(self.clone()))).unwrap()
    }

    pub(super) fn saved(&self) -> usize {
        self.0.lock().unwrap().saved
    }

    /// What was refused since the last call.
    fn refused(&self) -> Vec<CodeRefusal> {
        std::mem::take(&mut self.0.lock().unwrap().refused)
    }

    fn change(&self, change: impl Fn(&mut Vec<u8>)) {
        self.0.lock().unwrap().records.values_mut().for_each(change);
    }
}

impl CodeStore for MemoryStore {
    fn load(&self, name: &CodeName) -> Option<Vec<u8>> {
        self.0.lock().unwrap().records.get(&name.to_string()).cloned()
    }

    fn save(&self, name: &CodeName, record: &[u8]) {
        let mut kept = self.0.lock().unwrap();
        kept.saved = kept.saved.saturating_add(1);
        kept.records.insert(name.to_string(), record.to_vec());
    }

    fn refused(&self, _: &CodeName, why: CodeRefusal) {
        self.0.lock().unwrap().refused.push(why);
    }
}

/// Answers with its input.
fn echo() -> Vec<u8> {
    contract(
        "",
        "(i64.or (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32)) (i64.extend_i32_u (local.get $len)))",
    )
}

fn answers(engine: &Engine) {
    let module = engine.admit(&echo()).unwrap();
    let invocation = invocation(EntryPoint::Query, b"input", GAS);
    let outcome = engine.run(&module, invocation, &mut MemoryHost::default());
    assert_eq!(outcome.unwrap().result.unwrap(), b"input");
}

#[test]
fn code_is_compiled_once_for_all_starts() {
    let store = MemoryStore::default();
    for _ in 0..3 {
        answers(&store.engine(1, Effort::Speed));
    }
    assert_eq!((store.saved(), store.refused()), (1, Vec::new()));
}

#[test]
fn a_record_that_was_changed_is_refused_and_written_anew() {
    /// What happens to a record, and how it is refused then.
    type Case = (fn(&mut Vec<u8>), CodeRefusal);
    let cases: [Case; 11] = [
        (|record| record.clear(), CodeRefusal::Malformed),
        (|record| record.truncate(68), CodeRefusal::Malformed),
        (|record| record.truncate(100), CodeRefusal::Malformed),
        (|record| record[0] ^= 1, CodeRefusal::Malformed),
        (|record| record[4] = 2, CodeRefusal::Version),
        (|record| record[5] ^= 1, CodeRefusal::Other),
        (|record| record[68] ^= 1, CodeRefusal::Other),
        (|record| record[69] ^= 1, CodeRefusal::Tag),
        (|record| record[101] ^= 1, CodeRefusal::Tag),
        (
            |record| record.truncate(record.len().saturating_sub(1)),
            CodeRefusal::Tag,
        ),
        (|record| record.push(0), CodeRefusal::Tag),
    ];
    let store = MemoryStore::default();
    answers(&store.engine(1, Effort::Speed));
    for (number, (change, why)) in cases.into_iter().enumerate() {
        store.change(change);
        answers(&store.engine(1, Effort::Speed));
        assert_eq!(store.refused(), [why], "case {number}");
        answers(&store.engine(1, Effort::Speed));
        assert_eq!(store.refused(), [], "case {number}: the new record is sound");
    }
}

#[test]
fn every_bit_of_the_code_counts() {
    let store = MemoryStore::default();
    let engine = store.engine(1, Effort::Speed);
    answers(&engine);
    let length = store.0.lock().unwrap().records.values().next().unwrap().len();
    for place in (101..length).step_by(length / 40) {
        store.change(|record| record[place] ^= 0x10);
        answers(&engine);
        assert_eq!(store.refused(), [CodeRefusal::Tag], "byte {place}");
    }
}

#[test]
fn another_machines_code_is_refused() {
    let store = MemoryStore::default();
    answers(&store.engine(1, Effort::Speed));
    answers(&store.engine(2, Effort::Speed));
    assert_eq!((store.saved(), store.refused()), (2, vec![CodeRefusal::Tag]));
}

#[test]
fn another_engines_code_is_not_even_looked_at() {
    let store = MemoryStore::default();
    answers(&store.engine(1, Effort::Speed));
    answers(&store.engine(1, Effort::None));
    assert_eq!((store.saved(), store.refused()), (2, Vec::new()));
    // Even under the name of the right one.
    let mut kept = store.0.lock().unwrap();
    let names: Vec<String> = kept.records.keys().cloned().collect();
    let records: Vec<Vec<u8>> = kept.records.values().rev().cloned().collect();
    kept.records = names.into_iter().zip(records).collect();
    drop(kept);
    answers(&store.engine(1, Effort::Speed));
    assert_eq!(store.refused(), [CodeRefusal::Other]);
}

#[test]
fn a_cache_admits_nothing_that_is_refused_without_it() {
    let store = MemoryStore::default();
    let engine = store.engine(1, Effort::Speed);
    let refused = engine.admit(b"\0asm\x01\0\0\0").unwrap_err();
    assert_eq!((refused.code(), store.saved()), ("A020", 0));
}
