//! The macros that a Salus contract is written with. Authors reach them through `salus_sdk::prelude`.
//!
//! ```text
//! #[contract] struct     storage.rs   fields -> places in the state, trait Contract
//! #[contract_impl] impl  entries.rs   functions -> numbered entries, exports of salus0, the schema's bytes
//! #[derive(Schema)]      schema.rs    a message's type -> its description
//! #[derive(Codes)]       codes.rs     reasons and errors -> their numbers and names
//! ```
//!
//! What they generate is plain: constants, one exported function for each kind of entry, and a `match` on the entry's number. All
//! of it names only items of `salus_sdk`; nothing is looked up by convention. Whatever an author can get wrong is
//! refused here, at the place where it stands.
//!
//! [`macro@AbiSchema`] and [`macro@abi_codes`] are the same for `salus-abi`, on which the SDK rests and which cannot name it.

mod codes;
mod documentation;
mod entries;
mod schema;
mod storage;

use proc_macro::TokenStream;
use quote::quote;

/// Declares a contract by its state: a struct whose fields are `Item`, `Map` or `Index`.
///
/// ```text
/// #[contract(state_version = 1, events = Event, errors = Error::TABLE, reasons = Reason::TABLE)]
/// pub struct OfficeHours {
///     /// When the office is open.
///     #[at(b'h')]
///     hours: Item<Hours>,
/// }
/// ```
///
/// A field's entries begin with the byte of its `#[at(...)]`; without one it is the field's position, so fields are only
/// ever added at the end. `state_version` counts up when the meaning of the state changes. The struct derives `Debug` and
/// has a constant `STATE`, through which functions outside the contract's own methods reach the fields.
#[proc_macro_attribute]
pub fn contract(arguments: TokenStream, item: TokenStream) -> TokenStream {
    or_error(storage::expand(arguments.into(), item.into()))
}

/// Declares a contract's entries: the methods that carry `#[instantiate]`, `#[execute]`, `#[query]`, `#[decide]` or `#[migrate]`.
///
/// ```text
/// #[contract_impl]
/// impl OfficeHours {
///     #[instantiate]
///     pub fn instantiate(&self, cx: &mut Ctx, hours: Hours) -> Result<(), Error> { ... }
///     #[query]
///     pub fn hours(&self, cx: &Ctx) -> Result<Option<Hours>, Abort> { ... }
///     #[decide]
///     pub fn decide(&self, cx: &Ctx, request: AccessRequest) -> RuleDecision { ... }
/// }
/// ```
///
/// `#[execute]` and `#[query]` number their entries from 0 in the order in which they stand; `#[execute(3)]` gives a number,
/// from which the next ones count on. Two entries of one number are an error. `#[query]` and `#[decide]` take `&Ctx`,
/// all others `&mut Ctx`; each takes one argument, or none.
#[proc_macro_attribute]
pub fn contract_impl(arguments: TokenStream, item: TokenStream) -> TokenStream {
    or_error(entries::expand(arguments.into(), item.into()))
}

/// Describes a struct or an enum for the contract's schema. Fields must have descriptions too.
#[proc_macro_derive(Schema)]
pub fn schema(item: TokenStream) -> TokenStream {
    or_error(schema::expand(&quote!(::salus_sdk::abi::schema), item.into()))
}

/// [`macro@Schema`] for the types of `salus-abi`.
#[proc_macro_derive(AbiSchema)]
pub fn abi_schema(item: TokenStream) -> TokenStream {
    or_error(schema::expand(&quote!(crate::schema), item.into()))
}

/// Gives the variants of an enum their numbers as codes, and names in kebab case: reasons of refusals, or errors.
///
/// ```text
/// #[derive(Clone, Copy, Codes)]
/// pub enum Reason {
///     /// Outside office hours.
///     OutsideHours = 256, // "outside-hours"
/// }
/// ```
///
/// Each variant needs a number of its own. The enum gets a constant `TABLE` for `#[contract]`, and turns into an `Abort`.
#[proc_macro_derive(Codes)]
pub fn codes(item: TokenStream) -> TokenStream {
    or_error(codes::expand_enum(item.into()))
}

/// Adds a `TABLE` of its codes to a module of `salus-abi` with constants of type `u16`.
#[proc_macro_attribute]
pub fn abi_codes(_: TokenStream, item: TokenStream) -> TokenStream {
    or_error(codes::expand_module(&quote!(crate::schema), item.into()))
}

fn or_error(result: syn::Result<proc_macro2::TokenStream>) -> TokenStream {
    result.unwrap_or_else(syn::Error::into_compile_error).into()
}
