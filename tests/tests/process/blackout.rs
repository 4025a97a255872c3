//! Power fails everywhere while validators are locked on a block, and one that voted for it never returns.

use super::rogue::Rogue;
use super::{header, on_network};
use salus_tests::people::{address, identity, register};
use salus_tests::{Network, Options};
use salus_types::abi::registry::Role;
use salus_types::{BlockId, Height};

/// The two that come back with the lock have their shares, but the dealing was in memory only; the third never saw it. They
/// accept no other block, and it can judge theirs from their shares alone. Until then it takes all of them to decide.
#[test]
fn a_block_that_some_are_locked_on_is_decided_although_its_dealing_is_lost() {
    let options = Options {
        propose_timeout_ms: Some(300),
        ..Options::default()
    };
    on_network(options, async |network| {
        let manager = network.session(0, network.staff("manager", 0).unwrap()).unwrap();
        register(&manager, identity(1), Role::Patient, Some(address(1)))
            .await
            .unwrap();
        let tip = network.remote(0).unwrap().status().await.unwrap().height;
        for validator in [1, 2, 3] {
            network.wait_height(validator, tip).await.unwrap();
        }
        let (height, block) = lock_and_fail(network, tip).await;
        assert_eq!(height, Height::new(tip + 1));

        for validator in [0, 1, 2] {
            network.launch(validator).unwrap();
        }
        for validator in [2, 1, 0] {
            network.wait_height(validator, height.get()).await.unwrap();
        }
        let decided = header(network, 2, height.get()).await.id(&network.chain());
        assert_eq!(decided, block);
        let log = std::fs::read_to_string(network.home(2).unwrap().with_extension("log")).unwrap();
        assert!(log.contains("opened from shares"), "{log}");
        // It voted, so it has its share, and the chain goes on.
        let status = network.remote(2).unwrap().status().await.unwrap();
        assert_eq!(status.repair.missing, 0);
        network.wait_all_ready().await.unwrap();
        let manager = network.session(2, network.staff("manager", 2).unwrap()).unwrap();
        register(&manager, identity(3), Role::Doctor, None).await.unwrap();
    });
}

/// Lets validators 0 and 1 lock the block after the tip, with the vote of 3's stand-in and without 2, which is down; then all
/// power fails. Dealings that are none, before, must not keep the good one out, nor a tip that nobody else has heard of
/// keep anybody from deciding.
async fn lock_and_fail(network: &Network, tip: u64) -> (Height, BlockId) {
    let mut rogue = Rogue::take_over(network, 3).await;
    network.kill(2).unwrap();
    rogue.boast();
    let last = header(network, 0, tip).await;
    for validator in [0, 1] {
        rogue.hand_out_junk(validator, &last, 12).await;
    }
    let manager = network.session(0, network.staff("manager", 0).unwrap()).unwrap();
    let registered = register(&manager, identity(2), Role::Patient, Some(address(2)));
    let locked = tokio::select! {
        never = registered => panic!("two of four decided: {never:?}"),
        locked = rogue.vote_until_locked(2) => locked,
    };
    network.kill_all().unwrap();
    locked
}
