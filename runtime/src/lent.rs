//! Lends a borrowed host to a wasmtime store.
//!
//! `wasmtime::Store<T>` wants `T: 'static`, but a host borrows the block's state and lives only as long as the run.
//! The ways around this without unsafe code (a thread or a fiber a run, or shared ownership of all state) cost more
//! than a whole decision does. So this module erases the lifetime and takes the loan back at the end; besides
//! this, only `cache.rs` has an unsafe line.

use crate::{Host, HostFault};
use std::cell::Cell;
use std::ptr::NonNull;
use std::rc::Rc;

type Slot = Rc<Cell<Option<NonNull<dyn Host + 'static>>>>;

/// A host that is lent to a store for the time of one run. Not `Clone` and, because of the `Rc`, not `Send`.
pub(crate) struct Lent(Slot);

/// Empties the slot when the loan ends, also by a panic.
struct Revoke(Slot);

impl Drop for Revoke {
    fn drop(&mut self) {
        self.0.set(None);
    }
}

impl Lent {
    /// Lends `host` to `use_it`. A [`Lent`] that outlives the call is empty.
    pub(crate) fn lend<R>(host: &mut dyn Host, use_it: impl FnOnce(Self) -> R) -> R {
        let pointer: NonNull<dyn Host + '_> = NonNull::from(host);
        #[expect(
            unsafe_code,
            reason = "erases the lifetime that wasmtime's Store cannot express"
        )]
        // SAFETY: both types are the same fat pointer and differ in a lifetime only. Making it is harmless; see `with`.
        let pointer =
            unsafe { std::mem::transmute::<NonNull<dyn Host + '_>, NonNull<dyn Host + 'static>>(pointer) };
        let slot = Rc::new(Cell::new(Some(pointer)));
        let _revoke = Revoke(Rc::clone(&slot));
        use_it(Self(slot))
    }

    /// Uses the host. Fails only if the loan has ended.
    pub(crate) fn with<R>(
        &mut self,
        use_it: impl FnOnce(&mut dyn Host) -> Result<R, HostFault>,
    ) -> Result<R, HostFault> {
        let Some(mut pointer) = self.0.get() else {
            return Err(HostFault("the host was used after its run".to_owned()));
        };
        #[expect(unsafe_code, reason = "the other end of the lifetime erased in `lend`")]
        // SAFETY: the slot is full, so `lend` has not returned and its mutable borrow of the host still stands. `lend`
        // cannot return while this function runs, since neither `Rc` nor `Lent` can be sent to another thread. There is
        // one `Lent` a loan and it is borrowed mutably here, so this is the only reference made from the pointer; it
        // cannot escape `use_it`, which must accept any lifetime.
        let host = unsafe { pointer.as_mut() };
        use_it(host)
    }
}

impl std::fmt::Debug for Lent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lent")
    }
}
