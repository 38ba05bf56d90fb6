//! Rates: by the rules of `RateLimiter`, whichever clock.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config as Runs, TestRng, TestRunner};
use tokio::time::Instant;

use super::super::*;
use super::fixture::*;
use crate::backend::{MessageClass, Quota, RateAlgorithm, RateDecision, RateLimiter, RateRequest, Subject};

pub(super) fn quota(messages: u32, window: Duration) -> Quota {
    Quota { limit: 0, class: MessageClass::Ordinary, messages, window, algorithm: RateAlgorithm::Sliding }
}

fn millis(number: u64) -> Duration {
    Duration::from_millis(number)
}

async fn take(commands: &Arc<dyn Commands>, quotas: &[Quota], cost: u32) -> RateDecision {
    commands.take("subject".to_owned(), quotas.to_vec(), cost).await.unwrap()
}

fn hint(decision: RateDecision) -> Duration {
    match decision {
        RateDecision::Refused { retry_after: Some(after) } => after,
        other => panic!("{other:?}"),
    }
}

async fn no_window_has_too_many_and_a_hint_is_true(redis: TestRedis) {
    let commands = redis.commands().await;
    let window = millis(200);
    for algorithm in [RateAlgorithm::Sliding, RateAlgorithm::Gcra] {
        let quotas = [Quota { algorithm, ..quota(7, window) }, Quota { algorithm, ..quota(4, window / 3) }];
        let mut runner = TestRunner::new_with_rng(Runs::default(), TestRng::deterministic_rng(Default::default()));
        let asks = prop::collection::vec((1..4_u32, 0..30_u64), 120);
        let asks = asks.new_tree(&mut runner).unwrap().current();
        let mut passed: Vec<(Instant, Instant, u32)> = Vec::new();
        for (cost, pause) in asks {
            tokio::time::sleep(millis(pause)).await;
            let mut asked = Instant::now();
            let mut decision = take(&commands, &quotas, cost).await;
            if decision != RateDecision::Passed {
                tokio::time::sleep(hint(decision)).await;
                asked = Instant::now();
                decision = take(&commands, &quotas, cost).await;
                assert_eq!(decision, RateDecision::Passed, "the hint was too early");
            }
            passed.push((asked, Instant::now(), cost));
        }
        // Redis decided between asking and answering: the widest that a window can have been counts.
        let times = if algorithm == RateAlgorithm::Gcra { 2 } else { 1 };
        for quota in quotas {
            for (begin, (first, _, _)) in passed.iter().enumerate() {
                let within = passed[begin..].iter().take_while(|(_, answered, _)| *answered - *first < quota.window);
                let count: u32 = within.map(|(_, _, cost)| cost).sum();
                assert!(count <= times * quota.messages, "{count} in a window of {quota:?}");
            }
        }
    }
}

async fn all_quotas_or_none(redis: TestRedis) {
    let commands = redis.commands().await;
    let (many, few) = (quota(10, millis(60_000)), quota(2, millis(600)));
    assert_eq!(take(&commands, &[many, few], 2).await, RateDecision::Passed);
    for _ in 0..20 {
        assert!(hint(take(&commands, &[many, few], 1).await) <= few.window);
    }
    assert_eq!(take(&commands, &[many], 8).await, RateDecision::Passed, "what was refused was counted nowhere");
    assert!(hint(take(&commands, &[many], 1).await) > few.window);
    let never = RateDecision::Refused { retry_after: None };
    assert_eq!(take(&commands, &[many, few], 3).await, never);
    assert_eq!(take(&commands, &[], 3).await, RateDecision::Passed);
    assert_eq!(take(&commands, &[many], 0).await, RateDecision::Passed);
}

async fn quotas_and_subjects_are_counted_apart(redis: TestRedis) {
    let commands = redis.commands().await;
    let one = quota(1, millis(60_000));
    let others = [
        one,
        Quota { limit: 1, ..one },
        Quota { class: MessageClass::Exempt, ..one },
        Quota { class: MessageClass::Type("a"), ..one },
        Quota { class: MessageClass::Type("a:1"), ..one },
        Quota { window: millis(2_000), ..one },
        Quota { algorithm: RateAlgorithm::Gcra, ..one },
    ];
    for other in others {
        assert_eq!(take(&commands, &[other], 1).await, RateDecision::Passed, "{other:?}");
        assert_ne!(take(&commands, &[other], 1).await, RateDecision::Passed, "{other:?}");
    }
    let elsewhere = commands.take("another".to_owned(), vec![one], 1).await.unwrap();
    assert_eq!(elsewhere, RateDecision::Passed);
}

async fn a_million_messages_are_counted_in_a_bounded_log(redis: TestRedis) {
    let commands = redis.commands().await;
    let (window, begun) = (millis(60_000), Instant::now());
    let quotas = [quota(1_000_000, window)];
    for _ in 0..5_000 {
        assert_eq!(take(&commands, &quotas, 200).await, RateDecision::Passed);
    }
    let after = hint(take(&commands, &quotas, 1).await);
    assert!(after <= window + millis(15), "late by a 4,096th of the window at most: {after:?}");
    assert!(begun.elapsed() + after >= window, "never early: {after:?}");
}

on_both!(
    no_window_has_too_many_and_a_hint_is_true,
    all_quotas_or_none,
    quotas_and_subjects_are_counted_apart,
    a_million_messages_are_counted_in_a_bounded_log,
);

mod only {
    use super::*;

    on_a_server!(
        who_is_silent_is_forgotten,
        the_script_decides_as_the_book_does,
        a_clock_that_goes_back_locks_nobody_out_and_lets_nobody_through,
    );
}

async fn who_is_silent_is_forgotten(mut redis: TestRedis) {
    let commands = redis.commands().await;
    let quotas = [
        quota(3, millis(100)),
        quota(9_000, millis(120)),
        Quota { algorithm: RateAlgorithm::Gcra, ..quota(3, millis(100)) },
    ];
    assert_eq!(take(&commands, &quotas, 2).await, RateDecision::Passed);
    assert_eq!(redis.server().keys().len(), 3);
    tokio::time::sleep(millis(150)).await;
    assert_eq!(redis.server().keys(), Vec::<String>::new());
}

/// The script and the book see the same asks, back to back. They may differ only where an entry ends in between: then
/// the one that refused said that it is a moment away.
async fn the_script_decides_as_the_book_does(redis: TestRedis) {
    let commands = redis.commands().await;
    for algorithm in [RateAlgorithm::Sliding, RateAlgorithm::Gcra] {
        let mut runner = TestRunner::new_with_rng(Runs::default(), TestRng::deterministic_rng(Default::default()));
        let asks = prop::collection::vec((1..5_u32, 0..12_u64), 400);
        let asks = asks.new_tree(&mut runner).unwrap().current();
        let subject = Subject::Key("subject".into());
        let quotas =
            [Quota { algorithm, ..quota(20, millis(150)) }, Quota { algorithm, ..quota(9_000, millis(1_000)) }];
        let mut book = RateLimiter::new(Instant::now());
        for (cost, pause) in asks {
            tokio::time::sleep(millis(pause)).await;
            let asked = Instant::now();
            let decided = take(&commands, &quotas, cost).await;
            let passed_by = asked.elapsed();
            let ask = RateRequest { subject: &subject, quotas: &quotas, cost };
            // The book sees what passed, so that both have counted the same.
            let modelled = book.check(&ask, Instant::now());
            let slack = passed_by + millis(20);
            match (decided, modelled) {
                (RateDecision::Passed, RateDecision::Passed) => {}
                (RateDecision::Refused { .. }, RateDecision::Refused { .. }) => {
                    let (decided, modelled) = (hint(decided), hint(modelled));
                    assert!(decided.abs_diff(modelled) <= slack, "{decided:?} or {modelled:?}");
                }
                (RateDecision::Refused { .. }, RateDecision::Passed) => {
                    assert!(hint(decided) <= slack, "{decided:?}");
                    tokio::time::sleep(hint(decided)).await;
                    assert_eq!(take(&commands, &quotas, cost).await, RateDecision::Passed);
                }
                (RateDecision::Passed, RateDecision::Refused { .. }) => {
                    assert!(hint(modelled) <= slack, "{modelled:?}");
                    tokio::time::sleep(hint(modelled)).await;
                    assert_eq!(book.check(&ask, Instant::now()), RateDecision::Passed);
                }
            }
        }
    }
}

/// As if the clock had been an hour ahead when everything was written.
async fn a_clock_that_goes_back_locks_nobody_out_and_lets_nobody_through(mut redis: TestRedis) {
    const HOUR: u64 = 3_600_000_000;
    let commands = redis.commands().await;
    let log = quota(3, millis(60_000));
    let cell = Quota { algorithm: RateAlgorithm::Gcra, ..log };
    let later = |value: &str| {
        let (time, rest) = value.split_once(' ').unwrap();
        format!("{} {rest}", time.parse::<u64>().unwrap() + HOUR)
    };
    assert_eq!(take(&commands, &[log, cell], 1).await, RateDecision::Passed);
    assert_eq!(take(&commands, &[log, cell], 1).await, RateDecision::Passed);
    let server = redis.server();
    let key = |rule: &str| server.keys().into_iter().find(|key| key.ends_with(rule)).unwrap();
    let (log_key, cell_key) = (key(":s"), key(":g"));
    for (at, entry) in server.does::<Vec<String>>(&["LRANGE", &log_key, "0", "-1"]).into_iter().enumerate() {
        server.does::<()>(&["LSET", &log_key, &at.to_string(), &later(&entry)]);
    }
    let value: String = server.does(&["GET", &cell_key]);
    server.does::<()>(&["SET", &cell_key, &later(&value)]);

    assert_eq!(take(&commands, &[log], 1).await, RateDecision::Passed);
    let after = hint(take(&commands, &[log], 1).await);
    assert!(after <= log.window && after > log.window / 2, "{after:?}");
    let after = hint(take(&commands, &[cell], 1).await);
    assert!(after <= log.window / 3 && after > log.window / 6, "{after:?}");
}
