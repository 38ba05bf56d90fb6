//! Limits on connections and groups: exact for simultaneous connections, and released afterwards.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tests::hub::Hub;
use tests::wait::{until, until_equal};

use crate::*;

/// The number of workers in race tests: one thread each, beside those of the test.
fn racing() -> Settings {
    let mut settings = settings();
    settings.workers = 2;
    settings
}

/// The result of a flood: the number of each status, and the admitted clients.
async fn flood(
    server: &Inside,
    count: usize,
    who: impl Fn(usize) -> (String, SocketAddr),
) -> (HashMap<u16, usize>, Vec<Raw>) {
    let tasks: Vec<_> = (0..count)
        .map(|number| {
            let (path, peer) = who(number);
            let server = server.clone();
            tokio::spawn(async move {
                let mut raw = Raw::over(server.reach(Some(peer)));
                let answer = raw.shake(&path, &[]).await;
                (raw, answer.status)
            })
        })
        .collect();
    let (mut statuses, mut held) = (HashMap::new(), Vec::new());
    for task in tasks {
        let (raw, status) = task.await.expect("no panic");
        *statuses.entry(status).or_default() += 1;
        if status == 101 {
            held.push(raw);
        }
    }
    (statuses, held)
}

/// An address that no other client has.
fn anywhere(number: usize) -> SocketAddr {
    let number = u32::try_from(number).expect("a small number");
    SocketAddr::from((std::net::Ipv4Addr::from_bits(0x0A00_0000 + number), 4000))
}

/// Reads both counts at once: a client that was admitted a moment ago may still be on the way to its worker, and counts.
async fn given_back(server: &Inside) {
    let counts = async || (server.manager.stats().connections, server.manager.online_count().await.expect("a count"));
    until_equal("connections and users", (0, 0), counts).await;
}

/// A flood of 10,000 meets a limit of 100, three times: per user, per address, and in total.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn exactly_a_hundred_of_ten_thousand_simultaneous_clients_are_admitted() {
    type Who = fn(usize) -> (String, SocketAddr);
    let kinds: [(&str, u16, Who); 3] = [
        ("total", 503, |number| (format!("/as/u{number}"), anywhere(number))),
        ("user", 429, |number| ("/as/ada".to_owned(), anywhere(number))),
        ("ip", 429, |number| (format!("/as/u{number}"), PEER)),
    ];
    for (kind, refused, who) in kinds {
        let mut settings = racing();
        match kind {
            "total" => settings.max_total_connections = 100,
            "user" => settings.max_connections_per_client = 100,
            _ => settings.max_connections_per_ip = 100,
        }
        let (app, journal) = open(settings);
        let server = Inside::of(app).await;
        let (statuses, held) = flood(&server, 10_000, who).await;
        assert_eq!(statuses, HashMap::from([(101, 100), (refused, 9_900)]), "{kind}");
        until_equal("connections", 100, async || server.manager.stats().connections).await;
        until_equal("hooks", 100, async || journal.lines().len()).await;
        drop(held);
        given_back(&server).await;
        // The last admission is released a moment after the connection has left the counts.
        until("100 places", async || flood(&server, 100, who).await.0 == HashMap::from([(101, 100)])).await;
        given_back(&server).await;
    }
}

/// Clients connect and disconnect as fast as they can: one admission is never held by two.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn while_clients_come_and_go_the_limit_is_never_exceeded() {
    let mut settings = racing();
    settings.max_total_connections = 10;
    let (app, _) = open(settings);
    let server = Inside::of(app).await;
    let (inside, most, let_in) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let counts = Arc::new((inside, most, let_in));
    let clients: Vec<_> = (0..64)
        .map(|number| {
            let (server, counts) = (server.clone(), counts.clone());
            tokio::spawn(async move {
                for _ in 0..40 {
                    let mut raw = Raw::over(server.reach(Some(anywhere(number))));
                    if raw.shake("/ws", &[]).await.status == 101 {
                        // A client that has received 101 holds an admission until it closes.
                        let now = counts.0.fetch_add(1, Ordering::SeqCst) + 1;
                        counts.1.fetch_max(now, Ordering::SeqCst);
                        counts.2.fetch_add(1, Ordering::SeqCst);
                        tokio::task::yield_now().await;
                        counts.0.fetch_sub(1, Ordering::SeqCst);
                        raw.send(&tests::raw::close(1000, "")).await;
                        raw.closed().await;
                    }
                }
            })
        })
        .collect();
    for client in clients {
        client.await.expect("no panic");
    }
    let (most, let_in) = (counts.1.load(Ordering::SeqCst), counts.2.load(Ordering::SeqCst));
    assert!((1..=10).contains(&most), "{most} at once");
    assert!(let_in > 64, "places are given back: {let_in}");
    given_back(&server).await;
}

#[tokio::test]
async fn a_refusal_names_its_limit_and_when_to_try_again() {
    for (kind, status, says) in [
        ("total", 503, "it admits at most 2 connections"),
        ("user", 429, "a user has at most 2 connections"),
        ("ip", 429, "an address has at most 2 connections"),
    ] {
        let mut settings = embedded();
        match kind {
            "total" => settings.max_total_connections = 2,
            "user" => settings.max_connections_per_client = 2,
            _ => settings.max_connections_per_ip = 2,
        }
        let (app, journal) = open(settings);
        let server = Inside::of(app).await;
        let _held = [connect(&server, "/as/ada").await, connect(&server, "/as/ada").await];
        let answer = shake(&server, "/as/ada", &[]).await.1;
        let error = answer.json()["error"].clone();
        assert_eq!((answer.status, error["code"].as_str()), (status, Some("LIMIT_EXCEEDED")), "{kind}");
        assert!(error["message"].as_str().is_some_and(|message| message.contains(says)), "{error}");
        assert_eq!((answer.header("retry-after"), &error["retry_after_ms"]), (Some("5"), &json!(5000)));
        assert_eq!(server.manager.stats().connections, 2);
        assert_eq!(journal.lines().len(), 2, "its hook has not run");
    }
}

#[tokio::test]
async fn an_address_is_what_one_client_has() {
    let mut settings = embedded();
    settings.max_connections_per_ip = 1;
    settings.trusted_proxies = "10.0.0.0/8".parse().expect("a list");
    let server = Inside::of(open(settings).0).await;
    let mut held = Vec::new();
    for (peer, status) in [
        ("198.51.100.1:1", 101),
        ("198.51.100.1:2", 429),
        ("[::ffff:198.51.100.1]:1", 429),
        ("198.51.100.2:1", 101),
        // An IPv6 network counts as one client.
        ("[2001:db8:0:1::1]:1", 101),
        ("[2001:db8:0:1:ffff::2]:1", 429),
        ("[2001:db8:0:2::1]:1", 101),
    ] {
        let (raw, answer) = from(&server, peer).await;
        assert_eq!(answer.status, status, "{peer}");
        held.push(raw);
    }
    // Behind a proxy the client counts, not the proxy; an untrusted peer cannot state an address.
    for (peer, forwarded, status) in [
        ("10.0.0.1:1", "198.51.100.1", 429),
        ("10.0.0.1:1", "198.51.100.3", 101),
        ("10.0.0.1:1", "198.51.100.4", 101),
        ("198.51.100.1:1", "198.51.100.5", 429),
    ] {
        let mut raw = Raw::over(server.reach(Some(peer.parse().expect("an address"))));
        let answer = raw.shake("/ws", &[("X-Forwarded-For", forwarded)]).await;
        assert_eq!(answer.status, status, "{forwarded} from {peer}");
        held.push(raw);
    }
}

async fn group(client: &mut Client, verb: &str, name: &str) -> Value {
    client.ask(verb, json!({ "group": name })).await
}

#[tokio::test]
async fn the_total_of_groups_is_limited_and_an_empty_one_releases_its_permit() {
    let mut settings = embedded();
    settings.max_total_groups = 3;
    let server = Inside::of(open(settings).0).await;
    let (mut ada, mut bob) = (connect(&server, "/ws").await, connect(&server, "/ws").await);
    for name in ["a", "b", "c"] {
        assert_eq!(group(&mut ada, "join", name).await["type"], "reply");
    }
    for client in [&mut ada, &mut bob] {
        let error = group(client, "join", "d").await["data"].clone();
        assert_eq!((&error["code"], &error["category"]), (&json!("LIMIT_EXCEEDED"), &json!("connection")));
        assert!(error["message"].as_str().is_some_and(|text| text.contains("at most 3 groups in total")), "{error}");
    }
    // An existing group accepts any member, and its permit lasts until its last member has left.
    assert_eq!(group(&mut bob, "join", "a").await["type"], "reply");
    assert_eq!(group(&mut ada, "leave", "a").await["type"], "reply");
    assert_eq!(group(&mut ada, "join", "d").await["type"], "error");
    assert_eq!(group(&mut bob, "leave", "a").await["type"], "reply");
    assert_eq!(group(&mut ada, "join", "d").await["type"], "reply");
    assert_eq!(server.manager.stats().groups, 3);
    drop(ada);
    until("nobody is in them", async || server.manager.stats().groups == 0).await;
    for name in ["x", "y", "z"] {
        assert_eq!(group(&mut bob, "join", name).await["type"], "reply");
    }
}

/// Many workers join and leave the same few groups: no join is refused because of a permit that the group already has,
/// and no permit is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn simultaneous_joins_of_a_new_group_need_one_permit() {
    let mut settings = racing();
    settings.workers = 4;
    settings.max_total_groups = 2;
    let hub = Hub::default();
    for on_hub in [false, true] {
        let (app, _) = open(settings.clone());
        let server = Inside::of(if on_hub { app.backend(hub.backend()) } else { app }).await;
        let mut clients = Vec::new();
        for _ in 0..16 {
            clients.push(connect(&server, "/ws").await);
        }
        for round in 0..10 {
            for verb in ["join", "leave"] {
                for (number, client) in clients.iter_mut().enumerate() {
                    let name = format!("{round}-{}", number % 2);
                    client.text(&json!({ "type": verb, "data": { "group": name }, "ref": 1 }).to_string()).await;
                }
                for client in &mut clients {
                    assert_eq!(client.next().await["type"], "reply", "{verb} in round {round}");
                }
            }
        }
        assert_eq!(hub.groups(), 0);
        assert_eq!(server.manager.stats().groups, 0);
    }
}

/// A group with members on two nodes counts on both, and a client that disappears while the backend decides holds no
/// admission.
#[tokio::test]
async fn groups_are_limited_over_all_nodes() {
    let mut settings = settings();
    settings.max_total_groups = 3;
    let hub = Hub::default();
    let nodes = [
        Inside::of(open(settings.clone()).0.backend(hub.backend())).await,
        Inside::of(open(settings).0.backend(hub.backend())).await,
    ];
    let (mut ada, mut bob) = (connect(&nodes[0], "/ws").await, connect(&nodes[1], "/ws").await);
    assert_eq!(group(&mut ada, "join", "a").await["type"], "reply");
    assert_eq!(group(&mut bob, "join", "a").await["type"], "reply");
    assert_eq!(group(&mut ada, "join", "b").await["type"], "reply");
    assert_eq!(group(&mut bob, "join", "b").await["data"]["code"], "LIMIT_EXCEEDED");
    assert_eq!(hub.groups(), 3);
    drop(ada);
    until_equal("groups of the other", 1, async || hub.groups()).await;
    for number in 0..20 {
        let mut client = connect(&nodes[0], "/ws").await;
        client.say("join", json!({ "group": format!("g{number}") })).await;
        tokio::time::sleep(Duration::from_millis(number * 2)).await;
    }
    until_equal("groups of the other", 1, async || hub.groups()).await;
    assert_eq!(group(&mut bob, "join", "b").await["type"], "reply");
}
