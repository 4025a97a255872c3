use crate::{Identity, PublicIdentity};
use salus_records::{ReadRequest, SignedReadRequest};
use salus_types::abi::access::{
    self, AddRecord, Grant, GrantAccess, LiftPenalty, OpenBlocks, Purpose, RegisterRule, Retrieve,
    RevokeAccess, RuleScope,
};
use salus_types::abi::domain::Tag;
use salus_types::abi::registry::{self, AddUser, DeleteUser, PatientAddress, Role, RotateKeys, SetAttribute};
use salus_types::codec::{self, Encode};
use salus_types::{
    Call, ChainId, ContractId, Gas, Height, MemberId, OPEN_REQUEST_MS_MAX, OpenRequest, PrincipalId,
    RecordNumber, Sequence, SignedOpenRequest, SystemCall, Timestamp, TransactionPayload,
    UnverifiedTransaction,
};

/// Builds and signs what one principal sends to one network.
#[derive(Clone, Debug)]
pub struct Signer {
    chain: ChainId,
    principal: PrincipalId,
    identity: Identity,
}

/// What every transaction needs besides its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The sender's count of executed transactions.
    pub sequence: Sequence,
    /// The last height at which it may be executed.
    pub expires: Height,
    /// The most it may cost.
    pub gas_limit: Gas,
}

impl Signer {
    /// The signer of a registered principal.
    pub const fn new(chain: ChainId, principal: PrincipalId, identity: Identity) -> Self {
        Self {
            chain,
            principal,
            identity,
        }
    }

    /// On which network.
    pub const fn chain(&self) -> &ChainId {
        &self.chain
    }

    /// For whom.
    pub const fn principal(&self) -> PrincipalId {
        self.principal
    }

    /// With which keys.
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// A call of any contract's entry.
    pub fn call<T: Encode>(
        &self,
        contract: ContractId,
        entry: u8,
        input: &T,
        terms: Terms,
    ) -> UnverifiedTransaction {
        self.call_encoded(contract, entry, codec::encode(input), terms)
    }

    /// The same with an argument that is encoded already.
    pub fn call_encoded(
        &self,
        contract: ContractId,
        entry: u8,
        input: Vec<u8>,
        terms: Terms,
    ) -> UnverifiedTransaction {
        self.sign(
            Call::Contract {
                contract,
                entry,
                input,
            },
            terms,
        )
    }

    /// A system call.
    pub fn system(&self, call: SystemCall, terms: Terms) -> UnverifiedTransaction {
        self.sign(Call::System(call), terms)
    }

    /// Changes the addresses of the operator's own member: at most 4 multiaddresses of at most 128 bytes.
    pub fn set_addresses(
        &self,
        member: MemberId,
        addresses: Vec<String>,
        terms: Terms,
    ) -> UnverifiedTransaction {
        self.system(SystemCall::SetAddresses { member, addresses }, terms)
    }

    /// Has the blocks of a range dealt anew for the present members. Callers: operators.
    pub fn start_reseal(&self, from: Height, to: Height, terms: Terms) -> UnverifiedTransaction {
        self.system(SystemCall::StartReseal { from, to }, terms)
    }

    /// Ends the reseal under way. Callers: operators.
    pub fn stop_reseal(&self, terms: Terms) -> UnverifiedTransaction {
        self.system(SystemCall::StopReseal, terms)
    }

    /// AddUser: registers a principal at the caller's hospital. `address` is for patients and devices only.
    pub fn add_user(
        &self,
        keys: &PublicIdentity,
        role: Role,
        address: Option<PatientAddress>,
        terms: Terms,
    ) -> UnverifiedTransaction {
        let input = AddUser {
            signing_key: *keys.signing_key.as_bytes(),
            encryption_key: *keys.encryption_key.as_bytes(),
            role,
            address,
        };
        self.call(ContractId::REGISTRY, registry::entry::ADD_USER, &input, terms)
    }

    /// DeleteUser: ends a principal's right to act.
    pub fn delete_user(&self, principal: PrincipalId, terms: Terms) -> UnverifiedTransaction {
        let input = DeleteUser { principal };
        self.call(ContractId::REGISTRY, registry::entry::DELETE_USER, &input, terms)
    }

    /// Replaces the caller's own keys. Signed with the present key; the new one proves that its owner has it.
    pub fn rotate_keys(&self, new: &Identity, terms: Terms) -> UnverifiedTransaction {
        let PublicIdentity {
            signing_key,
            encryption_key,
        } = new.public();
        let mut claim = self.principal.get().to_be_bytes().to_vec();
        claim.extend_from_slice(signing_key.as_bytes());
        claim.extend_from_slice(encryption_key.as_bytes());
        let proof = new.signing().sign(Tag::KEY_PROOF, &self.chain, &claim);
        let input = RotateKeys {
            signing_key: *signing_key.as_bytes(),
            encryption_key: *encryption_key.as_bytes(),
            proof: *proof.as_bytes(),
        };
        self.call(ContractId::REGISTRY, registry::entry::ROTATE_KEYS, &input, terms)
    }

    /// Sets an attribute of at most 64 bytes, or clears it with `None`.
    pub fn set_attribute(
        &self,
        principal: PrincipalId,
        number: u16,
        value: Option<Vec<u8>>,
        terms: Terms,
    ) -> UnverifiedTransaction {
        let input = SetAttribute {
            principal,
            number,
            value,
        };
        self.call(
            ContractId::REGISTRY,
            registry::entry::SET_ATTRIBUTE,
            &input,
            terms,
        )
    }

    /// Puts a dispersed record on the chain; the input comes from [`Upload::finish`](crate::Upload::finish).
    pub fn add_record(&self, record: &AddRecord, terms: Terms) -> UnverifiedTransaction {
        self.call(ContractId::ACCESS, access::entry::ADD_RECORD, record, terms)
    }

    /// Lets someone read the calling patient's records.
    pub fn grant(&self, grantee: PrincipalId, grant: Grant, terms: Terms) -> UnverifiedTransaction {
        let input = GrantAccess { grantee, grant };
        self.call(ContractId::ACCESS, access::entry::GRANT, &input, terms)
    }

    /// Ends one of the calling patient's grants, or with `None` all to that principal.
    pub fn revoke(&self, grantee: PrincipalId, number: Option<u32>, terms: Terms) -> UnverifiedTransaction {
        let input = RevokeAccess { grantee, number };
        self.call(ContractId::ACCESS, access::entry::REVOKE, &input, terms)
    }

    /// RetrieveEHRs: asks for a record. `emergency` breaks the glass.
    pub fn retrieve(
        &self,
        patient: PrincipalId,
        record: RecordNumber,
        purpose: Purpose,
        emergency: bool,
        terms: Terms,
    ) -> UnverifiedTransaction {
        let input = Retrieve {
            patient,
            record,
            purpose,
            emergency,
        };
        self.call(ContractId::ACCESS, access::entry::RETRIEVE, &input, terms)
    }

    /// Lifts a penalty; for admins of the penalised principal's hospital.
    pub fn lift_penalty(&self, principal: PrincipalId, terms: Terms) -> UnverifiedTransaction {
        let input = LiftPenalty { principal };
        self.call(ContractId::ACCESS, access::entry::LIFT_PENALTY, &input, terms)
    }

    /// Asks for a ticket to have blocks opened.
    pub fn open_blocks(
        &self,
        from: Height,
        to: Height,
        purpose: Purpose,
        terms: Terms,
    ) -> UnverifiedTransaction {
        let input = OpenBlocks {
            from: from.get(),
            to: to.get(),
            purpose,
        };
        self.call(ContractId::ACCESS, access::entry::OPEN_BLOCKS, &input, terms)
    }

    /// The wish, once there is a ticket, that `recipient` gathers and opens blocks; good for a minute from `time`, which is now.
    pub fn open_request(
        &self,
        from: Height,
        to: Height,
        recipient: MemberId,
        time: Timestamp,
    ) -> SignedOpenRequest {
        let request = OpenRequest {
            principal: self.principal,
            from,
            to,
            recipient,
            expires: time.saturating_add(OPEN_REQUEST_MS_MAX / 2),
        };
        request.sign(self.identity.signing(), &self.chain)
    }

    /// Adds a rule contract to a scope, or removes it.
    pub fn register_rule(
        &self,
        scope: RuleScope,
        rule: ContractId,
        remove: bool,
        terms: Terms,
    ) -> UnverifiedTransaction {
        let input = RegisterRule { scope, rule, remove };
        self.call(ContractId::ACCESS, access::entry::REGISTER_RULE, &input, terms)
    }

    /// The question to every member for its piece of a record, once there is a ticket. `time` is now.
    pub fn read_request(
        &self,
        patient: PrincipalId,
        record: RecordNumber,
        time: Timestamp,
    ) -> SignedReadRequest {
        let request = ReadRequest {
            patient,
            record,
            requester: self.principal,
            time,
        };
        request.sign(self.identity.signing(), &self.chain)
    }

    fn sign(&self, call: Call, terms: Terms) -> UnverifiedTransaction {
        let Terms {
            sequence,
            expires,
            gas_limit,
        } = terms;
        let payload = TransactionPayload {
            sender: self.principal,
            sequence,
            expires,
            gas_limit,
            call,
        };
        payload.sign(self.identity.signing(), &self.chain)
    }
}
