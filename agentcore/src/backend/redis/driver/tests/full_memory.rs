//! A server whose memory is full: what gives back succeeds, what takes does not, and nothing is half done.

use super::super::*;
use super::fixture::*;
use crate::backend::RateDecision;

async fn when_the_memory_is_full_what_gives_back_succeeds(mut redis: TestRedis) {
    let node = redis.node("node").await;
    for name in ["ada", "bob"] {
        node.write(Change::Admit(user(name), None)).await;
        node.write(entering("g", name)).await;
    }
    let (receiver, _subscription) = Receiver::on(&redis, vec![Channel::Group(group("g"))]).await;
    redis.server().does::<()>(&["CONFIG", "SET", "maxmemory", "1"]);

    let admit = vec![Change::Admit(user("cem"), None)];
    assert!(node.commands.write(node.writer, admit.into()).await.is_err());
    assert!(!node.commands.has_user(user("cem")).await.unwrap());
    let quotas = vec![super::rates::quota(1, LEASE)];
    assert!(node.commands.take("s".to_owned(), quotas.clone(), 1).await.is_err());
    assert_eq!(node.renew().await.unwrap().places(), 2);
    let both = vec![Change::Admit(user("cem"), None), Change::Release(user("cem"), None)];
    assert_eq!(node.commands.write(node.writer, both.into()).await.unwrap().unwrap().len(), 2);
    assert!(matches!(node.write(Change::Release(user("ada"), None)).await, ChangeOutcome::Done));
    node.write(exiting("g", "ada", false)).await;
    node.write(exiting("g", "bob", true)).await;
    node.commands.publish(vec![(Channel::Group(group("g")), Bytes::from_static(b"still"))]).await.unwrap();
    assert_eq!(receiver.wait_for(2).await, ["ada left", "still"]);
    let other = TestNode::try_join(redis.commands().await, "other", None, NO_LIMITS, (0, 0)).await;
    assert!(other.is_err());
    tokio::time::sleep(GRACE).await;
    node.commands.announce_left().await.unwrap();
    assert_eq!(receiver.wait_for(3).await[2], "bob left");
    assert_eq!(node.renew().await.unwrap().places(), 1);

    redis.server().does::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    assert!(matches!(node.write(Change::Admit(user("cem"), None)).await, ChangeOutcome::Admitted(1)));
    assert_eq!(node.commands.take("s".to_owned(), quotas, 1).await.unwrap(), RateDecision::Passed);
    redis.server().does::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    node.remove().await;
}

on_a_server!(when_the_memory_is_full_what_gives_back_succeeds);
