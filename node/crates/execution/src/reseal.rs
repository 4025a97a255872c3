//! Which blocks are dealt anew, and which dealing of a block is in force.
//!
//! An operator's call opens a job: a range of heights and a cursor. A block may then deal the next ones anew, from the cursor on
//! without gaps, and moves the cursor. So it is the state that knows how far the job is, and nothing is lost by a crash or a change
//! of proposers.
//!
//! ```text
//!   start --> job open, cursor at from --blocks that reseal--> cursor above to: done --> marks of the members lowered
//!                     |                                                                   (slots and k of the old dealings)
//!                     stop --> done as far as it came; the next job may go on from there
//! ```

use crate::executor::BlockEnv;
use crate::overlay::Overlay;
use crate::{members, system};
use salus_types::abi::registry::Role;
use salus_types::state::{StateFault, StateReader};
use salus_types::{
    Height, PrincipalId, RESEAL_BYTES_MAX, RESEALS_MAX, ResealJob, ResealRefusal, ShareCommitment, Status,
    codec,
};

/// Why a block may not reseal what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResealError {
    /// No operator has asked for it.
    #[error("it reseals blocks, but no reseal is under way")]
    NoJob,
    /// Too many blocks, or too many bytes.
    #[error("it reseals more at once than allowed")]
    TooMuch,
    /// Not the next one in turn.
    #[error("it reseals height {got} where {want} is the next one")]
    OutOfTurn {
        /// The height in the block.
        got: Height,
        /// The height in turn.
        want: Height,
    },
    /// Dealt by another block.
    #[error("the new dealing of height {0} names another block or proposer than the one that deals it")]
    Foreign(Height),
}

/// Puts a block's new dealings into force, before its transactions. The caller has checked the dealings themselves.
pub(crate) fn apply(
    overlay: &mut Overlay<'_>,
    env: &BlockEnv,
    reseals: &[ShareCommitment],
) -> Result<Result<(), ResealError>, StateFault> {
    if reseals.is_empty() {
        return Ok(Ok(()));
    }
    let Some(mut job) = system::reseal_job(overlay)?.filter(ResealJob::is_open) else {
        return Ok(Err(ResealError::NoJob));
    };
    if let Err(error) = check(&job, env, reseals) {
        return Ok(Err(error));
    }
    for commitment in reseals {
        overlay.write(
            system::dealing_key(commitment.height),
            Some(codec::encode(commitment)),
        );
        job.next = commitment.height.next();
    }
    overlay.write(system::reseal_job_key(), Some(codec::encode(&job)));
    if !job.is_open() {
        // Later blocks were never dealt by anyone older than themselves.
        members::lower_marks(overlay, env.time, job.since.min(job.next))?;
    }
    overlay.keep();
    Ok(Ok(()))
}

fn check(job: &ResealJob, env: &BlockEnv, reseals: &[ShareCommitment]) -> Result<(), ResealError> {
    let bytes = reseals.iter().fold(0_u64, |sum, one| {
        sum.saturating_add(u64::from(one.sealing.body_length))
    });
    if reseals.len() > RESEALS_MAX || reseals.len() > 1 && bytes > RESEAL_BYTES_MAX {
        return Err(ResealError::TooMuch);
    }
    let mut want = job.next;
    for one in reseals {
        if one.height != want || one.height > job.to {
            return Err(ResealError::OutOfTurn {
                got: one.height,
                want,
            });
        }
        if one.dealt_at != env.height || one.proposer != env.proposer {
            return Err(ResealError::Foreign(one.height));
        }
        want = want.next();
    }
    Ok(())
}

/// Opens a job. Callers: operators. The caller reverts what a refused call wrote.
pub(crate) fn start(
    overlay: &mut Overlay<'_>,
    env: &BlockEnv,
    sender: PrincipalId,
    (from, to): (Height, Height),
) -> Result<Status, StateFault> {
    if !is_operator(overlay, sender)? {
        return Ok(Status::NotAllowed);
    }
    let before = system::reseal_job(overlay)?;
    if before.is_some_and(|job| job.is_open()) {
        return Ok(refused(ResealRefusal::UnderWay));
    }
    if !certificates_suffice(overlay, env.height.next())? {
        return Ok(refused(ResealRefusal::TooFewProven));
    }
    if from == Height::ZERO || from > to || to >= env.height {
        return Ok(refused(ResealRefusal::BadRange));
    }
    let job = ResealJob {
        from,
        to,
        next: from,
        since: dealt_since(before, from, env.height),
    };
    overlay.write(system::reseal_job_key(), Some(codec::encode(&job)));
    Ok(Status::Success)
}

/// Ends the open job where it is. Callers: operators. The caller reverts what a refused call wrote.
pub(crate) fn stop(overlay: &mut Overlay<'_>, sender: PrincipalId) -> Result<Status, StateFault> {
    if !is_operator(overlay, sender)? {
        return Ok(Status::NotAllowed);
    }
    let Some(job) = system::reseal_job(overlay)?.filter(ResealJob::is_open) else {
        return Ok(refused(ResealRefusal::NoneUnderWay));
    };
    // What the range keeps is what was done; an untouched job leaves nothing.
    let stopped = (job.next > job.from).then(|| ResealJob {
        to: job.next.saturating_sub(1),
        ..job
    });
    overlay.write(system::reseal_job_key(), stopped.map(|job| codec::encode(&job)));
    Ok(Status::Success)
}

/// Above which height all blocks below `next` of a job are dealt that starts now.
fn dealt_since(before: Option<ResealJob>, from: Height, now: Height) -> Height {
    if from == Height::new(1) {
        return now;
    }
    let goes_on = before.filter(|job| from <= job.next);
    goes_on.map_or(Height::ZERO, |job| job.since)
}

/// Whether the certificate of a block at this height proves that k honest members hold what was dealt before they voted for it.
/// Nobody makes deposits of new dealings.
fn certificates_suffice(state: &dyn StateReader, height: Height) -> Result<bool, StateFault> {
    let params = system::params(state)?;
    let validators = members::validators_at(state, height)?;
    Ok(validators.is_some_and(|set| set.certificate_suffices(params.threshold_of(&set))))
}

const fn refused(refusal: ResealRefusal) -> Status {
    Status::Aborted { code: refusal.code() }
}

/// Whether the sender runs the validator of a present member.
fn is_operator(state: &dyn StateReader, sender: PrincipalId) -> Result<bool, StateFault> {
    match system::principal(state, sender)? {
        Some(sender) if sender.role == Role::Operator => {
            Ok(members::member(state, sender.organisation)?.is_some())
        }
        _ => Ok(false),
    }
}
