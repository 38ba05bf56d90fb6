//! Epochs: what was lost is noticed, and written again.

use super::super::*;
use super::fixture::*;
use super::server::Server;

async fn the_first_epoch_is_sure_from_its_beginning(redis: TestRedis) {
    let node = redis.node("first").await;
    assert!(matches!(node.write(Change::Admit(user("ada"), None)).await, ChangeOutcome::Admitted(1)));
}

async fn after_a_loss_everybody_joins_again_and_nobody_is_sure_for_a_lease(redis: TestRedis) {
    let (one, two) = (redis.node("one").await, redis.node("two").await);
    let (receiver, _subscription) = Receiver::on(&redis, vec![Channel::Group(group("g"))]).await;
    one.write(entering("g", "ada")).await;
    assert_eq!(receiver.wait_for(1).await, ["ada joined"]);
    redis.lose_everything();

    assert!(one.try_write(Change::Members(group("g"), 1)).await.is_none());
    assert!(two.renew().await.is_none());
    let (one, two) = (one.rejoin().await, two.rejoin().await);
    assert_eq!(one.writer.epoch, two.writer.epoch);
    assert!(one.view.unsure.is_some_and(|left| left <= LEASE) && two.view.unsure.is_some());
    let renewing = [one.renewing(), two.renewing()];
    assert!(matches!(two.write(Change::Admit(user("bob"), None)).await, ChangeOutcome::Uncertain));
    assert!(matches!(two.write(Change::Groups { wanted: 5, needed: 2 }).await, ChangeOutcome::Uncertain));
    assert!(matches!(two.write(Change::Groups { wanted: 2, needed: 2 }).await, ChangeOutcome::Groups(2)));

    // Others have received of ada; of bob they have not.
    let Change::Enter(ada) = entering("g", "ada") else { unreachable!() };
    one.write(Change::Enter(EnterPresence { again: true, ..ada })).await;
    two.write(entering("g", "bob")).await;
    assert_eq!(receiver.wait_for(2).await, ["ada joined", "bob joined"]);

    tokio::time::sleep(LEASE).await;
    assert_eq!(two.renew().await.unwrap().unsure, None);
    assert!(matches!(two.write(Change::Admit(user("bob"), None)).await, ChangeOutcome::Admitted(1)));
    let Change::Enter(cem) = entering("g", "cem") else { unreachable!() };
    one.write(Change::Enter(EnterPresence { again: true, ..cem })).await;
    assert_eq!(receiver.wait_for(3).await[2], "cem joined");
    renewing.iter().for_each(tokio::task::AbortHandle::abort);
}

async fn a_loss_that_a_new_node_did_not_know_of_is_told_by_an_old_one(redis: TestRedis) {
    let old = redis.node("old").await;
    redis.lose_everything();
    let new = redis.node("new").await;
    assert!(matches!(new.write(Change::Admit(user("ada"), None)).await, ChangeOutcome::Admitted(1)));
    assert!(old.renew().await.is_none());
    let _old = old.rejoin().await;
    assert!(matches!(new.write(Change::Admit(user("ada"), None)).await, ChangeOutcome::Uncertain));
    let renewing = new.renewing();
    tokio::time::sleep(LEASE).await;
    assert!(matches!(new.write(Change::Admit(user("ada"), None)).await, ChangeOutcome::Admitted(2)));
    // Somebody from before, who comes when all have written: nobody becomes unsure again.
    let _older = old.rejoin().await;
    assert!(matches!(new.write(Change::Admit(user("ada"), None)).await, ChangeOutcome::Admitted(3)));
    renewing.abort();
}

async fn any_key_that_is_gone_begins_a_new_epoch(mut redis: TestRedis) {
    let mut seen = Vec::new();
    loop {
        let (one, two) = (redis.node("one").await, redis.node("two").await);
        one.write(Change::Admit(user("ada"), None)).await;
        let epoch = one.writer.epoch;
        assert_eq!(redis.server().does::<usize>(&["DBSIZE"]), 14);
        // Of a key each, by the name that it has in every epoch.
        let name = |key: &str| key.replace(&epoch.to_string(), "").replace(&one.writer.lease.to_string(), "own");
        let keys = redis.server().keys();
        let Some(key) =
            keys.into_iter().find(|key| !key.contains(&two.writer.lease.to_string()) && !seen.contains(&name(key)))
        else {
            break;
        };
        seen.push(name(&key));
        assert_eq!(redis.server().does::<usize>(&["DEL", &key]), 1);

        assert!(one.renew().await.is_none(), "{key}");
        assert!(two.renew().await.is_none(), "{key}");
        let (one, two) = (one.rejoin().await, two.rejoin().await);
        assert_ne!(one.writer.epoch, epoch);
        assert_eq!((two.view.live.len(), two.view.ended.len()), (2, 0));
        assert!(matches!(one.write(Change::Admit(user("ada"), None)).await, ChangeOutcome::Uncertain));
        // Nothing of the old epoch is left, but for what nobody knew of any more.
        if !key.ends_with(":state") {
            assert!(redis.server().keys().iter().all(|key| !key.contains(&epoch.to_string())), "{key}");
        }
        one.remove().await;
        two.remove().await;
        redis.server().does::<()>(&["FLUSHALL"]);
    }
    assert_eq!(seen.len(), 10, "{seen:?}");
}

async fn a_writer_notices_what_was_evicted_before_it_writes_there(mut redis: TestRedis) {
    let node = redis.node("node").await;
    let key = redis.server().keys().into_iter().find(|key| key.contains(":u:")).unwrap();
    redis.server().does::<()>(&["DEL", &key]);
    assert!(node.try_write(Change::Admit(user("ada"), None)).await.is_none());
    assert!(!redis.server().keys().contains(&key));
}

async fn every_key_expires_when_nobody_renews(mut redis: TestRedis) {
    let node = redis.node("node").await;
    node.write(Change::Admit(user("ada"), None)).await;
    node.write(entering("g", "ada")).await;
    node.write(entering("g", "bob")).await;
    node.write(exiting("g", "bob", true)).await;
    node.commands.take("s".to_owned(), vec![super::rates::quota(5, LEASE)], 1).await.unwrap();
    for key in redis.server().keys() {
        assert!(redis.server().does::<i64>(&["PTTL", &key]) > 0, "{key}");
    }
}

on_both!(
    the_first_epoch_is_sure_from_its_beginning,
    after_a_loss_everybody_joins_again_and_nobody_is_sure_for_a_lease,
    a_loss_that_a_new_node_did_not_know_of_is_told_by_an_old_one,
);

mod only {
    use super::*;

    on_a_server!(
        any_key_that_is_gone_begins_a_new_epoch,
        a_writer_notices_what_was_evicted_before_it_writes_there,
        every_key_expires_when_nobody_renews,
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_comes_back_with_what_it_had_saved_has_lost_what_came_later() {
    let Some(mut redis) = TestRedis::real() else { return };
    let node = redis.node("node").await;
    node.write(Change::Members(group("g"), 1)).await;
    redis.server().does::<()>(&["SAVE"]);
    node.write(Change::Members(group("g"), 2)).await;
    redis.server().restart();
    assert_eq!(redis.server().keys().len(), 10, "it has loaded what it saved");
    assert!(node.commands.ping().await.is_err());

    let commands = redis.commands().await;
    assert_eq!(commands.members(vec![group("g")]).await.unwrap(), [0]);
    let node = TestNode { commands, ..node };
    assert!(node.renew().await.is_none());
    let node = node.rejoin().await;
    assert!(matches!(node.write(Change::Admit(user("ada"), None)).await, ChangeOutcome::Uncertain));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_that_a_server_forgot_are_loaded_again() {
    let Some(mut redis) = TestRedis::real() else { return };
    let node = redis.node("node").await;
    node.write(Change::Members(group("g"), 1)).await;
    redis.server().does::<()>(&["SCRIPT", "FLUSH"]);
    assert!(node.renew().await.is_some());
    assert!(matches!(node.write(Change::Members(group("g"), 2)).await, ChangeOutcome::Done));
    assert_eq!(node.commands.members(vec![group("g")]).await.unwrap(), [2]);
    redis.server().restart();
    let node = TestNode { commands: redis.commands().await, ..node };
    assert!(node.renew().await.is_none());
    assert!(node.rejoin().await.renew().await.is_some());
}

#[test]
fn a_server_is_gone_with_its_test() {
    let Some(server) = Server::start(&[]) else { return };
    let url = server.url();
    drop(server);
    assert!(redis::Client::open(url).unwrap().get_connection().is_err());
}
