//! The imports of `salus0`, raw, and a safe function over each: the only module that hands out pointers.
#![allow(unsafe_code, reason = "imports take pointers; each call says why it is sound")]

#[cfg(test)]
mod model;

use alloc::vec::Vec;
#[cfg(test)]
pub(crate) use model::{get, next, remove, set};

/// Declares the imports. Off the chain the same names exist, so that contracts are type-checked and linted
/// natively, but there is nobody to answer them.
macro_rules! imports {
    ($(fn $name:ident($($argument:ident: $type:ty),*) $(-> $answer:ty)?;)*) => {
        #[cfg(target_arch = "wasm32")]
        mod raw {
            #[link(wasm_import_module = "salus0")]
            unsafe extern "C" {
                $(pub(super) fn $name($($argument: $type),*) $(-> $answer)?;)*
            }
        }

        #[cfg(not(target_arch = "wasm32"))]
        #[cfg_attr(test, allow(dead_code, reason = "the state is a model in tests"))]
        mod raw {
            $(
                #[allow(clippy::panic, reason = "a contract has no host here, and must not go on without one")]
                pub(super) unsafe fn $name($(_: $type),*) $(-> $answer)? {
                    panic!(concat!("`", stringify!($name), "` exists on the chain only: run the built artefact"))
                }
            )*
        }
    };
}

imports! {
    fn state_get(key: *const u8, key_len: i32, out: *mut u8, cap: i32) -> i32;
    fn state_set(key: *const u8, key_len: i32, value: *const u8, value_len: i32);
    fn state_del(key: *const u8, key_len: i32);
    fn state_scan(
        prefix: *const u8, prefix_len: i32, after: *const u8, after_len: i32, out: *mut u8, cap: i32
    ) -> i32;
    fn caller() -> i32;
    fn calling_contract() -> i32;
    fn self_id() -> i32;
    fn chain_id(out: *mut u8);
    fn height() -> i64;
    fn time_ms() -> i64;
    fn has_role(principal: i32, role: i32) -> i32;
    fn organisation_of(principal: i32) -> i32;
    fn attribute(principal: i32, number: i32, out: *mut u8, cap: i32) -> i32;
    fn member_count() -> i32;
    fn member_key(member: i32, out: *mut u8) -> i32;
    fn event_emit(data: *const u8, len: i32);
    fn abort(code: i32) -> !;
    fn debug(data: *const u8, len: i32);
    fn call_read(contract: i32, kind: i32, input: *const u8, len: i32, out: *mut u8, cap: i32) -> i32;
    fn ed25519_verify(key: *const u8, message: *const u8, len: i32, signature: *const u8) -> i32;
    fn blake3(data: *const u8, len: i32, out: *mut u8);
}

/// Room for a first try at a state value; larger ones cost a second call.
#[cfg_attr(test, allow(dead_code, reason = "the state is a model in tests"))]
const STATE_ROOM: usize = 256;
/// Room for a first try at another contract's answer.
const CALL_ROOM: usize = 1024;

/// A length as the interface counts it. A guest's memory is at most 4 MiB, so it always fits.
fn length(bytes: &[u8]) -> i32 {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        reason = "a guest's memory is 4 MiB"
    )]
    let length = bytes.len() as i32;
    length
}

/// Lets `call(out, cap)` fill a buffer, and asks again with the room it names if `room` did not suffice.
#[inline(never)]
fn fill(room: usize, call: &dyn Fn(*mut u8, i32) -> i32) -> Option<Vec<u8>> {
    let mut buffer: Vec<u8> = Vec::with_capacity(room);
    let mut full = usize::try_from(call(buffer.as_mut_ptr(), i32::try_from(room).ok()?)).ok()?;
    if full > room {
        buffer = Vec::with_capacity(full);
        let cap = i32::try_from(full).ok()?;
        full = usize::try_from(call(buffer.as_mut_ptr(), cap)).ok()?.min(full);
    }
    // SAFETY: the host wrote `full` bytes at the start of the buffer, which has room for them.
    unsafe { buffer.set_len(full) };
    Some(buffer)
}

#[cfg(not(test))]
pub(crate) fn get(key: &[u8]) -> Option<Vec<u8>> {
    // SAFETY: the key is readable, `out` writable for `cap` bytes; the host checks both against the memory.
    fill(STATE_ROOM, &|out, cap| unsafe {
        raw::state_get(key.as_ptr(), length(key), out, cap)
    })
}

#[cfg(not(test))]
pub(crate) fn set(key: &[u8], value: &[u8]) {
    // SAFETY: both slices are readable for their lengths.
    unsafe { raw::state_set(key.as_ptr(), length(key), value.as_ptr(), length(value)) }
}

#[cfg(not(test))]
pub(crate) fn remove(key: &[u8]) {
    // SAFETY: the slice is readable for its length.
    unsafe { raw::state_del(key.as_ptr(), length(key)) }
}

/// The first entry with `prefix` whose key is greater than `after`: its key and value.
#[cfg(not(test))]
pub(crate) fn next(prefix: &[u8], after: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let found = fill(STATE_ROOM, &|out, cap| {
        // SAFETY: as in `get`.
        unsafe {
            raw::state_scan(
                prefix.as_ptr(),
                length(prefix),
                after.as_ptr(),
                length(after),
                out,
                cap,
            )
        }
    })?;
    let (&[high, low], entry) = found.split_first_chunk::<2>()?;
    let (key, value) = entry.split_at_checked(usize::from(u16::from_be_bytes([high, low])))?;
    Some((key.to_vec(), value.to_vec()))
}

/// A number that a principal, a contract or a member has; -1 stands for none.
fn known(number: i32) -> Option<u32> {
    u32::try_from(number).ok()
}

pub(crate) fn caller() -> Option<u32> {
    // SAFETY: no memory is touched.
    known(unsafe { raw::caller() })
}

pub(crate) fn calling_contract() -> Option<u32> {
    // SAFETY: no memory is touched.
    known(unsafe { raw::calling_contract() })
}

pub(crate) fn self_id() -> u32 {
    // SAFETY: no memory is touched.
    unsafe { raw::self_id() }.cast_unsigned()
}

pub(crate) fn chain_id() -> [u8; 32] {
    let mut out = [0; 32];
    // SAFETY: `out` has the 32 bytes that are written.
    unsafe { raw::chain_id(out.as_mut_ptr()) };
    out
}

pub(crate) fn height() -> u64 {
    // SAFETY: no memory is touched.
    unsafe { raw::height() }.cast_unsigned()
}

pub(crate) fn time_ms() -> u64 {
    // SAFETY: no memory is touched.
    unsafe { raw::time_ms() }.cast_unsigned()
}

pub(crate) fn has_role(principal: u32, role: u8) -> bool {
    // SAFETY: no memory is touched.
    unsafe { raw::has_role(principal.cast_signed(), i32::from(role)) == 1 }
}

pub(crate) fn organisation_of(principal: u32) -> Option<u16> {
    // SAFETY: no memory is touched.
    u16::try_from(unsafe { raw::organisation_of(principal.cast_signed()) }).ok()
}

pub(crate) fn attribute(principal: u32, number: u16) -> Option<Vec<u8>> {
    fill(64, &|out, cap| {
        // SAFETY: `out` is writable for `cap` bytes.
        unsafe { raw::attribute(principal.cast_signed(), i32::from(number), out, cap) }
    })
}

pub(crate) fn member_count() -> u32 {
    // SAFETY: no memory is touched.
    known(unsafe { raw::member_count() }).unwrap_or(0)
}

pub(crate) fn member_key(member: u16) -> Option<[u8; 32]> {
    let mut out = [0; 32];
    // SAFETY: `out` has the 32 bytes that are written.
    let answer = unsafe { raw::member_key(i32::from(member), out.as_mut_ptr()) };
    (answer == 0).then_some(out)
}

pub(crate) fn emit(event: &[u8]) {
    // SAFETY: the slice is readable for its length.
    unsafe { raw::event_emit(event.as_ptr(), length(event)) }
}

pub(crate) fn abort(code: u16) -> ! {
    // SAFETY: no memory is touched, and the host ends the run.
    unsafe { raw::abort(i32::from(code)) }
}

pub(crate) fn debug(text: &[u8]) {
    // SAFETY: the slice is readable for its length.
    unsafe { raw::debug(text.as_ptr(), length(text)) }
}

pub(crate) fn call_read(contract: u32, kind: i32, input: &[u8]) -> Option<Vec<u8>> {
    fill(CALL_ROOM, &|out, cap| {
        // SAFETY: the input is readable, `out` writable for `cap` bytes.
        unsafe {
            raw::call_read(
                contract.cast_signed(),
                kind,
                input.as_ptr(),
                length(input),
                out,
                cap,
            )
        }
    })
}

pub(crate) fn ed25519_verify(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    // SAFETY: key and signature have the fixed lengths that are read; the message is readable for its length.
    let answer = unsafe {
        raw::ed25519_verify(
            key.as_ptr(),
            message.as_ptr(),
            length(message),
            signature.as_ptr(),
        )
    };
    answer == 1
}

pub(crate) fn blake3(data: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    // SAFETY: the data is readable for its length, `out` has the 32 bytes that are written.
    unsafe { raw::blake3(data.as_ptr(), length(data), out.as_mut_ptr()) };
    out
}

/// The `len` bytes that the host wrote where `room` told it to.
pub(crate) fn input(ptr: i32, len: i32) -> &'static [u8] {
    let len = usize::try_from(len).unwrap_or(0);
    if len == 0 {
        return &[];
    }
    let start = core::ptr::with_exposed_provenance(usize::try_from(ptr.cast_unsigned()).unwrap_or(0));
    // SAFETY: the host calls an entry only with a place that it got from `room` for this very length and has
    // filled since; nothing else uses it, and memory is not reused within a call.
    unsafe { core::slice::from_raw_parts(start, len) }
}

/// Sets `len` bytes aside for the host to write an input to.
pub(crate) fn room(len: i32) -> i32 {
    let len = usize::try_from(len).unwrap_or(0);
    place(alloc::vec![0; len].leak())
}

/// Where an answer lies: `ptr << 32 | len`. The instance is thrown away after the call, so it is never freed.
pub(crate) fn output(answer: Vec<u8>) -> i64 {
    let answer = answer.leak();
    let ptr = u64::from(place(answer).cast_unsigned());
    (ptr << 32 | u64::from(length(answer).cast_unsigned())).cast_signed()
}

/// The address of bytes in the guest's 32-bit memory.
fn place(bytes: &mut [u8]) -> i32 {
    #[allow(clippy::cast_possible_truncation, reason = "addresses of wasm32 have 32 bits")]
    let place = bytes.as_mut_ptr().expose_provenance() as u32;
    place.cast_signed()
}
