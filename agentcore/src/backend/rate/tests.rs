#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

use proptest::prelude::*;
use tokio::time::Instant;

use super::*;

fn user(name: &str) -> Subject {
    Subject::User(UserId::new(name).unwrap())
}

fn quota(messages: u32, window: Duration) -> Quota {
    Quota { limit: 0, class: MessageClass::Ordinary, messages, window, algorithm: RateAlgorithm::Sliding }
}

fn millis(number: u64) -> Duration {
    Duration::from_millis(number)
}

/// A limiter and its clock.
struct LimiterTest {
    limiter: RateLimiter,
    start: Instant,
}

impl LimiterTest {
    fn new() -> Self {
        let start = Instant::now();
        Self { limiter: RateLimiter::new(start), start }
    }

    fn ask(&mut self, subject: &Subject, quotas: &[Quota], cost: u32, at: Duration) -> RateDecision {
        self.limiter.check(&RateRequest { subject, quotas, cost }, self.start + at)
    }
}

fn refused(after: Duration) -> RateDecision {
    RateDecision::Refused { retry_after: Some(after) }
}

#[test]
fn three_in_sixty_seconds_refuse_the_fourth_until_the_first_has_gone() {
    let (mut test, ada, quotas) = (LimiterTest::new(), user("ada"), [quota(3, millis(60_000))]);
    for at in [0, 10_000, 20_000] {
        assert_eq!(test.ask(&ada, &quotas, 1, millis(at)), RateDecision::Passed);
    }
    assert_eq!(test.ask(&ada, &quotas, 1, millis(20_000)), refused(millis(40_000)));
    assert_eq!(test.ask(&ada, &quotas, 1, millis(59_999)), refused(millis(1)));
    assert_eq!(test.ask(&user("bob"), &quotas, 1, millis(59_999)), RateDecision::Passed, "another subject");
    assert_eq!(test.ask(&ada, &quotas, 1, millis(60_000)), RateDecision::Passed);
    assert_eq!(test.ask(&ada, &quotas, 1, millis(60_000)), refused(millis(10_000)));
}

#[test]
fn what_costs_more_than_a_quota_has_never_passes_and_leaves_nothing() {
    let (mut test, ada) = (LimiterTest::new(), user("ada"));
    let quotas = [quota(10, millis(1_000)), quota(4, millis(100))];
    assert_eq!(test.ask(&ada, &quotas, 5, millis(0)), RateDecision::Refused { retry_after: None });
    assert!(test.limiter.is_empty());
    assert_eq!(test.ask(&ada, &quotas, 4, millis(0)), RateDecision::Passed);
}

#[test]
fn parts_windows_and_limits_are_counted_apart() {
    let (mut test, ada) = (LimiterTest::new(), user("ada"));
    let one = quota(1, millis(1_000));
    let others = [
        one,
        Quota { limit: 1, ..one },
        Quota { class: MessageClass::Exempt, ..one },
        Quota { class: MessageClass::Type("a"), ..one },
        Quota { class: MessageClass::Type("b"), ..one },
        Quota { window: millis(2_000), ..one },
        Quota { algorithm: RateAlgorithm::Gcra, ..one },
    ];
    for other in others {
        assert_eq!(test.ask(&ada, &[other], 1, millis(0)), RateDecision::Passed, "{other:?}");
        assert_ne!(test.ask(&ada, &[other], 1, millis(0)), RateDecision::Passed, "{other:?}");
    }
}

#[test]
fn who_is_silent_is_forgotten() {
    for algorithm in [RateAlgorithm::Sliding, RateAlgorithm::Gcra] {
        let mut test = LimiterTest::new();
        let quotas = [Quota { algorithm, ..quota(3, millis(1_000)) }];
        let mut most = 0;
        // 100,000 subjects, each for one message, at most some hundred of them within a window.
        for number in 0..100_000_u64 {
            test.ask(&Subject::Key(number.to_string().into()), &quotas, 1, millis(number * 5));
            most = most.max(test.limiter.len());
        }
        assert!(most <= 512, "{most} subjects at once, {algorithm:?}");
        // And those that were left when everybody else had gone.
        test.ask(&user("ada"), &quotas, 1, millis(10_000_000));
        assert_eq!(test.limiter.len(), 1);
    }
}

#[test]
fn a_log_of_a_million_messages_stays_bounded_and_never_lets_more_through() {
    let (mut test, ada, quotas) = (LimiterTest::new(), user("ada"), [quota(1_000_000, millis(60_000))]);
    for number in 0..1_000_000_u64 {
        assert_eq!(test.ask(&ada, &quotas, 1, Duration::from_micros(number * 10)), RateDecision::Passed);
    }
    let RateDecision::Refused { retry_after: Some(after) } = test.ask(&ada, &quotas, 1, millis(10_000)) else {
        unreachable!("a million is the most");
    };
    assert!(after >= millis(50_000), "never early: {after:?}");
    assert!(after <= millis(50_000 + 15), "late by a 4,096th of a window at most: {after:?}");
    assert_eq!(test.ask(&ada, &quotas, 1, millis(10_000) + after), RateDecision::Passed);
}

/// Arrivals: the pause before each, in milliseconds, and its cost.
fn arrivals() -> impl Strategy<Value = Vec<(u64, u32)>> {
    let pause = prop_oneof![5 => Just(0_u64), 5 => 0..50_u64, 1 => 0..3_000_u64];
    prop::collection::vec((pause, 1..4_u32), 1..200)
}

fn windows() -> impl Strategy<Value = Vec<Quota>> {
    prop::collection::vec((3..40_u32, 1..1_500_u64), 1..4).prop_map(|windows| {
        let mut quotas: Vec<_> = windows.into_iter().map(|(n, window)| quota(n, millis(window))).collect();
        quotas.sort_unstable_by_key(|quota| quota.window);
        quotas.dedup_by_key(|quota| quota.window);
        quotas
    })
}

proptest! {
    /// The reference remembers everything: a message passes exactly when no window that ends with it would have too
    /// many. So none has, whatever passes; what one quota refuses is counted in none.
    #[test]
    fn never_more_than_so_many_in_any_window_and_never_fewer(quotas in windows(), arrivals in arrivals()) {
        let (mut test, ada) = (LimiterTest::new(), user("ada"));
        let (mut passed, mut now) = (Vec::<(u64, u64)>::new(), 0);
        for (pause, cost) in arrivals {
            now += pause;
            let used = |window: u64| -> u64 {
                passed.iter().filter(|(at, _)| at + window > now).map(|(_, cost)| cost).sum()
            };
            let fits = quotas.iter().all(|quota| {
                let window = u64::try_from(quota.window.as_millis()).unwrap();
                used(window) + u64::from(cost) <= u64::from(quota.messages)
            });
            let decision = test.ask(&ada, &quotas, cost, millis(now));
            prop_assert_eq!(decision == RateDecision::Passed, fits, "at {}", now);
            if fits {
                passed.push((now, cost.into()));
            }
        }
        for quota in &quotas {
            let window = u64::try_from(quota.window.as_millis()).unwrap();
            for (begin, _) in &passed {
                let within = passed.iter().filter(|(at, _)| (*begin..begin + window).contains(at));
                prop_assert!(within.map(|(_, cost)| cost).sum::<u64>() <= u64::from(quota.messages));
            }
        }
    }

    /// A hint is true: a nanosecond earlier it fails still, and then it passes.
    #[test]
    fn trying_again_at_the_hint_passes_and_earlier_does_not(
        quotas in windows(),
        arrivals in arrivals(),
        algorithm in prop_oneof![Just(RateAlgorithm::Sliding), Just(RateAlgorithm::Gcra)],
    ) {
        let (mut test, ada) = (LimiterTest::new(), user("ada"));
        let quotas: Vec<_> = quotas.into_iter().map(|quota| Quota { algorithm, ..quota }).collect();
        let mut now = Duration::ZERO;
        for (pause, cost) in arrivals {
            now += millis(pause);
            if let RateDecision::Refused { retry_after } = test.ask(&ada, &quotas, cost, now) {
                let after = retry_after.unwrap();
                let early = test.ask(&ada, &quotas, cost, now + after - Duration::from_nanos(1));
                prop_assert_eq!(early, refused(Duration::from_nanos(1)));
                now += after;
                prop_assert_eq!(test.ask(&ada, &quotas, cost, now), RateDecision::Passed);
            }
        }
    }

    /// A bucket of `messages` that fills at `messages / window`, counted in exact fractions.
    #[test]
    fn gcra_is_a_bucket_that_fills_evenly(
        messages in 3..40_u32,
        window in 1..1_500_u64,
        arrivals in arrivals(),
    ) {
        let (mut test, ada) = (LimiterTest::new(), user("ada"));
        let quotas = [Quota { algorithm: RateAlgorithm::Gcra, ..quota(messages, millis(window)) }];
        // Tokens in parts of a window: `messages` of them in each millisecond, `window` for one message.
        let full = u64::from(messages) * window;
        let (mut tokens, mut now) = (full, 0);
        for (pause, cost) in arrivals {
            now += pause;
            tokens = full.min(tokens + pause * u64::from(messages));
            let price = u64::from(cost) * window;
            let passes = test.ask(&ada, &quotas, cost, millis(now)) == RateDecision::Passed;
            prop_assert_eq!(passes, tokens >= price);
            if passes {
                tokens -= price;
            }
        }
    }
}
