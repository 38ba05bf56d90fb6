//! One message: what it takes from, and who decides.

use super::super::{HandlerRateLimit, Incoming};
use super::RateLimit;
use crate::backend::{MessageClass, Quota, RateCheck, RateDecision, RateRequest, ShardedLimiter, Subject};
use crate::error::Error;
use crate::log_throttle::LogThrottle;

/// How many messages a message counts as.
pub(super) type Cost = Box<dyn Fn(&Incoming<'_>) -> u32 + Send + Sync>;

/// The windows of a limit, in the form of the backend.
#[derive(Debug)]
pub(super) struct Quotas {
    pub(super) limit: u16,
    pub(super) ordinary: Vec<Quota>,
    pub(super) exempt: Vec<Quota>,
}

/// What this node decides by itself: for connections, and while the backend does not answer.
#[derive(Debug, Default)]
pub(super) struct Local {
    limiter: ShardedLimiter,
    throttle: LogThrottle,
}

impl RateLimit {
    /// Decides on a message, and counts it if it passes.
    pub(super) async fn decide(&self, message: &Incoming<'_>) -> RateDecision {
        let Some(subject) = self.by.subject(message) else { return RateDecision::Passed };
        let all = self.quotas();
        let own;
        let rate = message.handler().map_or(HandlerRateLimit::Shared, |handler| handler.rate_limit);
        let (quotas, cost) = match (rate, message.handler()) {
            (HandlerRateLimit::Exempt, _) => (all.exempt.as_slice(), 1),
            (HandlerRateLimit::Own { messages, window }, Some(handler)) => {
                let class = MessageClass::Type(handler.message_type);
                own = [Quota { limit: all.limit, class, messages, window, algorithm: self.rule }];
                (own.as_slice(), 1)
            }
            (HandlerRateLimit::Cost(cost), _) => (all.ordinary.as_slice(), cost),
            (HandlerRateLimit::Shared | HandlerRateLimit::Own { .. }, _) => {
                match self.cost.as_ref().map_or(1, |cost| cost(message)) {
                    0 => (all.exempt.as_slice(), 1),
                    cost => (all.ordinary.as_slice(), cost),
                }
            }
        };
        let request = RateRequest { subject: &subject, quotas, cost };
        if let Subject::Connection(_) = subject {
            return self.local.limiter.check(&request);
        }
        let answer = match message.manager().check_rate(&request) {
            RateCheck::Done(answer) => answer,
            RateCheck::Wait(answer) => answer.await,
        };
        // Who cannot ask the others still limits: it never lets everything pass.
        answer.unwrap_or_else(|error| {
            self.local.warn(&error);
            self.local.limiter.check(&request)
        })
    }
}

impl Local {
    fn warn(&self, error: &Error) {
        if let Some(suppressed) = self.throttle.permit() {
            tracing::warn!(code = error.code(), suppressed, "rate limits hold for each node by itself: {error:?}");
        }
    }
}
