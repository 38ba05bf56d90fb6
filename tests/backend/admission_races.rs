//! Admissions over nodes and Redis: never one too many, and none lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use agentcore::backend::{Admission, AdmissionLimits, Backend, RedisBackend, Refused};
use tests::bare::{Bare, no_limits};
use tests::raw::Raw;
use tests::redis::Redis;
use tests::room::room;
use tests::server::{Server, settings};
use tests::wait::{until, until_equal};

const BACKENDS: usize = 3;
const TASKS: usize = 600;
/// Over all tasks.
const ADMISSIONS: usize = 100_000;

#[derive(Default)]
struct Held {
    total: AtomicUsize,
    users: [AtomicUsize; 8],
    admitted: AtomicUsize,
    refused: AtomicUsize,
}

/// Requests admissions repeatedly, and releases each a moment later.
async fn race(backend: Arc<RedisBackend>, held: Arc<Held>, limits: AdmissionLimits, task: usize) {
    let user = task % held.users.len();
    let admission = Admission::new(format!("u{user}").parse().expect("a name"), None);
    for _ in 0..ADMISSIONS / TASKS {
        match backend.admit(&admission).await {
            Ok(()) => {
                assert!(held.total.fetch_add(1, Ordering::SeqCst) < limits.total, "one too many");
                assert!(held.users[user].fetch_add(1, Ordering::SeqCst) < limits.per_user, "one of a user too many");
                held.admitted.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                held.users[user].fetch_sub(1, Ordering::SeqCst);
                held.total.fetch_sub(1, Ordering::SeqCst);
                backend.release(&admission);
            }
            Err(Refused::Total | Refused::User) => drop(held.refused.fetch_add(1, Ordering::Relaxed)),
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_backends_race_for_admissions() {
    let Some(redis) = Redis::start() else { return };
    let limits = AdmissionLimits { total: 50, per_user: 10, ..no_limits() };
    let mut backends = Vec::new();
    for number in 0..BACKENDS {
        let backend = Arc::new(redis.backend());
        Bare::new().0.start(&*backend, &format!("n{number}"), limits).await;
        backends.push(backend);
    }
    let held = Arc::new(Held::default());
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| tokio::spawn(race(backends[task % BACKENDS].clone(), held.clone(), limits, task)))
        .collect();
    for task in tasks {
        task.await.expect("no panic");
    }
    let (admitted, refused) = (held.admitted.load(Ordering::Relaxed), held.refused.load(Ordering::Relaxed));
    assert!(admitted > limits.total && refused > 0, "{admitted} admitted, {refused} refused: no race");
    until_equal("users", 0, async || backends[0].online_count().await.expect("a count")).await;

    // No admission was lost: all can be granted again, and not one more.
    let mut taken = 0;
    for number in 0..2 * limits.total {
        let admission = Admission::new(format!("v{}", number % 20).parse().expect("a name"), None);
        taken += usize::from(backends[number % BACKENDS].admit(&admission).await.is_ok());
    }
    assert_eq!(taken, limits.total);
    for backend in backends {
        backend.stop().await;
    }
    assert!(redis.keys().is_empty(), "{:?}", redis.keys());
}

/// Three nodes and 3,000 sockets, as fast as they can connect.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_admit_exactly_the_limit() {
    let Some(redis) = Redis::start() else { return };
    let (places, per_user, sockets) = (100, 7, 3_000);
    let mut settings = settings();
    settings.max_total_connections = places;
    settings.max_connections_per_client = per_user;
    let mut nodes = Vec::new();
    for _ in 0..3 {
        let (app, journal, gate) = room(settings.clone());
        nodes.push((Arc::new(Server::start(app.backend(redis.backend())).await), journal, gate));
    }
    // Users for all connections but one, then the rest, all at once.
    let clients: Vec<_> = (0..sockets)
        .map(|number| {
            let server = nodes[number % nodes.len()].0.clone();
            tokio::spawn(async move {
                let mut raw = Raw::reach(&server).await;
                let status = raw.shake(&format!("/room/u{}", number % 40), &[]).await.status;
                (status == 101).then_some((number % 40, raw))
            })
        })
        .collect();
    let mut held = Vec::new();
    for client in clients {
        held.extend(client.await.expect("no panic"));
    }
    assert_eq!(held.len(), places);
    for user in 0..40 {
        let count = held.iter().filter(|(of, _)| *of == user).count();
        assert!(count <= per_user, "{count} of user {user}");
    }
    let here = |server: &Server| server.manager.stats().connections;
    until_equal("connections", places, async || nodes.iter().map(|(server, ..)| here(server)).sum::<usize>()).await;
    drop(held);
    let online = async || nodes[0].0.manager.online_count().await.expect("a count");
    until_equal("users", 0, online).await;
    // All connections are available again.
    let mut again = Vec::new();
    for number in 0..places {
        let mut raw = Raw::reach(&nodes[number % 3].0).await;
        assert_eq!(raw.shake(&format!("/room/v{number}"), &[]).await.status, 101);
        again.push(raw);
    }
    let refused = Raw::reach(&nodes[0].0).await.shake("/room/one-more", &[]).await;
    assert_eq!(refused.status, 503);
}

/// The node has no count from which it could have a share.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_starts_right_after_a_loss_admits_nobody_until_all_are_counted_again() {
    let Some(redis) = Redis::start() else { return };
    let limits = AdmissionLimits { total: 20, ..no_limits() };
    let admission = |name: String| Admission::new(name.parse().expect("a name"), None);
    let (old, older) = (redis.backend(), redis.backend());
    for (name, backend) in [("old", &old), ("older", &older)] {
        Bare::new().0.start(backend, name, limits).await;
        for number in 0..9 {
            backend.admit(&admission(format!("{name}{number}"))).await.expect("a place");
        }
    }
    redis.does::<()>(&["FLUSHALL"]);
    // A call shows the loss, and the node writes its data again.
    old.release(&admission("old0".to_owned()));
    until_equal("users", 8, async || old.online_count().await.expect("a count")).await;
    let new = redis.backend();
    Bare::new().0.start(&new, "new", limits).await;
    for number in 0..10 {
        let refused = new.admit(&admission(format!("new{number}"))).await.expect_err("it knows of nothing");
        assert!(matches!(&refused, Refused::Backend(error) if error.is_retryable()), "{refused:?}");
    }
    let mut given = 0;
    until("all are counted", async || {
        given += usize::from(new.admit(&admission(format!("new{given}"))).await.is_ok());
        given == 3
    })
    .await;
    let refused = new.admit(&admission("one".to_owned())).await.expect_err("it is full");
    assert!(matches!(refused, Refused::Total), "{refused:?}");
    until_equal("users", 20, async || new.online_count().await.expect("a count")).await;
    for backend in [old, older, new] {
        backend.stop().await;
    }
}
