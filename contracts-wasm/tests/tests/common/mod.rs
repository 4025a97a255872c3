//! Steps that several scenarios take.
#![allow(dead_code, reason = "each test binary takes only some of them")]
#![allow(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

use salus_abi::access::{
    AddRecord, Decision, Grant, GrantAccess, LiftPenalty, Purpose, Purposes, RecordClass, RecordId,
    RegisterRule, Retrieve, RevokeAccess, RuleScope, Scope, Standing, Ticket, TicketId, entry, query,
};
use salus_abi::codec::{Decode, Encode};
use salus_abi::registry::{self, AddUser, Role};
use salus_abi::{ContractId, PrincipalId, RecordNumber};
use salus_contract_tests::who::{ADMIN, PATIENT};
use salus_contract_tests::{Answer, World, person_key, record_of};

/// What people do with the access contract.
pub(crate) trait Steps {
    fn access<O: Encode + Decode<()>>(
        &mut self,
        caller: PrincipalId,
        entry: u8,
        argument: &impl Encode,
    ) -> Answer<O>;
    fn ask<O: Encode + Decode<()>>(&self, query: u8, argument: &impl Encode) -> O;

    fn add(&mut self, author: PrincipalId, record: &AddRecord) -> Answer<RecordNumber> {
        self.access(author, entry::ADD_RECORD, record)
    }

    /// A clinical record of [`PATIENT`] with receipts of three members.
    fn add_record(&mut self, author: PrincipalId, digest: u8) -> RecordNumber {
        let record = record_of(author, PATIENT, digest, RecordClass::Clinical, &[0, 1, 2]);
        self.add(author, &record).result.unwrap()
    }

    fn grant(&mut self, patient: PrincipalId, grant: &GrantAccess) -> Answer<u32> {
        self.access(patient, entry::GRANT, grant)
    }

    fn revoke(&mut self, patient: PrincipalId, grantee: PrincipalId, number: Option<u32>) -> Answer<()> {
        self.access(patient, entry::REVOKE, &RevokeAccess { grantee, number })
    }

    fn retrieve(&mut self, requester: PrincipalId, request: &Retrieve) -> Answer<Decision> {
        self.access(requester, entry::RETRIEVE, request)
    }

    fn lift(&mut self, admin: PrincipalId, principal: PrincipalId) -> Answer<()> {
        self.access(admin, entry::LIFT_PENALTY, &LiftPenalty { principal })
    }

    fn rule(&mut self, admin: PrincipalId, scope: RuleScope, rule: ContractId, remove: bool) -> Answer<()> {
        self.access(admin, entry::REGISTER_RULE, &RegisterRule { scope, rule, remove })
    }

    /// Registers a rule as the chain does when the members have voted.
    fn voted_rule(&mut self, scope: RuleScope, rule: ContractId, remove: bool) -> Answer<()>;

    fn ticket(&self, record: u32, requester: PrincipalId) -> Option<Ticket> {
        let RecordId { patient, record } = id(record);
        self.ask(
            query::TICKET,
            &TicketId {
                patient,
                record,
                requester,
            },
        )
    }

    fn standing(&self, principal: PrincipalId) -> Standing {
        self.ask(query::STANDING, &principal)
    }
}

impl Steps for World {
    fn voted_rule(&mut self, scope: RuleScope, rule: ContractId, remove: bool) -> Answer<()> {
        let argument = RegisterRule { scope, rule, remove };
        self.execute(None, ContractId::ACCESS, entry::REGISTER_RULE, &argument)
    }

    fn access<O: Encode + Decode<()>>(
        &mut self,
        caller: PrincipalId,
        entry: u8,
        argument: &impl Encode,
    ) -> Answer<O> {
        self.execute(caller, ContractId::ACCESS, entry, argument)
    }

    fn ask<O: Encode + Decode<()>>(&self, query: u8, argument: &impl Encode) -> O {
        self.query(ContractId::ACCESS, query, argument).result.unwrap()
    }
}

/// A record of [`PATIENT`].
pub(crate) fn id(record: u32) -> RecordId {
    RecordId {
        patient: PATIENT,
        record: RecordNumber::new(record),
    }
}

pub(crate) fn request(patient: PrincipalId, record: u32, purpose: Purpose) -> Retrieve {
    Retrieve {
        patient,
        record: RecordNumber::new(record),
        purpose,
        emergency: false,
    }
}

/// A request to read a record of [`PATIENT`] for treatment.
pub(crate) fn treat(record: u32) -> Retrieve {
    request(PATIENT, record, Purpose::Treatment)
}

/// Everything, for treatment.
pub(crate) fn grant_all(grantee: PrincipalId, until_ms: u64) -> GrantAccess {
    let purposes = Purposes::of(&[Purpose::Treatment]);
    GrantAccess {
        grantee,
        grant: Grant {
            scope: Scope::All,
            purposes,
            until_ms,
        },
    }
}

/// Enrols doctors of hospital 0; the number of the first.
pub(crate) fn enrol_doctors(world: &mut World, count: u32) -> u32 {
    let mut first = None;
    for number in 0..count {
        let user = AddUser {
            signing_key: *person_key(1_000 + number).public().as_bytes(),
            encryption_key: [0; 32],
            role: Role::Doctor,
            address: None,
        };
        let id: PrincipalId = world
            .execute(ADMIN, ContractId::REGISTRY, registry::entry::ADD_USER, &user)
            .result
            .unwrap();
        first.get_or_insert(id.get());
    }
    first.unwrap()
}
