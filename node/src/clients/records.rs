//! Pieces of health records on their way between a client and a member, through this node, which can't read them.

use super::ClientDesk;
use crate::pieces;
use crate::wire::{LARGE_MAX, RecordAnswer, RecordAsk, Refusal};
use salus_api::PieceRefusal;
use salus_net::Protocol;
use salus_types::{MemberId, Signature, codec};
use std::sync::Arc;

impl ClientDesk {
    /// Hands a piece to a member and returns its signed receipt.
    pub(super) async fn store_piece(
        &self,
        member: MemberId,
        piece: Vec<u8>,
    ) -> Result<Signature, PieceRefusal> {
        match self.ask_member(member, RecordAsk::Store(piece)).await? {
            RecordAnswer::Stored(signature) => Ok(Signature::new(signature)),
            RecordAnswer::Refused(refusal) => Err(in_words(refusal, PieceRefusal::BadPiece)),
            RecordAnswer::Released(_) => Err(PieceRefusal::Unreachable),
        }
    }

    /// Hands a signed request to a member and returns its released piece.
    pub(super) async fn read_piece(
        &self,
        member: MemberId,
        request: Vec<u8>,
    ) -> Result<Vec<u8>, PieceRefusal> {
        match self.ask_member(member, RecordAsk::Release(request)).await? {
            RecordAnswer::Released(piece) => Ok(piece),
            RecordAnswer::Refused(refusal) => Err(in_words(refusal, PieceRefusal::BadRequest)),
            RecordAnswer::Stored(_) => Err(PieceRefusal::Unreachable),
        }
    }

    async fn ask_member(&self, member: MemberId, ask: RecordAsk) -> Result<RecordAnswer, PieceRefusal> {
        if member == self.view.me {
            let view = Arc::clone(&self.view);
            let answer = tokio::task::spawn_blocking(move || pieces::answer(&view, ask)).await;
            return answer.map_err(|_| PieceRefusal::Unreachable);
        }
        let asked = self.courier.ask(member, Protocol::Records, codec::encode(&ask));
        let answer = asked.map_err(|error| match error {
            salus_net::SendError::UnknownMember(member) => PieceRefusal::UnknownMember(member),
            _ => PieceRefusal::Unreachable,
        })?;
        let bytes = answer
            .await
            .ok()
            .and_then(Result::ok)
            .ok_or(PieceRefusal::Unreachable)?;
        codec::decode(&bytes, LARGE_MAX).map_err(|_| PieceRefusal::Unreachable)
    }
}

fn in_words(refusal: Refusal, malformed: PieceRefusal) -> PieceRefusal {
    match refusal {
        Refusal::Malformed | Refusal::Conflict => malformed,
        Refusal::NotSigned => PieceRefusal::BadRequest,
        Refusal::NoTicket => PieceRefusal::NoTicket,
        Refusal::NotHeld => PieceRefusal::NotHeld,
        Refusal::StorageFailed => PieceRefusal::Full,
        Refusal::Busy => PieceRefusal::Unreachable,
    }
}
