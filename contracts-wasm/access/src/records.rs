//! Records: what the chain knows of a ciphertext that the members hold in pieces.

use crate::{caller, require_patient};
use alloc::vec::Vec;
use salus_sdk::abi::access::{
    AccessEvent, AddRecord, Record, RecordId, ReplaceRecord, Shred, StoredReceipt, error,
    stored_receipt_payload,
};
use salus_sdk::abi::care;
use salus_sdk::abi::domain::{self, Tag};
use salus_sdk::abi::registry::{Role, query};
use salus_sdk::{Abort, ContractId, Ctx, Map, PrincipalId, RecordNumber};

const RECORDS: Map<(PrincipalId, RecordNumber), Record> = Map::new(b'r');
const NEXT: Map<PrincipalId, RecordNumber> = Map::new(b'n');
const ROOTS: Map<[u8; 32], RecordId> = Map::new(b'd');

/// Records in one answer, at most.
const LIST_MAX: usize = 64;

pub(crate) fn load(cx: &Ctx, id: RecordId) -> Option<Record> {
    RECORDS.get(cx, &(id.patient, id.record))
}

pub(crate) fn add_record(cx: &mut Ctx, argument: AddRecord) -> Result<RecordNumber, Abort> {
    let patient = argument.patient;
    let record = check(cx, &argument)?;
    let number = NEXT.get(cx, &patient).unwrap_or(RecordNumber::new(0));
    let next = number.next().ok_or(Abort(error::TOO_MANY))?;
    NEXT.set(cx, &patient, &next);
    let id = RecordId {
        patient,
        record: number,
    };
    save(cx, id, &record);
    cx.emit(&AccessEvent::RecordAdded(id));
    Ok(number)
}

/// Another dealing takes the place of the one in force, whose root stays taken. Tickets are for the record by its number, so
/// whoever may read it goes on reading it.
pub(crate) fn replace(cx: &mut Ctx, argument: ReplaceRecord) -> Result<(), Abort> {
    let ReplaceRecord { record, dealing } = argument;
    let id = RecordId {
        patient: dealing.patient,
        record,
    };
    let new = check(cx, &dealing)?;
    let old = load(cx, id).ok_or(Abort(error::UNKNOWN_RECORD))?;
    if old.author != new.author || old.class != new.class {
        return Err(Abort(error::NOT_ALLOWED));
    }
    save(cx, id, &new);
    cx.emit(&AccessEvent::RecordReplaced {
        record: id,
        before: old.root,
    });
    Ok(())
}

/// Forgets a record, whose number and root stay taken. Members delete their pieces of it when they see the event.
pub(crate) fn shred(cx: &mut Ctx, argument: Shred) -> Result<(), Abort> {
    let by = caller(cx)?;
    let id = argument.record;
    require_patient(cx, id.patient)?;
    let admin = cx.has_role(by, Role::Admin) && cx.organisation_of(by) == cx.organisation_of(id.patient);
    if by != id.patient && !admin {
        return Err(Abort(error::NOT_ALLOWED));
    }
    let record = load(cx, id).ok_or(Abort(error::UNKNOWN_RECORD))?;
    if cx.query(ContractId::CARE, care::query::MAY_SHRED, &id) != Some(true) {
        return Err(Abort(error::HELD));
    }
    RECORDS.remove(cx, &(id.patient, id.record));
    cx.emit(&AccessEvent::RecordShredded {
        record: id,
        root: record.root,
        by,
    });
    Ok(())
}

/// Checks a dealing of the caller's; what the chain will know of it.
fn check(cx: &Ctx, argument: &AddRecord) -> Result<Record, Abort> {
    let author = caller(cx)?;
    require_patient(cx, argument.patient)?;
    if !may_write(cx, author, argument.patient) {
        return Err(Abort(error::NOT_ALLOWED));
    }
    check_dealing(argument, cx.member_count())?;
    if ROOTS.get(cx, &argument.root).is_some() {
        return Err(Abort(error::DUPLICATE));
    }
    check_receipts(cx, author, argument)?;
    Ok(Record {
        digest: argument.digest,
        root: argument.root,
        threshold: argument.threshold,
        pieces: argument.pieces,
        size_bucket: argument.size_bucket,
        class: argument.class,
        author,
        time_ms: cx.time_ms(),
    })
}

fn save(cx: &mut Ctx, id: RecordId, record: &Record) {
    RECORDS.set(cx, &(id.patient, id.record), record);
    ROOTS.set(cx, &record.root, &id);
}

pub(crate) fn record(cx: &Ctx, id: RecordId) -> Result<Option<Record>, Abort> {
    Ok(load(cx, id))
}

pub(crate) fn records(cx: &Ctx, patient: PrincipalId) -> Result<Vec<(RecordNumber, Record)>, Abort> {
    let next = NEXT.get(cx, &patient).map_or(0, RecordNumber::get);
    let newest = (0..next).rev().take(LIST_MAX).map(RecordNumber::new);
    Ok(newest
        .filter_map(|number| Some((number, RECORDS.get(cx, &(patient, number))?)))
        .collect())
}

/// Doctors and managers write for every patient; patients and their devices for themselves.
fn may_write(cx: &Ctx, author: PrincipalId, patient: PrincipalId) -> bool {
    author == patient
        || cx.has_role(author, Role::Doctor)
        || cx.has_role(author, Role::Manager)
        || (cx.has_role(author, Role::Device)
            && cx.query(ContractId::REGISTRY, query::OWNS_DEVICE, &(author, patient)) == Some(true))
}

/// Checks numbers that need no signature: who opens the record, and how many members hold it.
fn check_dealing(argument: &AddRecord, members: usize) -> Result<(), Abort> {
    let faulty = members.saturating_sub(1) / 3;
    let receipts = argument.receipts.len();
    let enough = receipts >= members.saturating_sub(faulty) && receipts > 0;
    if !enough || receipts > usize::from(argument.pieces) {
        return Err(Abort(error::BAD_RECEIPTS));
    }
    // At most `faulty` lie: one more is needed to open, and those who signed must suffice to do so.
    let threshold = usize::from(argument.threshold);
    if threshold <= faulty || threshold > receipts {
        return Err(Abort(error::OUT_OF_RANGE));
    }
    let sorted = argument
        .receipts
        .is_sorted_by(|one, other| one.member < other.member);
    if sorted {
        Ok(())
    } else {
        Err(Abort(error::BAD_RECEIPTS))
    }
}

/// Checks that members signed for these very pieces, of this author's record of this patient.
fn check_receipts(cx: &Ctx, author: PrincipalId, argument: &AddRecord) -> Result<(), Abort> {
    let chain_id = cx.chain_id();
    let valid = |receipt: &StoredReceipt| {
        let AddRecord {
            patient,
            digest,
            root,
            ..
        } = argument;
        let payload = stored_receipt_payload(receipt.member, *patient, author, digest, root);
        let message = domain::message(Tag::RECORD_RECEIPT, &chain_id, &payload);
        let key = cx.member_key(receipt.member);
        key.is_some_and(|key| cx.verify(&key, &message, &receipt.signature))
    };
    if argument.receipts.iter().all(valid) {
        Ok(())
    } else {
        Err(Abort(error::BAD_RECEIPTS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use salus_sdk::MemberId;
    use salus_sdk::abi::access::{RecordClass, record_key};

    fn dealing(threshold: u8, pieces: u8, members: &[u16]) -> AddRecord {
        let receipt = |member: &u16| StoredReceipt {
            member: MemberId::new(*member),
            signature: [0; 64],
        };
        AddRecord {
            patient: PrincipalId::new(1),
            digest: [1; 32],
            root: [2; 32],
            threshold,
            pieces,
            size_bucket: 40,
            class: RecordClass::Clinical,
            receipts: members.iter().map(receipt).collect(),
        }
    }

    #[test]
    fn a_dealing_needs_enough_receipts_and_a_threshold_that_liars_do_not_reach() {
        let check = |threshold, members: &[u16]| check_dealing(&dealing(threshold, 7, members), 7);
        assert_eq!(
            check(3, &[0, 1, 2, 3, 4]),
            Ok(()),
            "n = 7, f = 2: five receipts, three pieces"
        );
        assert_eq!(check(5, &[0, 1, 2, 3, 4]), Ok(()), "an author may ask for more");
        assert_eq!(
            check(3, &[0, 1, 2, 3]),
            Err(Abort(error::BAD_RECEIPTS)),
            "too few"
        );
        assert_eq!(
            check(3, &[0, 1, 2, 3, 3]),
            Err(Abort(error::BAD_RECEIPTS)),
            "repeated"
        );
        assert_eq!(
            check(3, &[0, 2, 1, 3, 4]),
            Err(Abort(error::BAD_RECEIPTS)),
            "unsorted"
        );
        assert_eq!(
            check(2, &[0, 1, 2, 3, 4]),
            Err(Abort(error::OUT_OF_RANGE)),
            "two may lie"
        );
        assert_eq!(
            check(6, &[0, 1, 2, 3, 4]),
            Err(Abort(error::OUT_OF_RANGE)),
            "five hold it"
        );
        assert_eq!(check_dealing(&dealing(1, 1, &[0]), 1), Ok(()), "a network of one");
        assert_eq!(
            check_dealing(&dealing(1, 0, &[]), 0),
            Err(Abort(error::BAD_RECEIPTS))
        );
        assert_eq!(
            check_dealing(&dealing(3, 4, &[0, 1, 2, 3, 4]), 7),
            Err(Abort(error::BAD_RECEIPTS)),
            "more receipts than pieces",
        );
    }

    #[test]
    fn records_lie_where_the_interface_says() {
        let id = RecordId {
            patient: PrincipalId::new(0x0102_0304),
            record: RecordNumber::new(0x0506_0708),
        };
        assert_eq!(RECORDS.state_key(&(id.patient, id.record)), record_key(id));
    }
}
