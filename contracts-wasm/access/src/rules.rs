//! Rules: contracts that hospitals, or the network for a class of records, have a say through.

use alloc::vec::Vec;
use salus_sdk::abi::access::{
    AccessRequest, Purpose, RecordClass, RegisterRule, RuleDecision, RuleScope, error,
};
use salus_sdk::abi::registry::Role;
use salus_sdk::{Abort, ContractId, Ctx, Map, PrincipalId, RecordNumber};

const RULES: Map<[u8; 3], Vec<ContractId>> = Map::new(b'u');

/// Rules of one scope, at most: a retrieve asks those of three scopes.
const SCOPE_MAX: usize = 8;

/// The key of a scope in the state.
fn scope_key(scope: RuleScope) -> [u8; 3] {
    match scope {
        RuleScope::Everywhere => [0, 0, 0],
        RuleScope::Class(class) => [1, 0, class as u8],
        RuleScope::Organisation(member) => {
            let [high, low] = member.get().to_be_bytes();
            [2, high, low]
        }
    }
}

pub(crate) fn register(cx: &mut Ctx, argument: RegisterRule) -> Result<(), Abort> {
    let RegisterRule { scope, rule, remove } = argument;
    let by = cx.caller();
    if !may_register(cx, scope, by) {
        return Err(Abort(error::NOT_ALLOWED));
    }
    let key = scope_key(scope);
    let mut rules = RULES.get(cx, &key).unwrap_or_default();
    match (rules.contains(&rule), remove) {
        (true, true) => rules.retain(|other| *other != rule),
        (false, true) => return Err(Abort(error::BAD_INPUT)),
        (true, false) => return Err(Abort(error::DUPLICATE)),
        (false, false) if rules.len() >= SCOPE_MAX => return Err(Abort(error::TOO_MANY)),
        (false, false) if !answers(cx, rule) => return Err(Abort(error::BAD_INPUT)),
        (false, false) => rules.push(rule),
    }
    if rules.is_empty() {
        RULES.remove(cx, &key);
    } else {
        RULES.set(cx, &key, &rules);
    }
    Ok(())
}

/// Whether a rule of a scope is registered or removed by `by`: a hospital's own by its admins; one that more hospitals must obey by
/// nobody, which is how the chain calls when their members have voted for it.
fn may_register(cx: &Ctx, scope: RuleScope, by: Option<PrincipalId>) -> bool {
    match (scope, by) {
        (RuleScope::Organisation(member), Some(by)) => {
            cx.organisation_of(by) == Some(member) && cx.has_role(by, Role::Admin)
        }
        (RuleScope::Class(_) | RuleScope::Everywhere, None) => true,
        (RuleScope::Organisation(_), None) | (RuleScope::Class(_) | RuleScope::Everywhere, Some(_)) => false,
    }
}

/// Whether a contract answers access requests at all. One that does not would refuse everything in its scope.
fn answers(cx: &Ctx, rule: ContractId) -> bool {
    let nobody = PrincipalId::new(u32::MAX);
    let probe = AccessRequest {
        patient: nobody,
        record: RecordNumber::new(0),
        class: RecordClass::Clinical,
        requester: nobody,
        purpose: Purpose::Operations,
        emergency: false,
    };
    rule != cx.self_id() && cx.ask(rule, &probe).is_some()
}

/// Asks the rules that look at a request, as the caller takes their answers. `None` is a rule that failed.
pub(crate) fn ask(cx: &Ctx, request: &AccessRequest) -> impl Iterator<Item = Option<RuleDecision>> {
    let organisation = cx.organisation_of(request.requester).map(RuleScope::Organisation);
    [
        Some(RuleScope::Everywhere),
        Some(RuleScope::Class(request.class)),
        organisation,
    ]
    .into_iter()
    .flatten()
    .flat_map(|scope| RULES.get(cx, &scope_key(scope)).unwrap_or_default())
    .map(|rule| cx.ask(rule, request))
}

pub(crate) fn registered(cx: &Ctx, scope: RuleScope) -> Result<Vec<ContractId>, Abort> {
    Ok(RULES.get(cx, &scope_key(scope)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use salus_sdk::MemberId;

    #[test]
    fn scopes_have_keys_of_their_own() {
        let mut scopes = vec![RuleScope::Everywhere];
        scopes.extend(RecordClass::ALL.map(RuleScope::Class));
        scopes.extend([0, 1, 6, 0x0102].map(MemberId::new).map(RuleScope::Organisation));
        let mut keys: Vec<_> = scopes.into_iter().map(scope_key).collect();
        assert_eq!(keys.last(), Some(&[2, 1, 2]));
        let count = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), count);
    }
}
