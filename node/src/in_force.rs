//! What the state says about the height after a block: who decides it, how its body is dealt, and who is to be reached.

use salus_execution::{Executor, members};
use salus_types::state::{StateFault, StateReader};
use salus_types::{
    ChainId, FormerMember, Header, Height, Member, MemberId, Timestamp, Validator, ValidatorSet,
};
use std::collections::BTreeMap;

/// The rules for the height after the tip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InForce {
    /// The validators that decide it.
    pub(crate) validators: ValidatorSet,
    /// Those that decide the one after it.
    pub(crate) next_validators: ValidatorSet,
    /// k: shares needed to open its block.
    pub(crate) threshold: u16,
    /// S: shares dealt.
    pub(crate) slots: u16,
}

/// Members to connect to and to ask for shares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reach {
    /// The present ones, and those that left lately; sorted, each once.
    pub(crate) members: Vec<Member>,
    /// When the next one that left is let go.
    pub(crate) grace_ends: Option<Timestamp>,
}

impl InForce {
    /// Reads the rules for the height after `tip` from the state after `tip`.
    pub(crate) fn read(
        executor: &Executor,
        state: &dyn StateReader,
        tip: Height,
    ) -> Result<Self, StateFault> {
        let lost = || StateFault("the validators of the next heights are not in the state".into());
        let height = tip.next();
        let validators = executor.validators_at(state, height)?.ok_or_else(lost)?;
        let next_validators = executor.validators_at(state, height.next())?.ok_or_else(lost)?;
        let params = executor.params(state)?;
        Ok(Self {
            threshold: params.threshold_of(&validators),
            slots: params.slots,
            validators,
            next_validators,
        })
    }

    /// Whether a header names exactly these validators.
    pub(crate) fn named_by(&self, header: &Header, chain: &ChainId) -> bool {
        header.validators == self.validators.hash(chain)
            && header.next_validators == self.next_validators.hash(chain)
    }
}

impl Reach {
    /// Whom to reach at a block time, by a state and by a list that is newer than the state, or empty. What the list says
    /// of a member counts.
    pub(crate) fn read(
        state: &dyn StateReader,
        now: Timestamp,
        listed: &[Member],
    ) -> Result<Self, StateFault> {
        let serving = |former: &FormerMember| former.serves_until >= now;
        let left: Vec<FormerMember> = members::former_members(state)?
            .into_iter()
            .filter(serving)
            .collect();
        let grace_ends = left.iter().map(|former| former.serves_until).min();
        let left = left.into_iter().map(|former| former.member);
        let present = members::members(state)?;
        let reached: BTreeMap<MemberId, Member> = left
            .chain(present)
            .chain(listed.iter().cloned())
            .map(|member| (member.id, member))
            .collect();
        Ok(Self {
            members: reached.into_values().collect(),
            grace_ends,
        })
    }

    /// Whose shares are whose, and under which keys they are handed out.
    pub(crate) fn holders(&self) -> Vec<Validator> {
        self.members.iter().map(Member::validator).collect()
    }
}
