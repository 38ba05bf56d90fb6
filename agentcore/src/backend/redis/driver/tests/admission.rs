//! Admission: never one connection too many, never one lost.

use std::net::IpAddr;

use super::super::*;
use super::fixture::*;
use crate::backend::{Admission, AdmissionLimits, Refused};

async fn concurrent_writers_admit_up_to_the_limits(redis: TestRedis) {
    let limits = AdmissionLimits { total: 500, per_user: 4, per_ip: 150, groups: 0 };
    let address = |number: usize| IpAddr::from([10, 0, 0, u8::try_from(number % 5).unwrap()]);
    let mut races = Vec::new();
    for name in ["a", "b", "c"] {
        let node = redis.node_within(name, limits).await;
        races.push(tokio::spawn(async move {
            let mut admitted = Vec::new();
            for round in 0..20_usize {
                let users: Vec<_> = (0..100).map(|number| (round * 100 + number) % 300).collect();
                let changes = users.iter().map(|&n| admit(&format!("u{n}"), Some(address(n)))).collect();
                let outcomes = node.commands.write(node.lease, changes).await.unwrap().unwrap();
                for (number, outcome) in users.into_iter().zip(outcomes) {
                    match outcome {
                        ChangeOutcome::Admitted(connections) => {
                            assert!((1..=limits.per_user).contains(&connections));
                            admitted.push(number);
                        }
                        ChangeOutcome::Refused(Refused::Total | Refused::User | Refused::Ip) => {}
                        other => unreachable!("{other:?}"),
                    }
                }
            }
            (node, admitted)
        }));
    }
    let (mut nodes, mut users, mut addresses) = (Vec::new(), vec![0; 300], [0; 5]);
    for race in races {
        let (node, admitted) = race.await.unwrap();
        for &number in &admitted {
            users[number] += 1;
            addresses[number % 5] += 1;
        }
        nodes.push((node, admitted));
    }
    assert_eq!(users.iter().sum::<usize>(), limits.total, "more were asked for than permitted");
    assert!(users.iter().all(|&count| count <= limits.per_user), "{users:?}");
    assert!(addresses.iter().all(|&count| count <= limits.per_ip), "{addresses:?}");
    let connections: usize = nodes[0].0.renew().await.unwrap().connections();
    assert_eq!(connections, limits.total);

    // Each node releases its admissions, and one that it does not have. Nothing is left then.
    for (node, admitted) in &nodes {
        for number in admitted {
            node.write(release(&format!("u{number}"), Some(address(*number)))).await;
        }
        assert!(matches!(node.write(release("u1", Some(address(1)))).await, ChangeOutcome::Done));
    }
    assert_eq!(nodes[0].0.renew().await.unwrap().connections(), 0);
    assert_eq!(nodes[0].0.commands.user_count().await.unwrap(), 0);
}

async fn a_refusal_names_the_limit_and_counts_nothing(redis: TestRedis) {
    let limits = AdmissionLimits { total: 4, per_user: 2, per_ip: 3, groups: 0 };
    let (one, two) = (redis.node_within("one", limits).await, redis.node_within("two", limits).await);
    let (here, there) = (Some(IpAddr::from([1; 4])), Some(IpAddr::from([7; 16])));
    assert!(matches!(one.write(admit("ada", here)).await, ChangeOutcome::Admitted(1)));
    assert!(matches!(two.write(admit("ada", here)).await, ChangeOutcome::Admitted(2)));
    assert!(matches!(one.write(admit("ada", here)).await, ChangeOutcome::Refused(Refused::User)));
    assert!(matches!(two.write(admit("bob", here)).await, ChangeOutcome::Admitted(1)));
    assert!(matches!(one.write(admit("cem", here)).await, ChangeOutcome::Refused(Refused::Ip)));
    assert!(matches!(one.write(admit("cem", there)).await, ChangeOutcome::Admitted(1)));
    assert!(matches!(one.write(admit("dan", None)).await, ChangeOutcome::Refused(Refused::Total)));
    assert_eq!(one.commands.user_count().await.unwrap(), 3);
    assert!(!one.commands.has_user(user("dan")).await.unwrap());

    // A node cannot release an admission of another node.
    two.write(release("cem", there)).await;
    assert!(matches!(two.write(admit("dan", None)).await, ChangeOutcome::Refused(Refused::Total)));
    one.write(release("cem", there)).await;
    assert!(!one.commands.has_user(user("cem")).await.unwrap());
    assert!(matches!(two.write(admit("dan", None)).await, ChangeOutcome::Admitted(1)));
    assert_eq!(one.renew().await.unwrap().connections(), 4);
}

async fn connections_of_a_joining_node_count_even_over_the_limits(redis: TestRedis) {
    let limits = AdmissionLimits { total: 10, per_user: 3, per_ip: 3, groups: 5 };
    let commands = redis.commands().await;
    let full = TestNode::try_join(commands.clone(), "full", None, limits, (12, 7)).await.unwrap();
    let address = IpAddr::from([1; 4]);
    full.write(Change::UserConnections(user("ada"), 4)).await;
    full.write(Change::IpConnections(address, 4)).await;
    let other = TestNode::join(commands, "other", None, limits).await;
    assert_eq!((other.view.connections(), other.view.groups), (12, 7));
    assert!(matches!(other.write(admit("bob", None)).await, ChangeOutcome::Refused(Refused::Total)));

    // A node with a higher total limit still checks the user and the address.
    let wide =
        TestNode { lease: WriteLease { limits: AdmissionLimits { total: 100, ..limits }, ..other.lease }, ..other };
    assert!(matches!(wide.write(admit("ada", None)).await, ChangeOutcome::Refused(Refused::User)));
    assert!(matches!(wide.write(admit("bob", Some(address))).await, ChangeOutcome::Refused(Refused::Ip)));
    full.write(Change::IpConnections(address, 2)).await;
    assert!(matches!(
        full.write(Change::ForceAdmit(Admission::new(user("cem"), Some(address)))).await,
        ChangeOutcome::Done
    ));
    assert_eq!(full.renew().await.unwrap().connections(), 13);
    assert!(matches!(wide.write(admit("bob", Some(address))).await, ChangeOutcome::Refused(Refused::Ip)));
    full.write(release("cem", Some(address))).await;
    full.write(Change::UserConnections(user("ada"), 0)).await;
    assert!(!full.commands.has_user(user("ada")).await.unwrap());
    assert!(matches!(wide.write(admit("ada", Some(address))).await, ChangeOutcome::Admitted(1)));
}

async fn a_group_quota_is_limited_but_never_below_the_need(redis: TestRedis) {
    let limits = AdmissionLimits { total: 10, per_user: 3, per_ip: 3, groups: 10 };
    let (one, two) = (redis.node_within("one", limits).await, redis.node_within("two", limits).await);
    let groups = |wanted, needed| Change::GroupQuota { wanted, needed };
    assert!(matches!(one.write(groups(6, 0)).await, ChangeOutcome::GroupQuota(6)));
    assert!(matches!(two.write(groups(6, 0)).await, ChangeOutcome::GroupQuota(4)));
    assert!(matches!(two.write(groups(6, 5)).await, ChangeOutcome::GroupQuota(5)));
    assert!(matches!(one.write(groups(8, 6)).await, ChangeOutcome::GroupQuota(6)));
    assert!(matches!(one.write(groups(1, 1)).await, ChangeOutcome::GroupQuota(1)));
    assert!(matches!(two.write(groups(20, 5)).await, ChangeOutcome::GroupQuota(9)));
    assert_eq!(two.renew().await.unwrap().groups, 10);
}

async fn member_counts_are_summed_over_the_nodes(redis: TestRedis) {
    let (one, two) = (redis.node("one").await, redis.node("two").await);
    one.write(Change::GroupMembers(group("a"), 3)).await;
    two.write(Change::GroupMembers(group("a"), 4)).await;
    two.write(Change::GroupMembers(group("b"), 1)).await;
    let members = || one.commands.member_counts(vec![group("b"), group("a"), group("nobody")]);
    assert_eq!(members().await.unwrap(), [1, 7, 0]);
    two.write(Change::GroupMembers(group("b"), 0)).await;
    one.write(Change::GroupMembers(group("a"), 1)).await;
    assert_eq!(members().await.unwrap(), [0, 5, 0]);

    let many: Vec<_> = (0..2_500).map(|number| group(&number.to_string())).collect();
    let changes = many.iter().map(|group| Change::GroupMembers(group.clone(), 2)).collect();
    assert_eq!(one.commands.write(one.lease, changes).await.unwrap().unwrap().len(), 2_500);
    assert_eq!(two.commands.member_counts(many).await.unwrap(), vec![2; 2_500]);
    assert_eq!(two.commands.member_counts(Vec::new()).await.unwrap(), Vec::<usize>::new());
}

on_both!(
    concurrent_writers_admit_up_to_the_limits,
    a_refusal_names_the_limit_and_counts_nothing,
    connections_of_a_joining_node_count_even_over_the_limits,
    a_group_quota_is_limited_but_never_below_the_need,
    member_counts_are_summed_over_the_nodes,
);
