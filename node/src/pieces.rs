//! This member's part in keeping and releasing health records: pieces in, receipts out; tickets in, pieces out.

use crate::view::View;
use crate::wire::{RecordAnswer, RecordAsk, Refusal};
use salus_records::{
    CheckedPiece, EncryptionKey, Piece, ReleaseSecret, Seed, SignedReadRequest, VerifiedReadRequest,
};
use salus_store::StoreError;
use salus_types::abi::access::{self, Record, RecordId, Ticket, TicketId};
use salus_types::abi::registry::{Principal, Status};
use salus_types::codec::{self, Decode, Encode};
use salus_types::{ContractId, Hash, PublicKey};

/// Answers a member, or a client through this node.
pub(crate) fn answer(view: &View, ask: RecordAsk) -> RecordAnswer {
    let answer = match ask {
        RecordAsk::Store(piece) => store(view, &piece).map(RecordAnswer::Stored),
        RecordAsk::Release(request) => release(view, &request).map(RecordAnswer::Released),
    };
    answer.unwrap_or_else(RecordAnswer::Refused)
}

/// Checks a piece, makes it durable, and only then signs that it is here.
fn store(view: &View, bytes: &[u8]) -> Result<[u8; 64], Refusal> {
    let piece = Piece::decode(bytes).map_err(|_| Refusal::Malformed)?;
    let root = piece.root().map_err(|_| Refusal::Malformed)?;
    let (checked, _) = opened(view, &piece, &root).ok_or(Refusal::Malformed)?;
    view.pieces.put(&root, bytes).map_err(|error| match error {
        StoreError::PieceConflict(_) => Refusal::Conflict,
        error => {
            tracing::error!(%error, "could not store a piece of a record");
            Refusal::StorageFailed
        }
    })?;
    Ok(checked.receipt(&view.keys.consensus).signature)
}

/// Releases the own piece to whoever this node's own state says may have it.
fn release(view: &View, bytes: &[u8]) -> Result<Vec<u8>, Refusal> {
    let request = SignedReadRequest::decode(bytes).map_err(|_| Refusal::Malformed)?;
    let asked = request.request;
    let requester = requester(view, &request)?;
    let verified = request
        .verify(
            &view.chain,
            &PublicKey::new(requester.signing_key),
            view.clock.wall(),
        )
        .map_err(|_| Refusal::NotSigned)?;
    let id = TicketId {
        patient: asked.patient,
        record: asked.record,
        requester: asked.requester,
    };
    let ticket: Option<Ticket> = query(view, access::query::TICKET, &id)?;
    if ticket.is_none_or(|ticket| ticket.until_ms < view.clock.wall().get()) {
        return Err(Refusal::NoTicket);
    }
    let record: Option<Record> = query(
        view,
        access::query::RECORD,
        &RecordId {
            patient: asked.patient,
            record: asked.record,
        },
    )?;
    release_piece(view, &verified, &record.ok_or(Refusal::NoTicket)?, &requester)
}

fn release_piece(
    view: &View,
    request: &VerifiedReadRequest,
    record: &Record,
    requester: &Principal,
) -> Result<Vec<u8>, Refusal> {
    let bytes = view.pieces.get(&Hash::new(record.root)).map_err(|error| {
        tracing::error!(%error, "could not read a piece of a record");
        Refusal::NotHeld
    })?;
    let piece = Piece::decode(&bytes.ok_or(Refusal::NotHeld)?).map_err(|_| Refusal::NotHeld)?;
    let root = Hash::new(record.root);
    let (piece, secret) = opened(view, &piece, &root).ok_or(Refusal::NotHeld)?;
    let key = EncryptionKey::new(requester.encryption_key);
    let released = piece
        .release(secret, request, record, &key, Seed::new(view.random()))
        .map_err(|_| Refusal::Malformed)?;
    Ok(released.encode())
}

/// Checks a piece under the release key to which it was sealed: the one in use, or one from before or after a change.
fn opened<'a>(view: &'a View, piece: &Piece, root: &Hash) -> Option<(CheckedPiece, &'a ReleaseSecret)> {
    view.keys.releases().find_map(|secret| {
        let checked = piece.clone().check(&view.chain, view.me, root, secret).ok()?;
        Some((checked, secret))
    })
}

fn requester(view: &View, request: &SignedReadRequest) -> Result<Principal, Refusal> {
    let principal = view
        .executor
        .sender(&view.index, request.request.requester)
        .map_err(|fault| {
            tracing::error!(%fault, "the state could not be read");
            Refusal::Busy
        })?;
    principal
        .filter(|principal| principal.status == Status::Active)
        .ok_or(Refusal::NotSigned)
}

/// Asks the access contract on the committed state.
fn query<T: Encode + Decode<()>>(view: &View, entry: u8, argument: &impl Encode) -> Result<T, Refusal> {
    let answer = crate::query::contract(view, ContractId::ACCESS, entry, &codec::encode(argument), None);
    let answer = answer.map_err(|error| {
        tracing::error!(%error, "the access contract could not be asked");
        Refusal::Busy
    })?;
    codec::decode(&answer.output, 1 << 16).map_err(|_| Refusal::Busy)
}
