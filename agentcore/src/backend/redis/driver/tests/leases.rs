//! Leases: who counts as live, who is fenced, and what happens when Redis itself was away.

use super::super::*;
use super::fixture::*;
use crate::backend::{AdmissionLimits, Refused};

async fn a_lease_that_is_not_renewed_ends_for_everybody(redis: TestRedis) {
    let limits = AdmissionLimits { total: 2, ..NO_LIMITS };
    let (dead, alive) = (redis.node_within("dead", limits).await, redis.node_within("alive", limits).await);
    let admit = |name: &str| Change::Admit(user(name), None);
    for name in ["ada", "bob"] {
        assert!(matches!(dead.write(admit(name)).await, ChangeOutcome::Admitted(1)));
    }
    dead.write(Change::Members(group("g"), 2)).await;
    assert!(matches!(alive.write(admit("cem")).await, ChangeOutcome::Refused(Refused::Total)));
    assert_eq!(alive.renew().await.unwrap().live.len(), 2);

    let renewing = alive.renewing();
    tokio::time::sleep(LEASE * 3 / 2).await;
    let view = alive.renew().await.unwrap();
    assert_eq!(view.live.iter().map(|peer| peer.lease).collect::<Vec<_>>(), [alive.writer.lease]);
    assert_eq!(view.ended.iter().map(|peer| peer.node.as_str()).collect::<Vec<_>>(), ["dead"]);
    assert_eq!((view.places(), view.ended[0].origin), (0, dead.writer.lease / 2));
    assert_eq!(alive.commands.members(vec![group("g")]).await.unwrap(), [0]);
    assert!(!alive.commands.has_user(user("ada")).await.unwrap());
    assert!(matches!(alive.write(admit("cem")).await, ChangeOutcome::Admitted(1)));

    // Nobody has removed it, and it is fenced all the same. It comes back with what it has.
    assert!(dead.try_write(admit("ada")).await.is_none());
    assert!(dead.renew().await.is_none());
    let back = dead.rejoin().await;
    assert_eq!(back.view.live.len(), 2);
    back.remove().await;
    alive.commands.remove(dead.writer.lease, false).await.unwrap();
    renewing.abort();
    alive.remove().await;
    redis.assert_empty();
}

async fn when_nobody_could_renew_everybody_gets_a_grace(redis: TestRedis) {
    let limits = AdmissionLimits { total: 2, ..NO_LIMITS };
    let (one, two) = (redis.node_within("one", limits).await, redis.node_within("two", limits).await);
    let admit = |name: &str| Change::Admit(user(name), None);
    assert!(matches!(one.write(admit("ada")).await, ChangeOutcome::Admitted(1)));
    assert!(matches!(one.write(admit("bob")).await, ChangeOutcome::Admitted(1)));
    redis.set_hang(true);
    tokio::time::sleep(LEASE * 3 + LEASE / 5).await;
    redis.set_hang(false);

    // The first thing that Redis sees is an admission of the other node.
    assert!(matches!(two.write(admit("cem")).await, ChangeOutcome::Refused(Refused::Total)));
    assert!(matches!(one.write(Change::Release(user("ada"), None)).await, ChangeOutcome::Done));
    let view = two.renew().await.unwrap();
    assert_eq!((view.live.len(), view.ended.len(), view.places()), (2, 0, 1));

    // The grace is one lease; whoever has not renewed by then has ended.
    let renewing = two.renewing();
    tokio::time::sleep(LEASE * 3 / 2).await;
    renewing.abort();
    assert_eq!(two.renew().await.unwrap().ended.len(), 1);
    assert!(one.renew().await.is_none());
}

async fn who_was_found_ended_does_not_come_back_by_a_grace(redis: TestRedis) {
    let (frozen, awake) = (redis.node("frozen").await, redis.node("awake").await);
    let renewing = awake.renewing();
    tokio::time::sleep(LEASE * 3 / 2).await;
    assert_eq!(awake.renew().await.unwrap().ended.len(), 1);
    renewing.abort();
    tokio::time::sleep(LEASE * 3 / 4).await;
    // Now there is a grace, for the one that nobody has found ended.
    let view = awake.renew().await.unwrap();
    assert_eq!((view.live.len(), view.ended.len()), (1, 1));
    assert!(frozen.try_write(Change::Members(group("g"), 1)).await.is_none());
}

async fn a_node_that_slept_alone_keeps_its_lease(redis: TestRedis) {
    let node = redis.node("alone").await;
    assert!(matches!(node.write(Change::Admit(user("ada"), None)).await, ChangeOutcome::Admitted(1)));
    tokio::time::sleep(LEASE * 2).await;
    assert_eq!(node.renew().await.unwrap().places(), 1);
}

async fn a_join_that_was_held_up_changes_nothing(redis: TestRedis) {
    let commands = redis.commands().await;
    let joining = |lease, number, places| JoinRequest {
        lease,
        node: NodeId::new("node").unwrap(),
        origin: 5,
        places,
        groups: 0,
        number,
        before: None,
    };
    let view = commands.join(joining(20, 2, 3)).await.unwrap();
    let writer = WriteLease { lease: 20, epoch: view.epoch, limits: NO_LIMITS };
    let error = commands.join(joining(10, 1, 1)).await.unwrap_err();
    assert!(is_refused(&error), "{error:?}");
    let view = commands.renew(writer).await.unwrap().unwrap();
    assert_eq!((view.live.len(), view.places()), (1, 3));
    // A later one takes over, until the earlier is removed.
    let view = commands.join(joining(30, 3, 4)).await.unwrap();
    assert_eq!((view.live.len(), view.places()), (2, 4));
}

async fn a_writer_of_another_lease_or_epoch_is_fenced(redis: TestRedis) {
    let node = redis.node("node").await;
    let other_epoch = TestNode { writer: WriteLease { epoch: node.writer.epoch ^ 1, ..node.writer }, ..node.clone() };
    let other_lease = TestNode { writer: WriteLease { lease: node.writer.lease ^ 1, ..node.writer }, ..node.clone() };
    for fenced in [other_epoch, other_lease] {
        assert!(fenced.try_write(Change::Members(group("g"), 1)).await.is_none());
        assert!(fenced.renew().await.is_none());
    }
    assert!(node.renew().await.is_some());
    assert_eq!(node.commands.members(vec![group("g")]).await.unwrap(), [0]);
}

/// As if the clock had been an hour ahead when everything was written.
async fn a_clock_that_goes_back_prolongs_nothing(mut redis: TestRedis) {
    const HOUR: u64 = 3_600_000;
    let (dead, alive) = (redis.node("dead").await, redis.node("alive").await);
    alive.write(entering("g", "ada")).await;
    alive.write(exiting("g", "ada", true)).await;
    let server = redis.server();
    let state = server.keys().into_iter().find(|key| key.ends_with(":state")).unwrap();
    let fields: Vec<(String, String)> = server.does(&["HGETALL", &state]);
    for (field, value) in fields {
        let (number, rest) = value.split_once(' ').unwrap_or((&value, ""));
        if field.starts_with('n') || field == "stamp" || field == "begun" {
            let later = number.parse::<u64>().unwrap() + HOUR;
            server.does::<()>(&["HSET", &state, &field, format!("{later} {rest}").trim_end()]);
        }
    }
    let due = server.keys().into_iter().find(|key| key.ends_with(":due")).unwrap();
    server.does::<()>(&["ZINCRBY", &due, &HOUR.to_string(), "ws:group:g\nada"]);

    let view = alive.renew().await.unwrap();
    assert!(view.next_left.unwrap() <= GRACE, "{:?}", view.next_left);
    assert_eq!(view.live.len(), 2);
    let renewing = alive.renewing();
    tokio::time::sleep(LEASE * 3 / 2).await;
    renewing.abort();
    assert_eq!(alive.renew().await.unwrap().ended.len(), 1);
    assert!(dead.renew().await.is_none());
}

mod only {
    use super::*;

    on_a_server!(a_clock_that_goes_back_prolongs_nothing);
}

on_both!(
    a_lease_that_is_not_renewed_ends_for_everybody,
    when_nobody_could_renew_everybody_gets_a_grace,
    who_was_found_ended_does_not_come_back_by_a_grace,
    a_node_that_slept_alone_keeps_its_lease,
    a_join_that_was_held_up_changes_nothing,
    a_writer_of_another_lease_or_epoch_is_fenced,
);
