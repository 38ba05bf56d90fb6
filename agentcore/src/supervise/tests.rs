#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test stops where it fails")]

use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;

use super::*;

proptest! {
    /// The pause is 100 ms times a power of two, at most 30 s, and the power is how many short runs came in a row.
    #[test]
    fn the_pause_doubles_with_each_short_run_and_starts_over_after_a_good_one(
        runs in prop::collection::vec(0_u64..120, 1..40),
    ) {
        let mut backoff = Backoff::default();
        let mut short_ones = 0;
        for (number, seconds) in runs.into_iter().enumerate() {
            if number == 0 || seconds >= 60 {
                short_ones = 0;
            }
            let expected = (100_u64 << short_ones.min(20)).min(30_000);
            prop_assert_eq!(backoff.after(Duration::from_secs(seconds)), Duration::from_millis(expected));
            short_ones += 1;
        }
    }
}

/// A task that panics in its first `panics` runs and then goes on for ever.
fn unlucky(supervisor: &Supervisor, panics: usize) -> Arc<AtomicUsize> {
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = runs.clone();
    supervisor.spawn("unlucky", move || {
        let run = counted.fetch_add(1, Ordering::SeqCst);
        async move {
            assert!(run >= panics, "the password is swordfish");
            std::future::pending::<()>().await;
        }
    });
    runs
}

#[tokio::test(start_paused = true)]
async fn a_task_that_panics_is_started_again_and_counts_as_unsound_for_a_minute() {
    let supervisor = Supervisor::new();
    let runs = unlucky(&supervisor, 3);
    let begun = Instant::now();
    while runs.load(Ordering::SeqCst) < 4 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let elapsed = begun.elapsed();
    assert!(
        (Duration::from_millis(700)..Duration::from_millis(900)).contains(&elapsed),
        "100 + 200 + 400: {elapsed:?}"
    );
    let task = supervisor.tasks()[0].clone();
    assert_eq!((task.restarts, task.state), (3, TaskState::Recovering));
    assert!(!supervisor.is_sound() && task.last_panic.is_some());
    assert!(!serde_json::to_string(&task).unwrap().contains("swordfish"));
    tokio::time::sleep(SOUND).await;
    assert!(supervisor.is_sound());
    assert_eq!(supervisor.tasks()[0].state, TaskState::Running);
    assert_eq!(supervisor.restarts(), [("unlucky".into(), 3)]);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_waits_for_its_next_start_is_unsound_however_long() {
    let supervisor = Supervisor::new();
    unlucky(&supervisor, usize::MAX);
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(supervisor.tasks()[0].state, TaskState::Waiting);
    assert!(!supervisor.is_sound());
    let (begun, before) = (Instant::now(), supervisor.tasks()[0].restarts);
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(supervisor.tasks()[0].restarts - before, 10, "every 30 s: {:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_task_that_ends_or_is_stopped_is_listed_no_more() {
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
    supervisor.spawn("late", || async { panic!("nothing starts any more") });
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!((supervisor.tasks(), supervisor.is_sound()), (Vec::new(), true));
}
