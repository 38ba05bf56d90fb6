//! Leases: which nodes count as live, which are fenced, and the effect of a Redis that was unreachable.

use super::super::*;
use super::fixture::*;
use crate::backend::{AdmissionLimits, Refused};
use crate::id::NodeId;

async fn a_lease_that_is_not_renewed_expires_for_all_nodes(redis: TestRedis) {
    let limits = AdmissionLimits { total: 2, ..NO_LIMITS };
    let (dead, alive) = (redis.node_within("dead", limits).await, redis.node_within("alive", limits).await);
    for name in ["ada", "bob"] {
        assert!(matches!(dead.write(admit(name, None)).await, ChangeOutcome::Admitted(1)));
    }
    dead.write(Change::GroupMembers(group("g"), 2)).await;
    assert!(matches!(alive.write(admit("cem", None)).await, ChangeOutcome::Refused(Refused::Total)));
    assert_eq!(alive.renew().await.unwrap().live.len(), 2);

    let renewing = alive.renewing();
    tokio::time::sleep(LEASE * 3 / 2).await;
    let view = alive.renew().await.unwrap();
    assert_eq!(view.live.iter().map(|peer| peer.lease).collect::<Vec<_>>(), [alive.lease.lease]);
    assert_eq!(view.expired.iter().map(|peer| peer.node.as_str()).collect::<Vec<_>>(), ["dead"]);
    assert_eq!((view.connections(), view.expired[0].incarnation), (0, dead.lease.lease / 2));
    assert_eq!(alive.commands.member_counts(vec![group("g")]).await.unwrap(), [0]);
    assert!(!alive.commands.has_user(user("ada")).await.unwrap());
    assert!(matches!(alive.write(admit("cem", None)).await, ChangeOutcome::Admitted(1)));

    // The node is fenced although its lease has not been removed. It joins again with its state.
    assert!(dead.try_write(admit("ada", None)).await.is_none());
    assert!(dead.renew().await.is_none());
    let back = dead.rejoin().await;
    assert_eq!(back.view.live.len(), 2);
    back.remove().await;
    alive.commands.remove(dead.lease.lease, false).await.unwrap();
    renewing.abort();
    alive.remove().await;
    redis.assert_empty();
}

async fn no_lease_expires_while_no_node_could_renew(redis: TestRedis) {
    let limits = AdmissionLimits { total: 2, ..NO_LIMITS };
    let (one, two) = (redis.node_within("one", limits).await, redis.node_within("two", limits).await);
    assert!(matches!(one.write(admit("ada", None)).await, ChangeOutcome::Admitted(1)));
    assert!(matches!(one.write(admit("bob", None)).await, ChangeOutcome::Admitted(1)));
    redis.set_hang(true);
    tokio::time::sleep(LEASE * 3 + LEASE / 5).await;
    redis.set_hang(false);

    // The first command that Redis gets is an admission of the other node.
    assert!(matches!(two.write(admit("cem", None)).await, ChangeOutcome::Refused(Refused::Total)));
    assert!(matches!(one.write(release("ada", None)).await, ChangeOutcome::Done));
    let view = two.renew().await.unwrap();
    assert_eq!((view.live.len(), view.expired.len(), view.connections()), (2, 0, 1));

    // The grace period is one lease. A lease that is not renewed by then expires.
    let renewing = two.renewing();
    tokio::time::sleep(LEASE * 3 / 2).await;
    renewing.abort();
    assert_eq!(two.renew().await.unwrap().expired.len(), 1);
    assert!(one.renew().await.is_none());
}

async fn a_grace_period_does_not_revive_an_expired_lease(redis: TestRedis) {
    let (frozen, awake) = (redis.node("frozen").await, redis.node("awake").await);
    let renewing = awake.renewing();
    tokio::time::sleep(LEASE * 3 / 2).await;
    assert_eq!(awake.renew().await.unwrap().expired.len(), 1);
    renewing.abort();
    tokio::time::sleep(LEASE * 3 / 4).await;
    // A grace period begins, for leases that have not been found expired.
    let view = awake.renew().await.unwrap();
    assert_eq!((view.live.len(), view.expired.len()), (1, 1));
    assert!(frozen.try_write(Change::GroupMembers(group("g"), 1)).await.is_none());
}

async fn a_suspended_node_without_peers_keeps_its_lease(redis: TestRedis) {
    let node = redis.node("alone").await;
    assert!(matches!(node.write(admit("ada", None)).await, ChangeOutcome::Admitted(1)));
    tokio::time::sleep(LEASE * 2).await;
    assert_eq!(node.renew().await.unwrap().connections(), 1);
}

async fn a_delayed_join_changes_nothing(redis: TestRedis) {
    let commands = redis.commands().await;
    let request = |lease, attempt, connections| JoinRequest {
        lease,
        node: NodeId::new("node").unwrap(),
        incarnation: 5,
        connections,
        groups: 0,
        attempt,
        previous_epoch: None,
    };
    let view = commands.join(request(20, 2, 3)).await.unwrap();
    let lease = WriteLease { lease: 20, epoch: view.epoch, limits: NO_LIMITS };
    let error = commands.join(request(10, 1, 1)).await.unwrap_err();
    assert!(is_refused(&error), "{error:?}");
    let view = commands.renew(lease).await.unwrap().unwrap();
    assert_eq!((view.live.len(), view.connections()), (1, 3));
    // A later lease of the incarnation counts instead of the earlier one.
    let view = commands.join(request(30, 3, 4)).await.unwrap();
    assert_eq!((view.live.len(), view.connections()), (2, 4));
}

async fn a_writer_of_another_lease_or_epoch_is_fenced(redis: TestRedis) {
    let node = redis.node("node").await;
    let other_epoch = TestNode { lease: WriteLease { epoch: node.lease.epoch ^ 1, ..node.lease }, ..node.clone() };
    let other_lease = TestNode { lease: WriteLease { lease: node.lease.lease ^ 1, ..node.lease }, ..node.clone() };
    for fenced in [other_epoch, other_lease] {
        assert!(fenced.try_write(Change::GroupMembers(group("g"), 1)).await.is_none());
        assert!(fenced.renew().await.is_none());
    }
    assert!(node.renew().await.is_some());
    assert_eq!(node.commands.member_counts(vec![group("g")]).await.unwrap(), [0]);
}

/// Moves all stored times an hour ahead, as if the clock had gone back since.
async fn a_clock_that_goes_back_extends_no_lease(mut redis: TestRedis) {
    const HOUR: u64 = 3_600_000;
    let (dead, alive) = (redis.node("dead").await, redis.node("alive").await);
    alive.write(enter("g", "ada")).await;
    alive.write(exit("g", "ada", true)).await;
    let server = redis.server();
    let state = server.keys().into_iter().find(|key| key.ends_with(":state")).unwrap();
    let fields: Vec<(String, String)> = server.run(&["HGETALL", &state]);
    for (field, value) in fields {
        let (number, rest) = value.split_once(' ').unwrap_or((&value, ""));
        if field.starts_with('n') || field == "stamp" || field == "begun" {
            let later = number.parse::<u64>().unwrap() + HOUR;
            server.run::<()>(&["HSET", &state, &field, format!("{later} {rest}").trim_end()]);
        }
    }
    let due = server.keys().into_iter().find(|key| key.ends_with(":due")).unwrap();
    server.run::<()>(&["ZINCRBY", &due, &HOUR.to_string(), "ws:group:g\nada"]);

    let view = alive.renew().await.unwrap();
    assert!(view.next_leave.unwrap() <= GRACE, "{:?}", view.next_leave);
    assert_eq!(view.live.len(), 2);
    let renewing = alive.renewing();
    tokio::time::sleep(LEASE * 3 / 2).await;
    renewing.abort();
    assert_eq!(alive.renew().await.unwrap().expired.len(), 1);
    assert!(dead.renew().await.is_none());
}

mod only {
    use super::*;

    on_a_server!(a_clock_that_goes_back_extends_no_lease);
}

on_both!(
    a_lease_that_is_not_renewed_expires_for_all_nodes,
    no_lease_expires_while_no_node_could_renew,
    a_grace_period_does_not_revive_an_expired_lease,
    a_suspended_node_without_peers_keeps_its_lease,
    a_delayed_join_changes_nothing,
    a_writer_of_another_lease_or_epoch_is_fenced,
);
