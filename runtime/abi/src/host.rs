//! Names and numbers of the contract interface, version `salus0`.
//!
//! A contract is one core WebAssembly module. It imports only from [`IMPORT_MODULE`], and exports its
//! memory as `memory`, the marker [`EXPORT_MARKER`], the allocator [`EXPORT_ALLOC`] and the entry points it has.
//!
//! ## Calls
//!
//! An entry point has the type `(ptr: i32, len: i32) -> i64`. The host asks the guest for `len` bytes through
//! `salus_alloc(len: i32) -> i32`, writes the input there and calls. The result packs the output's place as
//! `ptr << 32 | len`. For `salus_execute` and `salus_query` the first input byte is the number of the
//! contract's entry, the rest the canonical encoding of its argument. An error ends the call through
//! the import `abort(code)`, which never returns; state changes and events of the call are dropped.
//!
//! ## Imports
//!
//! All pointers and lengths are `i32`. Reads copy at most `cap` bytes to `out` and return the full length of the
//! value, or -1 when there is none; so a guest can ask again with more room.
//!
//! | import | type | meaning |
//! | --- | --- | --- |
//! | `state_get` | `(key, key_len, out, cap) -> i32` | read an entry of the contract's own state |
//! | `state_set` | `(key, key_len, value, value_len)` | write an entry |
//! | `state_del` | `(key, key_len)` | delete an entry |
//! | `state_scan` | `(prefix, prefix_len, after, after_len, out, cap) -> i32` | the first entry with `prefix` whose key is greater than `after` (empty: from the start), as `u16 BE key length, key, value` |
//! | `caller` | `() -> i32` | principal that signed the transaction; -1 in a query without one |
//! | `calling_contract` | `() -> i32` | contract that made this `call_read`; -1 at the outermost call |
//! | `self_id` | `() -> i32` | this contract's number |
//! | `chain_id` | `(out)` | 32 bytes |
//! | `height` | `() -> i64` | height of the block being executed |
//! | `time_ms` | `() -> i64` | block time, milliseconds since 1970-01-01T00:00:00Z |
//! | `has_role` | `(principal, role) -> i32` | 1 if the principal is active and has the role |
//! | `organisation_of` | `(principal) -> i32` | member number of an active principal's organisation; -1 if unknown |
//! | `attribute` | `(principal, number, out, cap) -> i32` | an attribute of a principal |
//! | `member_count` | `() -> i32` | number of members whose validator is in the current set |
//! | `member_key` | `(member, out) -> i32` | 32 bytes of a member's consensus key; 0, or -1 if there is none |
//! | `event_emit` | `(data, len)` | add an event to the receipt |
//! | `abort` | `(code)` | end the call with an error code 0..=65535 |
//! | `debug` | `(data, len)` | a line for the author's tools; never in a receipt, ignored by validators |
//! | `call_read` | `(contract, kind, input, len, out, cap) -> i32` | `salus_query` (kind 0) or `salus_decide` (kind 1) of another contract; -1 if it fails |
//! | `ed25519_verify` | `(key, message, len, signature) -> i32` | 1 if valid under the chain's strict rule |
//! | `blake3` | `(data, len, out)` | 32 bytes |

/// The module name of every import.
pub const IMPORT_MODULE: &str = "salus0";
/// Every import there is; `salus_decide` and `salus_query` may not use those of [`WRITE_IMPORTS`].
pub const IMPORTS: [&str; 21] = [
    "state_get",
    "state_set",
    "state_del",
    "state_scan",
    "caller",
    "calling_contract",
    "self_id",
    "chain_id",
    "height",
    "time_ms",
    "has_role",
    "organisation_of",
    "attribute",
    "member_count",
    "member_key",
    "event_emit",
    "abort",
    "debug",
    "call_read",
    "ed25519_verify",
    "blake3",
];
/// Imports that change something: refused in read-only calls.
pub const WRITE_IMPORTS: [&str; 3] = ["state_set", "state_del", "event_emit"];

/// Marks a module as written for this interface: `() -> ()`.
pub const EXPORT_MARKER: &str = "salus_abi_1";
/// The guest's linear memory.
pub const EXPORT_MEMORY: &str = "memory";
/// `(len: i32) -> i32`: room for the input.
pub const EXPORT_ALLOC: &str = "salus_alloc";
/// Runs once, when the contract is instantiated.
pub const EXPORT_INSTANTIATE: &str = "salus_instantiate";
/// Runs a transaction.
pub const EXPORT_EXECUTE: &str = "salus_execute";
/// Answers an access request; read-only.
pub const EXPORT_DECIDE: &str = "salus_decide";
/// Answers a question; read-only.
pub const EXPORT_QUERY: &str = "salus_query";
/// Runs once, when the contract's code is replaced.
pub const EXPORT_MIGRATE: &str = "salus_migrate";

/// `call_read` of `salus_query`.
pub const READ_QUERY: i32 = 0;
/// `call_read` of `salus_decide`.
pub const READ_DECIDE: i32 = 1;

/// Bytes of a state key, at most.
pub const KEY_LENGTH_MAX: usize = 128;
/// Bytes of a state value, at most.
pub const VALUE_LENGTH_MAX: usize = 32 << 10;
/// Bytes of an input or output, at most.
pub const MESSAGE_LENGTH_MAX: usize = 64 << 10;
/// Bytes of one event, at most.
pub const EVENT_LENGTH_MAX: usize = 1 << 10;
/// Events of one transaction, at most.
pub const EVENTS_MAX: usize = 16;
/// Nested `call_read`s, at most.
pub const CALL_DEPTH_MAX: usize = 4;
