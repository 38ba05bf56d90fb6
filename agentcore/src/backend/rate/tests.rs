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

/// A rate limiter and the time at which it was created.
struct LimiterTest {
    limiter: RateLimiter,
    start: Instant,
}

impl LimiterTest {
    fn new() -> Self {
        let start = Instant::now();
        Self { limiter: RateLimiter::new(start), start }
    }

    fn check(&mut self, subject: &Subject, quotas: &[Quota], cost: u32, at: Duration) -> RateDecision {
        self.limiter.check(&RateRequest { subject, quotas, cost }, self.start + at)
    }
}

fn refused(after: Duration) -> RateDecision {
    RateDecision::Refused { retry_after: Some(after) }
}

#[test]
fn a_fourth_message_passes_once_the_first_of_three_has_left_the_window() {
    let (mut test, ada, quotas) = (LimiterTest::new(), user("ada"), [quota(3, millis(60_000))]);
    for at in [0, 10_000, 20_000] {
        assert_eq!(test.check(&ada, &quotas, 1, millis(at)), RateDecision::Passed);
    }
    assert_eq!(test.check(&ada, &quotas, 1, millis(20_000)), refused(millis(40_000)));
    assert_eq!(test.check(&ada, &quotas, 1, millis(59_999)), refused(millis(1)));
    assert_eq!(test.check(&user("bob"), &quotas, 1, millis(59_999)), RateDecision::Passed, "another subject");
    assert_eq!(test.check(&ada, &quotas, 1, millis(60_000)), RateDecision::Passed);
    assert_eq!(test.check(&ada, &quotas, 1, millis(60_000)), refused(millis(10_000)));
}

#[test]
fn a_message_that_costs_more_than_a_quota_never_passes_and_is_not_counted() {
    let (mut test, ada) = (LimiterTest::new(), user("ada"));
    let quotas = [quota(10, millis(1_000)), quota(4, millis(100))];
    assert_eq!(test.check(&ada, &quotas, 5, millis(0)), RateDecision::Refused { retry_after: None });
    assert!(test.limiter.is_empty());
    assert_eq!(test.check(&ada, &quotas, 4, millis(0)), RateDecision::Passed);
}

#[test]
fn classes_windows_algorithms_and_limits_are_counted_separately() {
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
        assert_eq!(test.check(&ada, &[other], 1, millis(0)), RateDecision::Passed, "{other:?}");
        assert_ne!(test.check(&ada, &[other], 1, millis(0)), RateDecision::Passed, "{other:?}");
    }
}

#[test]
fn silent_subjects_are_removed() {
    for algorithm in [RateAlgorithm::Sliding, RateAlgorithm::Gcra] {
        let mut test = LimiterTest::new();
        let quotas = [Quota { algorithm, ..quota(3, millis(1_000)) }];
        let mut max = 0;
        // 100,000 subjects with one message each, about 200 of them within a window.
        for number in 0..100_000_u64 {
            test.check(&Subject::Key(number.to_string().into()), &quotas, 1, millis(number * 5));
            max = max.max(test.limiter.len());
        }
        assert!(max <= 512, "{max} subjects at once, {algorithm:?}");
        // The last ones are removed too, once another subject sends a message.
        test.check(&user("ada"), &quotas, 1, millis(10_000_000));
        assert_eq!(test.limiter.len(), 1);
    }
}

#[test]
fn the_log_of_a_million_messages_is_bounded_and_the_limit_holds() {
    let (mut test, ada, quotas) = (LimiterTest::new(), user("ada"), [quota(1_000_000, millis(60_000))]);
    for number in 0..1_000_000_u64 {
        assert_eq!(test.check(&ada, &quotas, 1, Duration::from_micros(number * 10)), RateDecision::Passed);
    }
    let RateDecision::Refused { retry_after: Some(after) } = test.check(&ada, &quotas, 1, millis(10_000)) else {
        unreachable!("the quota is used up");
    };
    assert!(after >= millis(50_000), "too early: {after:?}");
    assert!(after <= millis(50_000 + 15), "more than 1/4,096 of a window late: {after:?}");
    assert_eq!(test.check(&ada, &quotas, 1, millis(10_000) + after), RateDecision::Passed);
}

/// Messages: the pause before each in milliseconds, and its cost.
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
    /// The reference stores all messages. A message passes if and only if no window that ends with it would exceed its
    /// quota; a message that one quota refuses is counted in none.
    #[test]
    fn a_message_passes_if_and_only_if_no_window_exceeds_its_quota(quotas in windows(), arrivals in arrivals()) {
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
            let decision = test.check(&ada, &quotas, cost, millis(now));
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

    /// `retry_after` is exact: the message is refused one nanosecond earlier and passes then.
    #[test]
    fn a_message_passes_at_retry_after_and_not_earlier(
        quotas in windows(),
        arrivals in arrivals(),
        algorithm in prop_oneof![Just(RateAlgorithm::Sliding), Just(RateAlgorithm::Gcra)],
    ) {
        let (mut test, ada) = (LimiterTest::new(), user("ada"));
        let quotas: Vec<_> = quotas.into_iter().map(|quota| Quota { algorithm, ..quota }).collect();
        let mut now = Duration::ZERO;
        for (pause, cost) in arrivals {
            now += millis(pause);
            if let RateDecision::Refused { retry_after } = test.check(&ada, &quotas, cost, now) {
                let after = retry_after.unwrap();
                let early = test.check(&ada, &quotas, cost, now + after - Duration::from_nanos(1));
                prop_assert_eq!(early, refused(Duration::from_nanos(1)));
                now += after;
                prop_assert_eq!(test.check(&ada, &quotas, cost, now), RateDecision::Passed);
            }
        }
    }

    /// The reference is a token bucket of size `messages` that fills at `messages / window`, in exact fractions.
    #[test]
    fn gcra_is_a_token_bucket(
        messages in 3..40_u32,
        window in 1..1_500_u64,
        arrivals in arrivals(),
    ) {
        let (mut test, ada) = (LimiterTest::new(), user("ada"));
        let quotas = [Quota { algorithm: RateAlgorithm::Gcra, ..quota(messages, millis(window)) }];
        // In units of 1/window token: `messages` are added each millisecond, a message takes `window`.
        let full = u64::from(messages) * window;
        let (mut tokens, mut now) = (full, 0);
        for (pause, cost) in arrivals {
            now += pause;
            tokens = full.min(tokens + pause * u64::from(messages));
            let price = u64::from(cost) * window;
            let passes = test.check(&ada, &quotas, cost, millis(now)) == RateDecision::Passed;
            prop_assert_eq!(passes, tokens >= price);
            if passes {
                tokens -= price;
            }
        }
    }
}
