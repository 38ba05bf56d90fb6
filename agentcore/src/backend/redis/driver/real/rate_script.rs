//! What the script of rates is given, and what its answer means.

use std::time::Duration;

use redis::Script;

use super::script_args::ScriptCall;
use crate::backend::redis::keys::escaped;
use crate::backend::{MessageClass, Quota, RateAlgorithm, RateDecision, window_granularity};

/// A call that takes from quotas. `subject` is what the keys of the subject begin with.
pub(super) fn call<'a>(script: &'a Script, subject: &str, quotas: &[Quota], cost: u32) -> ScriptCall<'a> {
    let keys: Vec<_> = quotas.iter().map(|quota| key(subject, quota)).collect();
    let mut call = ScriptCall::over(script, &keys).with(cost);
    for quota in quotas {
        // Rounded up: a window that is longer by less than a microsecond never lets more through.
        let window = u64::try_from(quota.window.as_nanos().div_ceil(1_000)).unwrap_or(u64::MAX).max(1);
        let rule = match quota.algorithm {
            RateAlgorithm::Sliding => "s",
            RateAlgorithm::Gcra => "g",
        };
        let (first, second) = match quota.algorithm {
            RateAlgorithm::Sliding => (window_granularity(quota.messages, window), 0),
            // Exact, in numbers that Lua can hold: the product of the two cannot be one.
            RateAlgorithm::Gcra => {
                let (takes, messages) = (u128::from(cost) * u128::from(window), u128::from(quota.messages.max(1)));
                (u64::try_from(takes / messages).unwrap_or(u64::MAX), u64::try_from(takes % messages).unwrap_or(0))
            }
        };
        call = call.with(rule).with(quota.messages).with(window).with(first).with(second);
    }
    call
}

/// Reads the answer: how many microseconds to wait.
pub(super) fn decision(wait: u64) -> RateDecision {
    match wait {
        0 => RateDecision::Passed,
        wait => RateDecision::Refused { retry_after: Some(Duration::from_micros(wait)) },
    }
}

/// A quota's key: what tells it apart from the subject's others, as in a `RateLimiter`.
fn key(subject: &str, quota: &Quota) -> String {
    let part = match quota.class {
        MessageClass::Ordinary => "o".to_owned(),
        MessageClass::Exempt => "e".to_owned(),
        MessageClass::Type(name) => format!("t{}", escaped(name)),
    };
    let rule = match quota.algorithm {
        RateAlgorithm::Sliding => 's',
        RateAlgorithm::Gcra => 'g',
    };
    format!("{subject}:{}:{part}:{}:{rule}", quota.limit, quota.window.as_nanos())
}
