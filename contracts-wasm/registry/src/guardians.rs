//! Recovery of lost keys by guardians: what [`crate::recovery`] decides, on the state.

use crate::recovery::{approve, begin, guardians_valid, may_finish};
use crate::{PRINCIPALS, active, caller, prove_key, take_key};
use alloc::vec::Vec;
use salus_sdk::abi::registry::{
    ApproveRecovery, FinishRecovery, GUARDIANS_MAX, Guardians, Recovery, RecoveryEntry, RegistryEvent,
    SetGuardians, StartRecovery, error,
};
use salus_sdk::{Abort, Ctx, Map, PrincipalId};

const GUARDIANS: Map<PrincipalId, Guardians> = Map::new(b'g');
const RECOVERIES: Map<(PrincipalId, PrincipalId), Recovery> = Map::new(b'v');

pub(crate) fn set_guardians(cx: &mut Ctx, argument: SetGuardians) -> Result<(), Abort> {
    let (principal, _) = caller(cx)?;
    let (count, needed) = match argument.guardians {
        Some(named) => {
            let act = |id: &PrincipalId| active(cx, *id).is_ok();
            if !guardians_valid(principal, &named) || !named.guardians.iter().all(act) {
                return Err(Abort(error::BAD_GUARDIANS));
            }
            GUARDIANS.set(cx, &principal, &named);
            (named.guardians.len(), named.needed)
        }
        None => {
            GUARDIANS.remove(cx, &principal);
            (0, 0)
        }
    };
    drop_recoveries(cx, principal);
    cx.emit(&RegistryEvent::GuardiansSet {
        principal,
        guardians: u8::try_from(count).unwrap_or(u8::MAX),
        needed,
    });
    Ok(())
}

pub(crate) fn start_recovery(cx: &mut Ctx, argument: StartRecovery) -> Result<(), Abort> {
    let (by, named) = guardian(cx, argument.principal)?;
    prove_key(
        cx,
        argument.principal,
        &argument.signing_key,
        &argument.encryption_key,
        &argument.proof,
    )?;
    add_approval(cx, argument.principal, by, begin(&argument), by, &named)
}

pub(crate) fn approve_recovery(cx: &mut Ctx, argument: ApproveRecovery) -> Result<(), Abort> {
    let ApproveRecovery {
        principal,
        starter,
        signing_key,
    } = argument;
    let (by, named) = guardian(cx, principal)?;
    let recovery = RECOVERIES
        .get(cx, &(principal, starter))
        .filter(|recovery| recovery.signing_key == signing_key)
        .ok_or(Abort(error::NO_RECOVERY))?;
    add_approval(cx, principal, starter, recovery, by, &named)
}

fn add_approval(
    cx: &mut Ctx,
    principal: PrincipalId,
    starter: PrincipalId,
    mut recovery: Recovery,
    by: PrincipalId,
    named: &Guardians,
) -> Result<(), Abort> {
    if !approve(&mut recovery, by, named, cx.time_ms()) {
        return Err(Abort(error::NOT_ALLOWED));
    }
    RECOVERIES.set(cx, &(principal, starter), &recovery);
    cx.emit(&RegistryEvent::RecoveryApproved {
        principal,
        starter,
        by,
        ready_ms: recovery.ready_ms,
    });
    Ok(())
}

pub(crate) fn veto_recovery(cx: &mut Ctx, (): ()) -> Result<(), Abort> {
    let (principal, _) = caller(cx)?;
    if drop_recoveries(cx, principal) {
        cx.emit(&RegistryEvent::RecoveryVetoed { principal });
        Ok(())
    } else {
        Err(Abort(error::NO_RECOVERY))
    }
}

pub(crate) fn finish_recovery(cx: &mut Ctx, argument: FinishRecovery) -> Result<(), Abort> {
    let FinishRecovery { principal, starter } = argument;
    let (_, named) = guardian(cx, principal)?;
    let recovery = RECOVERIES
        .get(cx, &(principal, starter))
        .ok_or(Abort(error::NO_RECOVERY))?;
    let acting = recovery
        .approvals
        .iter()
        .filter(|by| active(cx, **by).is_ok())
        .count();
    if !may_finish(&recovery, acting, &named, cx.time_ms()) {
        return Err(Abort(error::NOT_READY));
    }
    let mut owner = active(cx, principal)?;
    take_key(cx, &recovery.signing_key, principal)?;
    owner.signing_key = recovery.signing_key;
    owner.encryption_key = recovery.encryption_key;
    PRINCIPALS.set(cx, &principal, &owner);
    drop_recoveries(cx, principal);
    cx.emit(&RegistryEvent::Recovered { principal, starter });
    Ok(())
}

pub(crate) fn guardians(cx: &Ctx, principal: PrincipalId) -> Result<Option<Guardians>, Abort> {
    Ok(GUARDIANS.get(cx, &principal))
}

pub(crate) fn recoveries(cx: &Ctx, principal: PrincipalId) -> Result<Vec<RecoveryEntry>, Abort> {
    let entries = RECOVERIES.scan(cx, &principal).take(GUARDIANS_MAX);
    Ok(entries
        .map(|((_, starter), recovery)| RecoveryEntry { starter, recovery })
        .collect())
}

/// Ends every recovery of a principal's keys; false if there was none. Only its guardians start one, each one at most, and
/// changing them ends all: so there are never more than [`GUARDIANS_MAX`].
pub(crate) fn drop_recoveries(cx: &mut Ctx, principal: PrincipalId) -> bool {
    let all: Vec<_> = RECOVERIES
        .scan(cx, &principal)
        .take(GUARDIANS_MAX)
        .map(|(key, _)| key)
        .collect();
    for key in &all {
        RECOVERIES.remove(cx, key);
    }
    !all.is_empty()
}

/// The caller, if it is a guardian of an active principal, and all its guardians.
fn guardian(cx: &Ctx, principal: PrincipalId) -> Result<(PrincipalId, Guardians), Abort> {
    let (by, _) = caller(cx)?;
    active(cx, principal)?;
    let named = GUARDIANS
        .get(cx, &principal)
        .filter(|named| named.guardians.contains(&by));
    Ok((by, named.ok_or(Abort(error::NOT_ALLOWED))?))
}
