//! Opening blocks: whose wish to have them opened the members follow.

use crate::{caller, standing};
use salus_sdk::abi::access::{AccessEvent, OPEN_HEIGHTS_MAX, OpenBlocks, OpenTicket, TICKET_MS, error};
use salus_sdk::abi::registry::Role;
use salus_sdk::{Abort, Ctx, Map, PrincipalId};

const OPEN_TICKETS: Map<PrincipalId, OpenTicket> = Map::new(b'o');

/// Whose blocks a caller may have opened, by its role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// Any, a bounded number at once.
    Any,
    /// Those that extend its own access log. Which they are the contract does not know: the log's entries stand in
    /// bodies, and the state keeps their count and head only.
    OwnLog,
}

pub(crate) fn open_blocks(cx: &mut Ctx, argument: OpenBlocks) -> Result<OpenTicket, Abort> {
    let principal = caller(cx)?;
    let now_ms = cx.time_ms();
    let reach = reach(cx, principal)?;
    if standing::load(cx, principal).penalised(now_ms) {
        return Err(Abort(error::NOT_ALLOWED));
    }
    check_range(&argument, reach, cx.height())?;
    let ticket = OpenTicket {
        from: argument.from,
        to: argument.to,
        purpose: argument.purpose,
        own_log_only: reach == Reach::OwnLog,
        until_ms: now_ms.saturating_add(TICKET_MS),
    };
    OPEN_TICKETS.set(cx, &principal, &ticket);
    cx.emit(&AccessEvent::OpenTicket { principal, ticket });
    Ok(ticket)
}

/// A ticket that opens now.
pub(crate) fn open_ticket(cx: &Ctx, principal: PrincipalId) -> Result<Option<OpenTicket>, Abort> {
    let ticket = OPEN_TICKETS.get(cx, &principal);
    Ok(ticket.filter(|ticket| ticket.until_ms > cx.time_ms() && cx.organisation_of(principal).is_some()))
}

fn reach(cx: &Ctx, principal: PrincipalId) -> Result<Reach, Abort> {
    if cx.has_role(principal, Role::Auditor) || cx.has_role(principal, Role::Admin) {
        Ok(Reach::Any)
    } else if cx.has_role(principal, Role::Patient) {
        Ok(Reach::OwnLog)
    } else {
        Err(Abort(error::NOT_ALLOWED))
    }
}

fn check_range(argument: &OpenBlocks, reach: Reach, height: u64) -> Result<(), Abort> {
    let OpenBlocks { from, to, .. } = *argument;
    let few = reach == Reach::OwnLog || to.saturating_sub(from) < OPEN_HEIGHTS_MAX;
    if from >= 1 && from <= to && to <= height && few {
        Ok(())
    } else {
        Err(Abort(error::OUT_OF_RANGE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use salus_sdk::abi::access::Purpose;
    use salus_sdk::abi::codec;

    fn asked(from: u64, to: u64) -> OpenBlocks {
        let purpose = Purpose::Operations;
        OpenBlocks { from, to, purpose }
    }

    #[test]
    fn blocks_must_be_there_and_few_unless_they_are_the_callers_own() {
        for reach in [Reach::Any, Reach::OwnLog] {
            assert_eq!(
                check_range(&asked(1, 5_000), reach, 4_999),
                Err(Abort(error::OUT_OF_RANGE))
            );
            assert_eq!(
                check_range(&asked(0, 3), reach, 9),
                Err(Abort(error::OUT_OF_RANGE))
            );
            assert_eq!(
                check_range(&asked(4, 3), reach, 9),
                Err(Abort(error::OUT_OF_RANGE))
            );
            assert_eq!(check_range(&asked(9, 9), reach, 9), Ok(()));
            assert_eq!(check_range(&asked(1, 1_024), reach, 5_000), Ok(()));
        }
        let many = asked(1, 1_025);
        assert_eq!(
            check_range(&many, Reach::Any, 5_000),
            Err(Abort(error::OUT_OF_RANGE))
        );
        assert_eq!(check_range(&many, Reach::OwnLog, 5_000), Ok(()));
    }

    #[test]
    fn the_stored_form_does_not_drift() {
        let ticket = OpenTicket {
            from: 7,
            to: 300,
            purpose: Purpose::Research,
            own_log_only: true,
            until_ms: 0x0102_0304_0506,
        };
        assert_eq!(
            codec::encode(&ticket),
            [7, 251, 1, 44, 2, 1, 253, 0, 0, 1, 2, 3, 4, 5, 6]
        );
    }
}
