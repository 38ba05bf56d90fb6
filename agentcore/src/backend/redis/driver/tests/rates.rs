//! Rates: the rules of `RateLimiter` by the clock of Redis.

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

async fn check(commands: &Arc<dyn Commands>, quotas: &[Quota], cost: u32) -> RateDecision {
    commands.check_rate("subject".to_owned(), quotas.to_vec(), cost).await.unwrap()
}

fn retry_after(decision: RateDecision) -> Duration {
    match decision {
        RateDecision::Refused { retry_after: Some(after) } => after,
        other => panic!("{other:?}"),
    }
}

async fn no_window_exceeds_its_quota_and_retry_hints_are_exact(redis: TestRedis) {
    let commands = redis.commands().await;
    let window = millis(200);
    for algorithm in [RateAlgorithm::Sliding, RateAlgorithm::Gcra] {
        let quotas = [Quota { algorithm, ..quota(7, window) }, Quota { algorithm, ..quota(4, window / 3) }];
        let mut runner = TestRunner::new_with_rng(Runs::default(), TestRng::deterministic_rng(Default::default()));
        let requests = prop::collection::vec((1..4_u32, 0..30_u64), 120);
        let requests = requests.new_tree(&mut runner).unwrap().current();
        let mut passed: Vec<(Instant, Instant, u32)> = Vec::new();
        for (cost, pause) in requests {
            tokio::time::sleep(millis(pause)).await;
            let mut asked = Instant::now();
            let mut decision = check(&commands, &quotas, cost).await;
            if decision != RateDecision::Passed {
                tokio::time::sleep(retry_after(decision)).await;
                asked = Instant::now();
                decision = check(&commands, &quotas, cost).await;
                assert_eq!(decision, RateDecision::Passed, "the retry hint was too early");
            }
            passed.push((asked, Instant::now(), cost));
        }
        // Redis decided between the call and the reply, so each window is taken at its widest.
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

async fn a_message_counts_against_all_quotas_or_none(redis: TestRedis) {
    let commands = redis.commands().await;
    let (many, few) = (quota(10, millis(60_000)), quota(2, millis(600)));
    assert_eq!(check(&commands, &[many, few], 2).await, RateDecision::Passed);
    for _ in 0..20 {
        assert!(retry_after(check(&commands, &[many, few], 1).await) <= few.window);
    }
    assert_eq!(check(&commands, &[many], 8).await, RateDecision::Passed, "a refused message was not counted");
    assert!(retry_after(check(&commands, &[many], 1).await) > few.window);
    let never = RateDecision::Refused { retry_after: None };
    assert_eq!(check(&commands, &[many, few], 3).await, never);
    assert_eq!(check(&commands, &[], 3).await, RateDecision::Passed);
    assert_eq!(check(&commands, &[many], 0).await, RateDecision::Passed);
}

async fn quotas_and_subjects_are_counted_separately(redis: TestRedis) {
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
        assert_eq!(check(&commands, &[other], 1).await, RateDecision::Passed, "{other:?}");
        assert_ne!(check(&commands, &[other], 1).await, RateDecision::Passed, "{other:?}");
    }
    let elsewhere = commands.check_rate("another".to_owned(), vec![one], 1).await.unwrap();
    assert_eq!(elsewhere, RateDecision::Passed);
}

async fn a_million_messages_fit_in_a_bounded_log(redis: TestRedis) {
    let commands = redis.commands().await;
    let (window, begun) = (millis(60_000), Instant::now());
    let quotas = [quota(1_000_000, window)];
    for _ in 0..5_000 {
        assert_eq!(check(&commands, &quotas, 200).await, RateDecision::Passed);
    }
    let after = retry_after(check(&commands, &quotas, 1).await);
    assert!(after <= window + millis(15), "at most a 4,096th of the window too late: {after:?}");
    assert!(begun.elapsed() + after >= window, "too early: {after:?}");
}

on_both!(
    no_window_exceeds_its_quota_and_retry_hints_are_exact,
    a_message_counts_against_all_quotas_or_none,
    quotas_and_subjects_are_counted_separately,
    a_million_messages_fit_in_a_bounded_log,
);

mod only {
    use super::*;

    on_a_server!(
        the_keys_of_a_silent_subject_expire,
        the_script_decides_as_the_rate_limiter_does,
        a_clock_that_goes_back_neither_blocks_nor_admits_extra_messages,
    );
}

async fn the_keys_of_a_silent_subject_expire(mut redis: TestRedis) {
    let commands = redis.commands().await;
    let quotas = [
        quota(3, millis(1_000)),
        quota(9_000, millis(1_200)),
        Quota { algorithm: RateAlgorithm::Gcra, ..quota(3, millis(1_000)) },
    ];
    assert_eq!(check(&commands, &quotas, 2).await, RateDecision::Passed);
    assert_eq!(redis.server().keys().len(), 3);
    let server = redis.server();
    until(|| server.keys().is_empty()).await;
}

/// Asks the script and the limiter the same, one after the other. They may differ only if an entry expires in between.
/// The one that refused then returns a short wait.
async fn the_script_decides_as_the_rate_limiter_does(redis: TestRedis) {
    let commands = redis.commands().await;
    for algorithm in [RateAlgorithm::Sliding, RateAlgorithm::Gcra] {
        let mut runner = TestRunner::new_with_rng(Runs::default(), TestRng::deterministic_rng(Default::default()));
        let requests = prop::collection::vec((1..5_u32, 0..12_u64), 400);
        let requests = requests.new_tree(&mut runner).unwrap().current();
        let subject = Subject::Key("subject".into());
        let quotas =
            [Quota { algorithm, ..quota(20, millis(150)) }, Quota { algorithm, ..quota(9_000, millis(1_000)) }];
        let mut limiter = RateLimiter::new(Instant::now());
        for (cost, pause) in requests {
            tokio::time::sleep(millis(pause)).await;
            let asked = Instant::now();
            let decided = check(&commands, &quotas, cost).await;
            let passed_by = asked.elapsed();
            let request = RateRequest { subject: &subject, quotas: &quotas, cost };
            let modelled = limiter.check(&request, Instant::now());
            let slack = passed_by + millis(20);
            match (decided, modelled) {
                (RateDecision::Passed, RateDecision::Passed) => {}
                (RateDecision::Refused { .. }, RateDecision::Refused { .. }) => {
                    let (decided, modelled) = (retry_after(decided), retry_after(modelled));
                    assert!(decided.abs_diff(modelled) <= slack, "{decided:?} or {modelled:?}");
                }
                (RateDecision::Refused { .. }, RateDecision::Passed) => {
                    assert!(retry_after(decided) <= slack, "{decided:?}");
                    tokio::time::sleep(retry_after(decided)).await;
                    assert_eq!(check(&commands, &quotas, cost).await, RateDecision::Passed);
                }
                (RateDecision::Passed, RateDecision::Refused { .. }) => {
                    assert!(retry_after(modelled) <= slack, "{modelled:?}");
                    tokio::time::sleep(retry_after(modelled)).await;
                    assert_eq!(limiter.check(&request, Instant::now()), RateDecision::Passed);
                }
            }
        }
    }
}

/// Moves all stored times an hour ahead, as if the clock had gone back since.
async fn a_clock_that_goes_back_neither_blocks_nor_admits_extra_messages(mut redis: TestRedis) {
    const HOUR: u64 = 3_600_000_000;
    let commands = redis.commands().await;
    let log = quota(3, millis(60_000));
    let cell = Quota { algorithm: RateAlgorithm::Gcra, ..log };
    let later = |value: &str| {
        let (time, rest) = value.split_once(' ').unwrap();
        format!("{} {rest}", time.parse::<u64>().unwrap() + HOUR)
    };
    assert_eq!(check(&commands, &[log, cell], 1).await, RateDecision::Passed);
    assert_eq!(check(&commands, &[log, cell], 1).await, RateDecision::Passed);
    let server = redis.server();
    let key = |algorithm: &str| server.keys().into_iter().find(|key| key.ends_with(algorithm)).unwrap();
    let (log_key, cell_key) = (key(":s"), key(":g"));
    for (at, entry) in server.run::<Vec<String>>(&["LRANGE", &log_key, "0", "-1"]).into_iter().enumerate() {
        server.run::<()>(&["LSET", &log_key, &at.to_string(), &later(&entry)]);
    }
    let value: String = server.run(&["GET", &cell_key]);
    server.run::<()>(&["SET", &cell_key, &later(&value)]);

    assert_eq!(check(&commands, &[log], 1).await, RateDecision::Passed);
    let after = retry_after(check(&commands, &[log], 1).await);
    assert!(after <= log.window && after > log.window / 2, "{after:?}");
    let after = retry_after(check(&commands, &[cell], 1).await);
    assert!(after <= log.window / 3 && after > log.window / 6, "{after:?}");
}
