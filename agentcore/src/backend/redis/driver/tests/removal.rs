//! The entries of a dead node are removed in small steps; concurrent and repeated removals are harmless.

use super::super::*;
use super::fixture::*;

async fn two_nodes_remove_the_entries_of_a_dead_node(redis: TestRedis) {
    let (dead, one, two) = (redis.node("dead").await, redis.node("one").await, redis.node("two").await);
    let (receiver, _subscription) = Receiver::on(&redis, vec![Channel::Group(group("g"))]).await;
    let names: Vec<_> = (0..3_000).map(|number| format!("u{number}")).collect();
    let changes = names.iter().flat_map(|name| [admit(name, None), enter("g", name)]);
    let outcomes = dead.commands.write(dead.lease, changes.collect()).await.unwrap().unwrap();
    assert_eq!(outcomes.len(), 6_000);
    // Every third user is on another node too.
    let elsewhere = names.iter().step_by(3);
    let changes = elsewhere.flat_map(|name| [admit(name, None), enter("g", name)]);
    two.commands.write(two.lease, changes.collect()).await.unwrap().unwrap();
    assert_eq!(receiver.wait_for(3_000).await.len(), 3_000);

    let renewing = [one.renewing(), two.renewing()];
    let expires = async {
        while one.renew().await.unwrap().expired.is_empty() {
            tokio::time::sleep(LEASE / 10).await;
        }
    };
    tokio::time::timeout(LEASE * 20, expires).await.expect("the lease of the dead node expires");
    let lease = dead.lease.lease;
    let (first, second) = tokio::join!(one.commands.remove(lease, false), two.commands.remove(lease, false));
    first.unwrap();
    second.unwrap();
    assert!(one.renew().await.unwrap().expired.is_empty());
    assert_eq!(one.commands.user_count().await.unwrap(), 1_000);
    assert_eq!(one.commands.present_counts(vec![group("g")]).await.unwrap(), [1_000]);
    let texts = receiver.wait_for(5_000).await;
    assert_eq!(texts.len(), 5_000, "one leave message for each user who has left");
    one.commands.remove(lease, false).await.unwrap();

    renewing.iter().for_each(tokio::task::AbortHandle::abort);
    one.remove().await;
    two.remove().await;
    assert_eq!(receiver.wait_for(6_000).await.len(), 6_000);
    redis.assert_empty();
}

async fn only_an_expired_or_own_lease_is_removed(redis: TestRedis) {
    let (one, two) = (redis.node("one").await, redis.node("two").await);
    one.write(admit("ada", None)).await;
    two.commands.remove(one.lease.lease, false).await.unwrap();
    two.commands.remove(one.lease.lease ^ 1, false).await.unwrap();
    assert_eq!(one.renew().await.unwrap().connections(), 1);
    one.remove().await;
    assert!(one.renew().await.is_none(), "a removed lease is fenced");
    let view = two.renew().await.unwrap();
    assert_eq!((view.live.len(), view.expired.len(), view.connections()), (1, 0, 0));
    assert!(!two.commands.has_user(user("ada")).await.unwrap());
    two.remove().await;
    two.remove().await;
    redis.assert_empty();
}

on_both!(two_nodes_remove_the_entries_of_a_dead_node, only_an_expired_or_own_lease_is_removed);
