//! A server whose memory is full: releases succeed, admissions fail, and nothing is done in part.

use super::super::*;
use super::fixture::*;
use crate::backend::RateDecision;

async fn releases_succeed_when_the_memory_is_full(mut redis: TestRedis) {
    let node = redis.node("node").await;
    for name in ["ada", "bob"] {
        node.write(admit(name, None)).await;
        node.write(enter("g", name)).await;
    }
    let (receiver, _subscription) = Receiver::on(&redis, vec![Channel::Group(group("g"))]).await;
    redis.server().run::<()>(&["CONFIG", "SET", "maxmemory", "1"]);

    let admission = vec![admit("cem", None)];
    assert!(node.commands.write(node.lease, admission.into()).await.is_err());
    assert!(!node.commands.has_user(user("cem")).await.unwrap());
    let quotas = vec![super::rates::quota(1, LEASE)];
    assert!(node.commands.check_rate("s".to_owned(), quotas.clone(), 1).await.is_err());
    assert_eq!(node.renew().await.unwrap().connections(), 2);
    let both = vec![admit("cem", None), release("cem", None)];
    assert_eq!(node.commands.write(node.lease, both.into()).await.unwrap().unwrap().len(), 2);
    assert!(matches!(node.write(release("ada", None)).await, ChangeOutcome::Done));
    node.write(exit("g", "ada", false)).await;
    node.write(exit("g", "bob", true)).await;
    node.commands.publish(vec![(Channel::Group(group("g")), Bytes::from_static(b"delivered"))]).await.unwrap();
    assert_eq!(receiver.wait_for(2).await, ["ada left", "delivered"]);
    let other = TestNode::try_join(redis.commands().await, "other", None, NO_LIMITS, (0, 0)).await;
    assert!(other.is_err());
    tokio::time::sleep(GRACE).await;
    node.commands.announce_left().await.unwrap();
    assert_eq!(receiver.wait_for(3).await[2], "bob left");
    assert_eq!(node.renew().await.unwrap().connections(), 1);

    redis.server().run::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    assert!(matches!(node.write(admit("cem", None)).await, ChangeOutcome::Admitted(1)));
    assert_eq!(node.commands.check_rate("s".to_owned(), quotas, 1).await.unwrap(), RateDecision::Passed);
    redis.server().run::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    node.remove().await;
}

on_a_server!(releases_succeed_when_the_memory_is_full);
