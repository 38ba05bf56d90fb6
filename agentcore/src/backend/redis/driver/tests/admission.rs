//! Places: never one too many, never one lost.

use std::net::IpAddr;

use super::super::*;
use super::fixture::*;
use crate::backend::{AdmissionLimits, Refused};

async fn three_writers_race_for_places(redis: TestRedis) {
    let limits = AdmissionLimits { total: 500, per_user: 4, per_ip: 150, groups: 0 };
    let address = |number: usize| IpAddr::from([10, 0, 0, u8::try_from(number % 5).unwrap()]);
    let mut races = Vec::new();
    for name in ["a", "b", "c"] {
        let node = redis.node_within(name, limits).await;
        races.push(tokio::spawn(async move {
            let mut admitted = Vec::new();
            for round in 0..20_usize {
                let asked: Vec<_> = (0..100).map(|number| (round * 100 + number) % 300).collect();
                let changes = asked.iter().map(|&n| Change::Admit(user(&format!("u{n}")), Some(address(n)))).collect();
                let outcomes = node.commands.write(node.writer, changes).await.unwrap().unwrap();
                for (number, outcome) in asked.into_iter().zip(outcomes) {
                    match outcome {
                        ChangeOutcome::Admitted(places) => {
                            assert!((1..=limits.per_user).contains(&places));
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
    assert_eq!(users.iter().sum::<usize>(), limits.total, "enough asked for all of them");
    assert!(users.iter().all(|&places| places <= limits.per_user), "{users:?}");
    assert!(addresses.iter().all(|&places| places <= limits.per_ip), "{addresses:?}");
    let places: usize = nodes[0].0.renew().await.unwrap().places();
    assert_eq!(places, limits.total);

    // Each gives back what it has, and no more: then there is nothing.
    for (node, admitted) in &nodes {
        for number in admitted {
            let release = Change::Release(user(&format!("u{number}")), Some(address(*number)));
            node.write(release).await;
        }
        let not_ours = Change::Release(user("u1"), Some(address(1)));
        assert!(matches!(node.write(not_ours).await, ChangeOutcome::Done));
    }
    assert_eq!(nodes[0].0.renew().await.unwrap().places(), 0);
    assert_eq!(nodes[0].0.commands.users().await.unwrap(), 0);
}

async fn a_bound_says_which_it_is_and_leaves_nothing(redis: TestRedis) {
    let limits = AdmissionLimits { total: 4, per_user: 2, per_ip: 3, groups: 0 };
    let (one, two) = (redis.node_within("one", limits).await, redis.node_within("two", limits).await);
    let (here, there) = (Some(IpAddr::from([1; 4])), Some(IpAddr::from([7; 16])));
    let admit = |name: &str, ip| Change::Admit(user(name), ip);
    assert!(matches!(one.write(admit("ada", here)).await, ChangeOutcome::Admitted(1)));
    assert!(matches!(two.write(admit("ada", here)).await, ChangeOutcome::Admitted(2)));
    assert!(matches!(one.write(admit("ada", here)).await, ChangeOutcome::Refused(Refused::User)));
    assert!(matches!(two.write(admit("bob", here)).await, ChangeOutcome::Admitted(1)));
    assert!(matches!(one.write(admit("cem", here)).await, ChangeOutcome::Refused(Refused::Ip)));
    assert!(matches!(one.write(admit("cem", there)).await, ChangeOutcome::Admitted(1)));
    assert!(matches!(one.write(admit("dan", None)).await, ChangeOutcome::Refused(Refused::Total)));
    assert_eq!(one.commands.users().await.unwrap(), 3);
    assert!(!one.commands.has_user(user("dan")).await.unwrap());

    // A place that one node has cannot be given back by another.
    two.write(Change::Release(user("cem"), there)).await;
    assert!(matches!(two.write(admit("dan", None)).await, ChangeOutcome::Refused(Refused::Total)));
    one.write(Change::Release(user("cem"), there)).await;
    assert!(!one.commands.has_user(user("cem")).await.unwrap());
    assert!(matches!(two.write(admit("dan", None)).await, ChangeOutcome::Admitted(1)));
    assert_eq!(one.renew().await.unwrap().places(), 4);
}

async fn what_a_node_has_already_counts_also_over_the_bounds(redis: TestRedis) {
    let limits = AdmissionLimits { total: 10, per_user: 3, per_ip: 3, groups: 5 };
    let commands = redis.commands().await;
    let full = TestNode::try_join(commands.clone(), "full", None, limits, (12, 7)).await.unwrap();
    let address = IpAddr::from([1; 4]);
    full.write(Change::Places(user("ada"), 4)).await;
    full.write(Change::PlacesOf(address, 4)).await;
    let other = TestNode::join(commands, "other", None, limits).await;
    assert_eq!((other.view.places(), other.view.groups), (12, 7));
    assert!(matches!(other.write(Change::Admit(user("bob"), None)).await, ChangeOutcome::Refused(Refused::Total)));

    // A node without bounds of all sees those of one.
    let wide =
        TestNode { writer: WriteLease { limits: AdmissionLimits { total: 100, ..limits }, ..other.writer }, ..other };
    assert!(matches!(wide.write(Change::Admit(user("ada"), None)).await, ChangeOutcome::Refused(Refused::User)));
    assert!(matches!(wide.write(Change::Admit(user("bob"), Some(address))).await, ChangeOutcome::Refused(Refused::Ip)));
    full.write(Change::PlacesOf(address, 2)).await;
    assert!(matches!(full.write(Change::Take(user("cem"), Some(address))).await, ChangeOutcome::Done));
    assert_eq!(full.renew().await.unwrap().places(), 13);
    assert!(matches!(wide.write(Change::Admit(user("bob"), Some(address))).await, ChangeOutcome::Refused(Refused::Ip)));
    full.write(Change::Release(user("cem"), Some(address))).await;
    full.write(Change::Places(user("ada"), 0)).await;
    assert!(!full.commands.has_user(user("ada")).await.unwrap());
    assert!(matches!(wide.write(Change::Admit(user("ada"), Some(address))).await, ChangeOutcome::Admitted(1)));
}

async fn groups_get_as_many_places_as_there_are_but_keep_what_they_need(redis: TestRedis) {
    let limits = AdmissionLimits { total: 10, per_user: 3, per_ip: 3, groups: 10 };
    let (one, two) = (redis.node_within("one", limits).await, redis.node_within("two", limits).await);
    let groups = |wanted, needed| Change::Groups { wanted, needed };
    assert!(matches!(one.write(groups(6, 0)).await, ChangeOutcome::Groups(6)));
    assert!(matches!(two.write(groups(6, 0)).await, ChangeOutcome::Groups(4)));
    assert!(matches!(two.write(groups(6, 5)).await, ChangeOutcome::Groups(5)));
    assert!(matches!(one.write(groups(8, 6)).await, ChangeOutcome::Groups(6)));
    assert!(matches!(one.write(groups(1, 1)).await, ChangeOutcome::Groups(1)));
    assert!(matches!(two.write(groups(20, 5)).await, ChangeOutcome::Groups(9)));
    assert_eq!(two.renew().await.unwrap().groups, 10);
}

async fn members_are_summed_over_the_nodes(redis: TestRedis) {
    let (one, two) = (redis.node("one").await, redis.node("two").await);
    one.write(Change::Members(group("a"), 3)).await;
    two.write(Change::Members(group("a"), 4)).await;
    two.write(Change::Members(group("b"), 1)).await;
    let members = || one.commands.members(vec![group("b"), group("a"), group("nobody")]);
    assert_eq!(members().await.unwrap(), [1, 7, 0]);
    two.write(Change::Members(group("b"), 0)).await;
    one.write(Change::Members(group("a"), 1)).await;
    assert_eq!(members().await.unwrap(), [0, 5, 0]);

    let many: Vec<_> = (0..2_500).map(|number| group(&number.to_string())).collect();
    let changes = many.iter().map(|group| Change::Members(group.clone(), 2)).collect();
    assert_eq!(one.commands.write(one.writer, changes).await.unwrap().unwrap().len(), 2_500);
    assert_eq!(two.commands.members(many).await.unwrap(), vec![2; 2_500]);
    assert_eq!(two.commands.members(Vec::new()).await.unwrap(), Vec::<usize>::new());
}

on_both!(
    three_writers_race_for_places,
    a_bound_says_which_it_is_and_leaves_nothing,
    what_a_node_has_already_counts_also_over_the_bounds,
    groups_get_as_many_places_as_there_are_but_keep_what_they_need,
    members_are_summed_over_the_nodes,
);
