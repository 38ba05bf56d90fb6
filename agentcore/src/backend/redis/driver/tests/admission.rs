//! Places: never one too many, never one lost.

use std::net::IpAddr;

use super::super::*;
use super::world::*;
use crate::backend::{AdmissionLimits, Refused};

async fn three_writers_race_for_places(world: World) {
    let limits = AdmissionLimits { total: 500, per_user: 4, per_ip: 150, groups: 0 };
    let address = |number: usize| IpAddr::from([10, 0, 0, u8::try_from(number % 5).unwrap()]);
    let mut races = Vec::new();
    for name in ["a", "b", "c"] {
        let node = world.node_within(name, limits).await;
        races.push(tokio::spawn(async move {
            let mut admitted = Vec::new();
            for round in 0..20_usize {
                let asked: Vec<_> = (0..100).map(|number| (round * 100 + number) % 300).collect();
                let changes = asked.iter().map(|&n| Change::Admit(user(&format!("u{n}")), Some(address(n)))).collect();
                let outcomes = node.commands.write(node.writer, changes).await.unwrap().unwrap();
                for (number, outcome) in asked.into_iter().zip(outcomes) {
                    match outcome {
                        Outcome::Admitted(places) => {
                            assert!((1..=limits.per_user).contains(&places));
                            admitted.push(number);
                        }
                        Outcome::Refused(Refused::Total | Refused::User | Refused::Ip) => {}
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
    let places: usize = nodes[0].0.renew().await.unwrap().places;
    assert_eq!(places, limits.total);

    // Each gives back what it has, and no more: then there is nothing.
    for (node, admitted) in &nodes {
        for number in admitted {
            let release = Change::Release(user(&format!("u{number}")), Some(address(*number)));
            node.write(release).await;
        }
        let not_ours = Change::Release(user("u1"), Some(address(1)));
        assert!(matches!(node.write(not_ours).await, Outcome::Done));
    }
    assert_eq!(nodes[0].0.renew().await.unwrap().places, 0);
    assert_eq!(nodes[0].0.commands.users().await.unwrap(), 0);
}

on_a_server!(three_writers_race_for_places);
