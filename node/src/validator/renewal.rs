//! A member's change of its own keys while its validator runs.
//!
//! ```text
//!   salus member rotate:  seed --> keys/validator-<n>.key;  public keys --> the chain
//!   this node:            block that changes them --> the state names keys that are not in use --> they are in the folder: stop
//!   salus start:          starts itself anew, with all seeds; signs the next height with the old key, those after it with the new one
//! ```

use crate::home::Home;
use salus_types::MemberKeys;
use tokio::sync::watch;

/// Resolves once the state names keys of this member that are not in use and lie in its folder.
pub(super) async fn keys_changed(home: Home, mut named: watch::Receiver<Option<MemberKeys>>) {
    while named.changed().await.is_ok() {
        let Some(keys) = *named.borrow_and_update() else {
            continue;
        };
        let folder = home.clone();
        // Opening keystores takes a moment on purpose.
        let opened = tokio::task::spawn_blocking(move || folder.keys()).await;
        match opened {
            Ok(Ok(all)) if all.iter().any(|one| one.public() == keys) => {
                tracing::info!("this member has new keys: starting anew with them");
                return;
            }
            Ok(Ok(_)) => tracing::warn!(
                "this member has keys that are not in this folder: bring them into keys/ and start the validator again"
            ),
            Ok(Err(error)) => {
                tracing::error!(%error, "this member has other keys now, and the folder's can't be read")
            }
            Err(error) => {
                tracing::error!(%error, "this member has other keys now, and the folder's were not read")
            }
        }
    }
    std::future::pending().await
}
