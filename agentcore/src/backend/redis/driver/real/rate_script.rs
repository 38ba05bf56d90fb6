//! The arguments of the rate script, and the meaning of its reply.

use std::time::Duration;

use redis::Script;

use super::script_args::ScriptCall;
use crate::backend::redis::keys::escaped;
use crate::backend::{MessageClass, Quota, RateAlgorithm, RateDecision, window_granularity};

/// Returns a call that checks quotas. `prefix` begins the keys of the subject.
pub(super) fn call<'a>(script: &'a Script, prefix: &str, quotas: &[Quota], cost: u32) -> ScriptCall<'a> {
    let keys: Vec<_> = quotas.iter().map(|quota| key(prefix, quota)).collect();
    let mut call = ScriptCall::new(script, &keys).with(cost);
    for quota in quotas {
        // Rounds up: a window that is longer by less than a microsecond never lets more messages pass.
        let window = u64::try_from(quota.window.as_nanos().div_ceil(1_000)).unwrap_or(u64::MAX).max(1);
        let (first, second) = match quota.algorithm {
            RateAlgorithm::Sliding => (window_granularity(quota.messages, window), 0),
            // Divides here, because Lua cannot hold the product of cost and window exactly.
            RateAlgorithm::Gcra => {
                let (product, messages) = (u128::from(cost) * u128::from(window), u128::from(quota.messages.max(1)));
                (u64::try_from(product / messages).unwrap_or(u64::MAX), u64::try_from(product % messages).unwrap_or(0))
            }
        };
        call = call.with(letter(quota.algorithm)).with(quota.messages).with(window).with(first).with(second);
    }
    call
}

/// Returns a call that removes the keys of quotas that have a wrong type.
pub(super) fn repair<'a>(script: &'a Script, prefix: &str, quotas: &[Quota]) -> ScriptCall<'a> {
    let keys: Vec<_> = quotas.iter().map(|quota| key(prefix, quota)).collect();
    quotas.iter().fold(ScriptCall::new(script, &keys), |call, quota| call.with(letter(quota.algorithm)))
}

/// Reads the reply: the microseconds to wait.
pub(super) fn decision(wait: u64) -> RateDecision {
    match wait {
        0 => RateDecision::Passed,
        wait => RateDecision::Refused { retry_after: Some(Duration::from_micros(wait)) },
    }
}

/// Returns the key of a quota. It distinguishes the quotas of a subject as a `RateLimiter` does.
fn key(prefix: &str, quota: &Quota) -> String {
    let class = match quota.class {
        MessageClass::Ordinary => "o".to_owned(),
        MessageClass::Exempt => "e".to_owned(),
        MessageClass::Type(name) => format!("t{}", escaped(name)),
    };
    let (window, algorithm) = (quota.window.as_nanos(), letter(quota.algorithm));
    format!("{prefix}:{}:{class}:{window}:{algorithm}", quota.limit)
}

fn letter(algorithm: RateAlgorithm) -> &'static str {
    match algorithm {
        RateAlgorithm::Sliding => "s",
        RateAlgorithm::Gcra => "g",
    }
}
