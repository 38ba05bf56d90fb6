#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test stops where it fails")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proptest::prelude::*;
use tokio::time::Instant;

use super::backoff::{Backoff, HEALTHY_AFTER};
use super::{Supervisor, TaskState};

proptest! {
    /// The pause is 100 ms times a power of two, at most 30 s, and the exponent is the number of short runs in a row.
    #[test]
    fn the_pause_doubles_with_each_short_run_and_resets_after_a_long_one(
        runs in prop::collection::vec(0_u64..120, 1..40),
    ) {
        let mut backoff = Backoff::default();
        let mut short_runs = 0;
        for (number, seconds) in runs.into_iter().enumerate() {
            if number == 0 || seconds >= 60 {
                short_runs = 0;
            }
            let expected = (100_u64 << short_runs.min(20)).min(30_000);
            prop_assert_eq!(backoff.after(Duration::from_secs(seconds)), Duration::from_millis(expected));
            short_runs += 1;
        }
    }
}

/// Starts a task that panics in its first `panics` runs and then never ends; counts its runs.
fn spawn_panicking(supervisor: &Supervisor, panics: usize) -> Arc<AtomicUsize> {
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = runs.clone();
    supervisor.spawn("panicking", move || {
        let run = counted.fetch_add(1, Ordering::SeqCst);
        async move {
            assert!(run >= panics, "the password is swordfish");
            std::future::pending::<()>().await;
        }
    });
    runs
}

#[tokio::test(start_paused = true)]
async fn a_task_that_panics_is_restarted_and_counts_as_unhealthy_for_a_minute() {
    let supervisor = Supervisor::new();
    let runs = spawn_panicking(&supervisor, 3);
    let started = Instant::now();
    while runs.load(Ordering::SeqCst) < 4 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let elapsed = started.elapsed();
    assert!(
        (Duration::from_millis(700)..Duration::from_millis(900)).contains(&elapsed),
        "100 + 200 + 400: {elapsed:?}"
    );
    let task = supervisor.tasks()[0].clone();
    assert_eq!((task.restarts, task.state), (3, TaskState::Recovering));
    assert!(!supervisor.is_healthy() && task.last_panic.is_some());
    assert!(!serde_json::to_string(&task).unwrap().contains("swordfish"));
    tokio::time::sleep(HEALTHY_AFTER).await;
    assert!(supervisor.is_healthy());
    assert_eq!(supervisor.tasks()[0].state, TaskState::Running);
    assert_eq!(supervisor.restarts(), [("panicking".into(), 3)]);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_waits_for_its_next_start_is_unhealthy() {
    let supervisor = Supervisor::new();
    spawn_panicking(&supervisor, usize::MAX);
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(supervisor.tasks()[0].state, TaskState::Waiting);
    assert!(!supervisor.is_healthy());
    let (started, before) = (Instant::now(), supervisor.tasks()[0].restarts);
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(supervisor.tasks()[0].restarts - before, 10, "every 30 s: {:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_task_that_ends_or_is_stopped_is_no_longer_listed() {
    let supervisor = Supervisor::new();
    let ended = supervisor.spawn("short", || async {});
    let stopped = supervisor.spawn("stopped", std::future::pending);
    supervisor.spawn("endless", std::future::pending);
    tokio::time::sleep(Duration::from_millis(1)).await;
    ended.stop();
    assert_eq!(supervisor.tasks().len(), 2);
    stopped.stop();
    tokio::time::sleep(Duration::from_millis(1)).await;
    let names: Vec<_> = supervisor.tasks().into_iter().map(|task| task.name).collect();
    assert_eq!(names, ["endless"]);
    supervisor.stop();
    supervisor.spawn("late", || async { panic!("no task starts after a stop") });
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!((supervisor.tasks(), supervisor.is_healthy()), (Vec::new(), true));
}

/// The log may be a subscriber of the application.
#[tokio::test(start_paused = true)]
async fn a_log_that_panics_ends_no_supervision() {
    let broken = tracing_subscriber::fmt().with_writer(|| -> std::io::Sink { panic!("the log is broken") }).finish();
    let _log = tracing::subscriber::set_default(broken);
    let supervisor = Supervisor::new();
    let runs = spawn_panicking(&supervisor, 3);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(runs.load(Ordering::SeqCst), 4);
    assert_eq!((supervisor.tasks()[0].restarts, supervisor.tasks()[0].state), (3, TaskState::Recovering));
}

#[test]
fn a_task_whose_runtime_ends_is_lost_and_unhealthy() {
    let supervisor = Supervisor::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    supervisor.spawn_on(runtime.handle(), "lost", std::future::pending);
    supervisor.spawn_on(runtime.handle(), "stopped", std::future::pending).stop();
    assert!(supervisor.is_healthy());
    drop(runtime);
    let tasks: Vec<_> = supervisor.tasks().into_iter().map(|task| (task.name, task.state)).collect();
    assert_eq!(tasks, [("lost".into(), TaskState::Lost)]);
    assert!(!supervisor.is_healthy());
}
