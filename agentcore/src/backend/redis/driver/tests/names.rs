//! Names with special characters of Redis, Lua or globs.

use super::super::*;
use super::fixture::*;

const HOSTILE: [&str; 14] =
    ["*", "{}", "{ws:}", ":", "::", "a:b", "a b", "%", "%2A", "?[a]", "\\", "é🦀", "ws:{ws:}:state", "'; return 1 --"];

async fn hostile_names_stay_distinct_and_within_the_prefix(redis: TestRedis) {
    let (one, two) = (redis.node("*").await, redis.node("a b{}:%é").await);
    let channels = HOSTILE.iter().map(|name| Channel::Group(group(name))).collect();
    let (receiver, _subscription) = Receiver::on(&redis, channels).await;
    for (number, name) in HOSTILE.iter().enumerate() {
        assert!(matches!(one.write(admit(name, None)).await, ChangeOutcome::Admitted(1)), "{name}");
        one.write(Change::GroupMembers(group(name), number + 1)).await;
        one.write(enter(name, "ada")).await;
        two.write(enter(name, name)).await;
    }
    let groups: Vec<_> = HOSTILE.iter().map(|name| group(name)).collect();
    let counts: Vec<_> = (1..=HOSTILE.len()).collect();
    assert_eq!(two.commands.member_counts(groups.clone()).await.unwrap(), counts);
    assert_eq!(two.commands.present_counts(groups).await.unwrap(), [2; HOSTILE.len()]);
    assert_eq!(two.commands.user_count().await.unwrap(), HOSTILE.len());
    let names: Vec<_> = two.renew().await.unwrap().live.iter().map(|peer| peer.node.to_string()).collect();
    assert!(names.contains(&"a b{}:%é".to_owned()) && names.contains(&"*".to_owned()));
    receiver.wait_for(2 * HOSTILE.len()).await;
    let received: Vec<_> = receiver
        .received()
        .into_iter()
        .filter_map(|event| match event {
            SubscriptionEvent::Message(Channel::Group(group), payload) if payload != "ada joined" => {
                Some((group, payload))
            }
            _ => None,
        })
        .collect();
    for ((group, payload), name) in received.iter().zip(HOSTILE) {
        assert_eq!((group.as_str(), &**payload), (name, format!("{name} joined").as_bytes()));
    }

    for name in HOSTILE {
        let quotas = vec![super::rates::quota(1, Duration::from_secs(5))];
        let check = || one.commands.check_rate(name.to_owned(), quotas.clone(), 1);
        assert_eq!(check().await.unwrap(), RateDecision::Passed, "{name}");
        assert_ne!(check().await.unwrap(), RateDecision::Passed, "{name}");
    }
    redis.assert_within("ws:");
    one.remove().await;
    two.remove().await;
    assert_eq!(receiver.wait_for(4 * HOSTILE.len()).await.len(), 4 * HOSTILE.len());
}

async fn group_and_user_names_never_collide_in_a_field(redis: TestRedis) {
    let node = redis.node("node").await;
    // These pairs would collide if the parts of a field were only concatenated.
    for (group_name, user_name) in [("a", "b:c"), ("a:b", "c"), ("a b", "c"), ("a", "b c"), ("a%20b", "c")] {
        node.write(enter(group_name, user_name)).await;
    }
    let groups = ["a", "a:b", "a b", "a%20b"].map(group).to_vec();
    assert_eq!(node.commands.present_counts(groups).await.unwrap(), [2, 1, 1, 1]);
}

on_both!(hostile_names_stay_distinct_and_within_the_prefix, group_and_user_names_never_collide_in_a_field);
