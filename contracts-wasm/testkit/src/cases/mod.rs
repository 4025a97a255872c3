//! Cases in YAML: who asks what and when, and what must come of it. For people who don't program.
//!
//! ```yaml
//! contracts:                       # what is deployed beside the registry and the access contract
//!   - name: office_hours
//!     wasm: ../artifacts/office_hours.wasm   # seen from this file
//!     argument: "fb01e0fb04381f00"           # the canonical bytes of what it is instantiated with
//!     register: { hospital: 0 }              # whose requests it is asked about
//! reasons: { outside-hours: 256 }  # names for a rule's own codes
//! records:
//!   - { patient: patient, class: clinical, author: doctor }
//! grants:
//!   - { by: patient, to: doctor, purposes: [TREAT], until: 2027-01-01 }
//! cases:
//!   - name: nobody reads at night
//!     who: doctor
//!     at: 2026-01-05T02:00:00Z
//!     what: { patient: patient, record: 0, purpose: TREAT }
//!     expect: deny
//!     reason: outside-hours
//! ```
//!
//! Every case begins from the same state, that after `records` and `grants`, so their order means nothing. Without
//! `ask`, a case sends the transaction `retrieve` to the access contract; with `ask: office_hours` it asks that rule alone.
//!
//! A file that can't be read is one [`CasesError`] with its line; a case that comes out otherwise is a [`CaseOutcome`].

mod file;
mod run;

pub use file::{Case, CasesError, Expectation, File, Register, Target};
pub use run::{Actual, CaseOutcome, Suite};
