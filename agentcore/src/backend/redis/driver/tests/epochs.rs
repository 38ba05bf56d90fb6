//! Epochs: what was lost is noticed, and written again.

use super::super::*;
use super::fixture::*;
use super::server::Server;

async fn the_first_epoch_is_sure_from_its_beginning(world: World) {
    let node = world.node("first").await;
    assert!(matches!(node.write(Change::Admit(user("ada"), None)).await, Outcome::Admitted(1)));
}

async fn after_a_loss_everybody_joins_again_and_nobody_is_sure_for_a_lease(world: World) {
    let (one, two) = (world.node("one").await, world.node("two").await);
    let (ear, _subscription) = Ear::on(&world, vec![Channel::Group(group("g"))]).await;
    one.write(entering("g", "ada")).await;
    assert_eq!(ear.hears(1).await, ["ada joined"]);
    world.lose_everything();

    assert!(one.try_write(Change::Members(group("g"), 1)).await.is_none());
    assert!(two.renew().await.is_none());
    let (one, two) = (one.rejoin().await, two.rejoin().await);
    assert_eq!(one.writer.epoch, two.writer.epoch);
    assert!(one.view.unsure.is_some_and(|left| left <= LEASE) && two.view.unsure.is_some());
    let renewing = [one.renewing(), two.renewing()];
    assert!(matches!(two.write(Change::Admit(user("bob"), None)).await, Outcome::Unsure));
    assert!(matches!(two.write(Change::Groups { wanted: 5, needed: 2 }).await, Outcome::Unsure));
    assert!(matches!(two.write(Change::Groups { wanted: 2, needed: 2 }).await, Outcome::Groups(2)));

    // Others have heard of ada; of bob they have not.
    let Change::Enter(ada) = entering("g", "ada") else { unreachable!() };
    one.write(Change::Enter(Entering { again: true, ..ada })).await;
    two.write(entering("g", "bob")).await;
    assert_eq!(ear.hears(2).await, ["ada joined", "bob joined"]);

    tokio::time::sleep(LEASE).await;
    assert_eq!(two.renew().await.unwrap().unsure, None);
    assert!(matches!(two.write(Change::Admit(user("bob"), None)).await, Outcome::Admitted(1)));
    let Change::Enter(cem) = entering("g", "cem") else { unreachable!() };
    one.write(Change::Enter(Entering { again: true, ..cem })).await;
    assert_eq!(ear.hears(3).await[2], "cem joined");
    renewing.iter().for_each(tokio::task::AbortHandle::abort);
}

async fn a_loss_that_a_new_node_did_not_know_of_is_told_by_an_old_one(world: World) {
    let old = world.node("old").await;
    world.lose_everything();
    let new = world.node("new").await;
    assert!(matches!(new.write(Change::Admit(user("ada"), None)).await, Outcome::Admitted(1)));
    assert!(old.renew().await.is_none());
    let _old = old.rejoin().await;
    assert!(matches!(new.write(Change::Admit(user("ada"), None)).await, Outcome::Unsure));
    let renewing = new.renewing();
    tokio::time::sleep(LEASE).await;
    assert!(matches!(new.write(Change::Admit(user("ada"), None)).await, Outcome::Admitted(2)));
    // Somebody from before, who comes when all have written: nobody becomes unsure again.
    let _older = old.rejoin().await;
    assert!(matches!(new.write(Change::Admit(user("ada"), None)).await, Outcome::Admitted(3)));
    renewing.abort();
}

async fn any_key_that_is_gone_begins_a_new_epoch(mut world: World) {
    let mut seen = Vec::new();
    loop {
        let (one, two) = (world.node("one").await, world.node("two").await);
        one.write(Change::Admit(user("ada"), None)).await;
        let epoch = one.writer.epoch;
        assert_eq!(world.server().does::<usize>(&["DBSIZE"]), 14);
        // Of a key each, by the name that it has in every epoch.
        let name = |key: &str| key.replace(&epoch.to_string(), "").replace(&one.writer.lease.to_string(), "own");
        let keys = world.server().keys();
        let Some(key) =
            keys.into_iter().find(|key| !key.contains(&two.writer.lease.to_string()) && !seen.contains(&name(key)))
        else {
            break;
        };
        seen.push(name(&key));
        assert_eq!(world.server().does::<usize>(&["DEL", &key]), 1);

        assert!(one.renew().await.is_none(), "{key}");
        assert!(two.renew().await.is_none(), "{key}");
        let (one, two) = (one.rejoin().await, two.rejoin().await);
        assert_ne!(one.writer.epoch, epoch);
        assert_eq!((two.view.live.len(), two.view.ended.len()), (2, 0));
        assert!(matches!(one.write(Change::Admit(user("ada"), None)).await, Outcome::Unsure));
        // Nothing of the old epoch is left, but for what nobody knew of any more.
        if !key.ends_with(":state") {
            assert!(world.server().keys().iter().all(|key| !key.contains(&epoch.to_string())), "{key}");
        }
        one.remove().await;
        two.remove().await;
        world.server().does::<()>(&["FLUSHALL"]);
    }
    assert_eq!(seen.len(), 10, "{seen:?}");
}

async fn a_writer_notices_what_was_evicted_before_it_writes_there(mut world: World) {
    let node = world.node("node").await;
    let key = world.server().keys().into_iter().find(|key| key.contains(":u:")).unwrap();
    world.server().does::<()>(&["DEL", &key]);
    assert!(node.try_write(Change::Admit(user("ada"), None)).await.is_none());
    assert!(!world.server().keys().contains(&key));
}

async fn every_key_expires_when_nobody_renews(mut world: World) {
    let node = world.node("node").await;
    node.write(Change::Admit(user("ada"), None)).await;
    node.write(entering("g", "ada")).await;
    node.write(entering("g", "bob")).await;
    node.write(exiting("g", "bob", true)).await;
    node.commands.take("s".to_owned(), vec![super::rates::quota(5, LEASE)], 1).await.unwrap();
    for key in world.server().keys() {
        assert!(world.server().does::<i64>(&["PTTL", &key]) > 0, "{key}");
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
    let Some(mut world) = World::real() else { return };
    let node = world.node("node").await;
    node.write(Change::Members(group("g"), 1)).await;
    world.server().does::<()>(&["SAVE"]);
    node.write(Change::Members(group("g"), 2)).await;
    world.server().restart();
    assert_eq!(world.server().keys().len(), 10, "it has loaded what it saved");
    assert!(node.commands.ping().await.is_err());

    let commands = world.commands().await;
    assert_eq!(commands.members(vec![group("g")]).await.unwrap(), [0]);
    let node = TestNode { commands, ..node };
    assert!(node.renew().await.is_none());
    let node = node.rejoin().await;
    assert!(matches!(node.write(Change::Admit(user("ada"), None)).await, Outcome::Unsure));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_that_a_server_forgot_are_loaded_again() {
    let Some(mut world) = World::real() else { return };
    let node = world.node("node").await;
    node.write(Change::Members(group("g"), 1)).await;
    world.server().does::<()>(&["SCRIPT", "FLUSH"]);
    assert!(node.renew().await.is_some());
    assert!(matches!(node.write(Change::Members(group("g"), 2)).await, Outcome::Done));
    assert_eq!(node.commands.members(vec![group("g")]).await.unwrap(), [2]);
    world.server().restart();
    let node = TestNode { commands: world.commands().await, ..node };
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
