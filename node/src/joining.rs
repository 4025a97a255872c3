//! Whose validator this is, and where the others are, when the own state does not tell it yet: a newcomer's state is the
//! genesis, which does not know it, and who was off for long may know nobody's present address.
//!
//! Present members are asked through their public interfaces. Their answer decides only whom to connect to and which
//! slot to fill; every block is checked from the genesis on, and a wrong seat is noticed once the state knows better.

use crate::config::Join;
use crate::home::ValidatorKeys;
use crate::remote::{Remote, RemoteError};
use salus_types::{ChainId, Member};
use std::time::Duration;

/// How often the others are asked whether this hospital was let in.
const ASK_INTERVAL: Duration = Duration::from_secs(1);
/// How often the operator is told that it was not yet.
const TELL_EVERY: u32 = 30;

/// Whose validator this is, and what present members say of the members.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) me: Member,
    /// Empty if nobody was asked, or nobody answered.
    pub(crate) listed: Vec<Member>,
}

/// Finds the seat of these keys. `own` is what the own state knows of them; without it, waits until the members have let
/// this hospital in. `None` if there is nobody to ask.
pub(crate) async fn seat(
    join: &Join,
    chain: &ChainId,
    keys: &ValidatorKeys,
    own: Option<Member>,
) -> Option<Seat> {
    let mut listed = ask(join, chain).await;
    if let Some(me) = own {
        return Some(Seat { me, listed });
    }
    if join.nodes.is_empty() {
        return None;
    }
    for attempt in 0_u32.. {
        if let Some(me) = listed.iter().find(|member| keys.belong_to(member)).cloned() {
            tracing::info!(member = %me.id, slot = %me.slot, "the members have let this hospital in");
            return Some(Seat { me, listed });
        }
        if attempt.is_multiple_of(TELL_EVERY) {
            tracing::info!(
                "waiting until the members vote this hospital in: hand its card to their operators"
            );
        }
        tokio::time::sleep(ASK_INTERVAL).await;
        listed = ask(join, chain).await;
    }
    None
}

/// The members, as the first one that answers for this network lists them.
async fn ask(join: &Join, chain: &ChainId) -> Vec<Member> {
    for node in &join.nodes {
        match ask_one(node, chain).await {
            Ok(Some(members)) => return members,
            Ok(None) => tracing::warn!(node, "belongs to another network"),
            Err(error) => tracing::warn!(node, %error, "could not be asked for the members"),
        }
    }
    Vec::new()
}

async fn ask_one(node: &str, chain: &ChainId) -> Result<Option<Vec<Member>>, RemoteError> {
    let remote = Remote::new(node)?;
    if remote.chain().await? != *chain {
        return Ok(None);
    }
    remote.members().await.map(Some)
}
