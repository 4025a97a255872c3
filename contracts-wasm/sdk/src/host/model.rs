//! A state in memory, so that walks through it can be tested natively; contracts' own tests run on the node's host.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cell::RefCell;

std::thread_local! {
    static STATE: RefCell<BTreeMap<Vec<u8>, Vec<u8>>> = const { RefCell::new(BTreeMap::new()) };
}

pub(crate) fn get(key: &[u8]) -> Option<Vec<u8>> {
    STATE.with_borrow(|state| state.get(key).cloned())
}

pub(crate) fn set(key: &[u8], value: &[u8]) {
    STATE.with_borrow_mut(|state| state.insert(key.to_vec(), value.to_vec()));
}

pub(crate) fn remove(key: &[u8]) {
    STATE.with_borrow_mut(|state| state.remove(key));
}

pub(crate) fn next(prefix: &[u8], after: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    STATE.with_borrow(|state| {
        let mut entries = state.iter();
        let (key, value) = entries.find(|(key, _)| key.starts_with(prefix) && key.as_slice() > after)?;
        Some((key.clone(), value.clone()))
    })
}
