//! What members are asked for, and what they answer.

use super::{Archivist, Event, Waiting};
use crate::courier::Answer;
use crate::wire::{LARGE_MAX, ShareAnswer, ShareAsk, SharePurpose, Withheld};
use salus_archive::{Input, Purpose, RequestId, ShareRefusal};
use salus_net::{Protocol, RequestError, SendError};
use salus_store::StoreError;
use salus_types::{BlockId, Height, MemberId, codec};

impl Archivist {
    /// What a holder is told. The chain's own read of a block that it must commit, or vote on, is no read: nobody looks at it.
    pub(super) fn stated_purpose(&self, purpose: Purpose, height: Height, block: &BlockId) -> SharePurpose {
        let for_chain = |waiting: &Waiting| match waiting {
            Waiting::Chain(header) | Waiting::Vote(header) => header.height == height,
            Waiting::Reader { .. } | Waiting::Reseal(_) => false,
        };
        match purpose {
            Purpose::Sync => SharePurpose::Sync,
            Purpose::Repair => SharePurpose::Repair,
            Purpose::Reseal => SharePurpose::Reseal,
            Purpose::Read if self.waiting.values().any(for_chain) => SharePurpose::Sync,
            Purpose::Read => SharePurpose::Read(self.wishes.get(block).copied()),
        }
    }

    pub(super) fn ask(
        &mut self,
        request: RequestId,
        member: MemberId,
        ask: &ShareAsk,
    ) -> Result<(), StoreError> {
        let inbox = self.inbox_sender.clone();
        let asked = self
            .courier
            .ask_then(member, Protocol::Shares, codec::encode(ask), move |answer| {
                // A lost answer is a silent member: the archive asks another one.
                let _ = inbox.try_send(Event::Answered {
                    request,
                    member,
                    answer,
                });
            });
        match asked {
            Ok(()) => Ok(()),
            Err(error) => {
                let answer = Err(match error {
                    SendError::Busy => RequestError::Busy,
                    _ => RequestError::NotConnected,
                });
                self.on_answer(request, member, answer)
            }
        }
    }

    /// What a member answered, in the archive's terms. An answer of the wrong kind is as good as none.
    pub(super) fn on_answer(
        &mut self,
        request: RequestId,
        member: MemberId,
        answer: Answer,
    ) -> Result<(), StoreError> {
        let refusal = match &answer {
            Ok(_) => ShareRefusal::NotHeld,
            Err(RequestError::Busy) => ShareRefusal::Busy,
            Err(_) => ShareRefusal::Unreachable,
        };
        let answer = answer
            .ok()
            .and_then(|bytes| codec::decode::<ShareAnswer>(&bytes, LARGE_MAX).ok());
        let input = match answer {
            Some(ShareAnswer::Share(share)) => Input::Share {
                request,
                member,
                result: Ok(share),
            },
            Some(ShareAnswer::Resealed { commitment, share }) => Input::Resealed {
                request,
                member,
                commitment,
                share,
            },
            Some(ShareAnswer::Headers {
                headers,
                certificate: Some(certificate),
            }) => Input::Headers {
                request,
                member,
                headers,
                certificate: Box::new(certificate),
            },
            Some(ShareAnswer::Headers { .. }) => Input::HeadersRefused { request, member },
            Some(ShareAnswer::Validators(validators)) => Input::ValidatorsNamed {
                request,
                member,
                validators,
            },
            Some(ShareAnswer::Snapshots(offers)) => Input::Snapshots {
                request,
                member,
                offers,
            },
            Some(ShareAnswer::SnapshotPart(part)) => Input::Part {
                request,
                member,
                result: Ok(part),
            },
            Some(ShareAnswer::Withheld(why)) => Input::Share {
                request,
                member,
                result: Err(match why {
                    Withheld::NotAllowed => ShareRefusal::NotAllowed,
                    Withheld::Busy => ShareRefusal::Busy,
                }),
            },
            Some(
                ShareAnswer::Missing
                | ShareAnswer::Holds(_)
                | ShareAnswer::Parcel(_)
                | ShareAnswer::Receipt(_),
            )
            | None => {
                self.feed(Input::HeadersRefused { request, member })?;
                self.feed(Input::Snapshots {
                    request,
                    member,
                    offers: Vec::new(),
                })?;
                self.feed(Input::Part {
                    request,
                    member,
                    result: Err(refusal),
                })?;
                Input::Share {
                    request,
                    member,
                    result: Err(refusal),
                }
            }
        };
        self.feed(input)
    }
}
