//! Epochs: a loss is detected, and every node writes its state again.

use super::super::*;
use super::fixture::*;
use super::server::Server;

async fn the_first_epoch_is_certain_from_its_beginning(redis: TestRedis) {
    let node = redis.node("first").await;
    assert!(matches!(node.write(admit("ada", None)).await, ChangeOutcome::Admitted(1)));
}

async fn after_a_loss_all_nodes_rejoin_and_counts_are_uncertain_for_a_lease(redis: TestRedis) {
    let (one, two) = (redis.node("one").await, redis.node("two").await);
    let (receiver, _subscription) = Receiver::on(&redis, vec![Channel::Group(group("g"))]).await;
    one.write(enter("g", "ada")).await;
    assert_eq!(receiver.wait_for(1).await, ["ada joined"]);
    redis.lose_everything();

    assert!(one.try_write(Change::GroupMembers(group("g"), 1)).await.is_none());
    assert!(two.renew().await.is_none());
    let (one, two) = (one.rejoin().await, two.rejoin().await);
    assert_eq!(one.lease.epoch, two.lease.epoch);
    assert!(one.view.uncertain_for.is_some_and(|left| left <= LEASE) && two.view.uncertain_for.is_some());
    let renewing = [one.renewing(), two.renewing()];
    assert!(matches!(two.write(admit("bob", None)).await, ChangeOutcome::Uncertain));
    assert!(matches!(two.write(Change::GroupQuota { wanted: 5, needed: 2 }).await, ChangeOutcome::Uncertain));
    assert!(matches!(two.write(Change::GroupQuota { wanted: 2, needed: 2 }).await, ChangeOutcome::GroupQuota(2)));

    // The group has received the join message of ada, but not that of bob.
    let Change::Enter(ada) = enter("g", "ada") else { unreachable!() };
    one.write(Change::Enter(EnterPresence { is_replay: true, ..ada })).await;
    two.write(enter("g", "bob")).await;
    assert_eq!(receiver.wait_for(2).await, ["ada joined", "bob joined"]);

    tokio::time::sleep(LEASE).await;
    assert_eq!(two.renew().await.unwrap().uncertain_for, None);
    assert!(matches!(two.write(admit("bob", None)).await, ChangeOutcome::Admitted(1)));
    let Change::Enter(cem) = enter("g", "cem") else { unreachable!() };
    one.write(Change::Enter(EnterPresence { is_replay: true, ..cem })).await;
    assert_eq!(receiver.wait_for(3).await[2], "cem joined");
    renewing.iter().for_each(tokio::task::AbortHandle::abort);
}

async fn an_old_node_reports_a_loss_that_a_new_node_did_not_know_of(redis: TestRedis) {
    let old = redis.node("old").await;
    redis.lose_everything();
    let new = redis.node("new").await;
    assert!(matches!(new.write(admit("ada", None)).await, ChangeOutcome::Admitted(1)));
    assert!(old.renew().await.is_none());
    let _old = old.rejoin().await;
    assert!(matches!(new.write(admit("ada", None)).await, ChangeOutcome::Uncertain));
    let renewing = new.renewing();
    tokio::time::sleep(LEASE).await;
    assert!(matches!(new.write(admit("ada", None)).await, ChangeOutcome::Admitted(2)));
    // Another old node joins after the others have written. The counts stay certain.
    let _older = old.rejoin().await;
    assert!(matches!(new.write(admit("ada", None)).await, ChangeOutcome::Admitted(3)));
    renewing.abort();
}

async fn the_loss_of_any_key_begins_a_new_epoch(mut redis: TestRedis) {
    let mut seen = Vec::new();
    loop {
        let (one, two) = (redis.node("one").await, redis.node("two").await);
        one.write(admit("ada", None)).await;
        let epoch = one.lease.epoch;
        assert_eq!(redis.server().run::<usize>(&["DBSIZE"]), 14);
        // The name of a key, independent of the epoch and the lease.
        let name = |key: &str| key.replace(&epoch.to_string(), "").replace(&one.lease.lease.to_string(), "own");
        let keys = redis.server().keys();
        let Some(key) =
            keys.into_iter().find(|key| !key.contains(&two.lease.lease.to_string()) && !seen.contains(&name(key)))
        else {
            break;
        };
        seen.push(name(&key));
        assert_eq!(redis.server().run::<usize>(&["DEL", &key]), 1);

        assert!(one.renew().await.is_none(), "{key}");
        assert!(two.renew().await.is_none(), "{key}");
        let (one, two) = (one.rejoin().await, two.rejoin().await);
        assert_ne!(one.lease.epoch, epoch);
        assert_eq!((two.view.live.len(), two.view.expired.len()), (2, 0));
        assert!(matches!(one.write(admit("ada", None)).await, ChangeOutcome::Uncertain));
        // No key of the old epoch is left, unless the loss of the state hid the epoch.
        if !key.ends_with(":state") {
            assert!(redis.server().keys().iter().all(|key| !key.contains(&epoch.to_string())), "{key}");
        }
        one.remove().await;
        two.remove().await;
        redis.server().run::<()>(&["FLUSHALL"]);
    }
    assert_eq!(seen.len(), 10, "{seen:?}");
}

async fn a_write_never_recreates_an_evicted_key(mut redis: TestRedis) {
    let node = redis.node("node").await;
    let key = redis.server().keys().into_iter().find(|key| key.contains(":u:")).unwrap();
    redis.server().run::<()>(&["DEL", &key]);
    assert!(node.try_write(admit("ada", None)).await.is_none());
    assert!(!redis.server().keys().contains(&key));
}

async fn every_key_has_an_expiry(mut redis: TestRedis) {
    let node = redis.node("node").await;
    node.write(admit("ada", None)).await;
    node.write(enter("g", "ada")).await;
    node.write(enter("g", "bob")).await;
    node.write(exit("g", "bob", true)).await;
    node.commands.check_rate("s".to_owned(), vec![super::rates::quota(5, LEASE)], 1).await.unwrap();
    for key in redis.server().keys() {
        assert!(redis.server().run::<i64>(&["PTTL", &key]) > 0, "{key}");
    }
}

on_both!(
    the_first_epoch_is_certain_from_its_beginning,
    after_a_loss_all_nodes_rejoin_and_counts_are_uncertain_for_a_lease,
    an_old_node_reports_a_loss_that_a_new_node_did_not_know_of,
);

mod only {
    use super::*;

    on_a_server!(
        the_loss_of_any_key_begins_a_new_epoch,
        a_write_never_recreates_an_evicted_key,
        every_key_has_an_expiry,
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_restored_from_a_snapshot_has_lost_the_epoch() {
    let Some(mut redis) = TestRedis::real() else { return };
    let node = redis.node("node").await;
    node.write(Change::GroupMembers(group("g"), 1)).await;
    redis.server().run::<()>(&["SAVE"]);
    node.write(Change::GroupMembers(group("g"), 2)).await;
    redis.server().restart();
    assert_eq!(redis.server().keys().len(), 10, "the server has loaded its snapshot");
    assert!(node.commands.ping().await.is_err());

    let commands = redis.commands().await;
    assert_eq!(commands.member_counts(vec![group("g")]).await.unwrap(), [0]);
    let node = TestNode { commands, ..node };
    assert!(node.renew().await.is_none());
    let node = node.rejoin().await;
    assert!(matches!(node.write(admit("ada", None)).await, ChangeOutcome::Uncertain));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_are_loaded_again_after_the_server_lost_them() {
    let Some(mut redis) = TestRedis::real() else { return };
    let node = redis.node("node").await;
    node.write(Change::GroupMembers(group("g"), 1)).await;
    redis.server().run::<()>(&["SCRIPT", "FLUSH"]);
    assert!(node.renew().await.is_some());
    assert!(matches!(node.write(Change::GroupMembers(group("g"), 2)).await, ChangeOutcome::Done));
    assert_eq!(node.commands.member_counts(vec![group("g")]).await.unwrap(), [2]);
    redis.server().restart();
    let node = TestNode { commands: redis.commands().await, ..node };
    assert!(node.renew().await.is_none());
    assert!(node.rejoin().await.renew().await.is_some());
}

#[test]
fn a_test_server_ends_with_its_test() {
    let Some(server) = Server::start(&[]) else { return };
    let url = server.url();
    drop(server);
    assert!(redis::Client::open(url).unwrap().get_connection().is_err());
}
