//! Rate limits over all nodes. Redis decides; this node decides alone where the result is certain, and by its share of
//! each quota while Redis does not answer.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::time::Instant;

use super::command_link::CommandLink;
use super::membership::Peers;
use crate::backend::{
    MessageClass, Quota, RateAlgorithm, RateCheck, RateDecision, RateRequest, ShardedLimiter, Subject,
};
use crate::sync::{Mutex, lock};

/// Limit of refusals that are kept. Expired ones are dropped when it is reached.
const MAX_REFUSALS: usize = 4_096;

/// Decides on rates together with the other nodes.
pub(super) struct ClusterRateLimiter {
    link: Arc<CommandLink>,
    peers: Arc<Peers>,
    local: Arc<LocalRates>,
}

/// The part of the limiter that needs no Redis.
#[derive(Debug, Default)]
struct LocalRates {
    /// Messages that passed on this node. The node continues from there when Redis does not answer.
    passed: ShardedLimiter,
    /// The cost and the end of the latest refusal of each limit. Redis is not asked again before that time.
    refusals: Mutex<HashMap<LimitKey, (u32, Instant)>>,
}

/// A subject and one of its limits.
type LimitKey = (Subject, u16, MessageClass);

impl ClusterRateLimiter {
    pub(super) fn new(link: Arc<CommandLink>, peers: Arc<Peers>) -> Self {
        Self { link, peers, local: Arc::default() }
    }

    /// Decides whether a message may pass. Answers at once when the limit is known to be exhausted or Redis is
    /// unreachable.
    pub(super) fn check(&self, request: &RateRequest<'_>) -> RateCheck {
        let now = Instant::now();
        let key = request.quotas.first().map(|quota| (request.subject.clone(), quota.limit, quota.class));
        if let Some(key) = &key
            && let Some((cost, until)) = lock(&self.local.refusals).get(key)
            && request.cost >= *cost
            && *until > now
        {
            return RateCheck::Done(Ok(RateDecision::Refused { retry_after: Some(*until - now) }));
        }
        let nodes = self.peers.count();
        let Some(commands) = self.link.get() else {
            return RateCheck::Done(Ok(self.local.check(request.subject, request.quotas, request.cost, nodes)));
        };
        let (link, local) = (self.link.clone(), self.local.clone());
        let (subject, quotas, cost) = (request.subject.clone(), request.quotas.to_vec(), request.cost);
        RateCheck::Wait(Box::pin(async move {
            match commands.check_rate(name(&subject), quotas.clone(), cost).await {
                Ok(decision) => {
                    match (decision, key) {
                        (RateDecision::Passed, _) => drop(local.check(&subject, &quotas, cost, nodes)),
                        // Counts from before the call, so the refusal never lasts longer than Redis says.
                        (RateDecision::Refused { retry_after: Some(after) }, Some(key)) => {
                            local.note_refusal(key, cost, now + after, now);
                        }
                        _ => {}
                    }
                    Ok(decision)
                }
                Err(error) => {
                    tracing::debug!("this node decides on a rate alone: {error:?}");
                    link.suspect();
                    Ok(local.check(&subject, &quotas, cost, nodes))
                }
            }
        }))
    }
}

impl LocalRates {
    /// Decides by this node's share of each quota.
    fn check(&self, subject: &Subject, quotas: &[Quota], cost: u32, nodes: usize) -> RateDecision {
        let quotas: Vec<_> = quotas.iter().map(|quota| share(quota, cost, nodes)).collect();
        self.passed.check(&RateRequest { subject, quotas: &quotas, cost })
    }

    /// Notes that no message of this or a higher cost passes before `until`.
    fn note_refusal(&self, key: LimitKey, cost: u32, until: Instant, now: Instant) {
        let mut refusals = lock(&self.refusals);
        if refusals.len() >= MAX_REFUSALS {
            refusals.retain(|_, (_, until)| *until > now);
        }
        if refusals.len() < MAX_REFUSALS {
            refusals.insert(key, (cost, until));
        }
    }
}

/// Returns this node's share of a quota. At least one message passes.
fn share(quota: &Quota, cost: u32, nodes: usize) -> Quota {
    let nodes = u32::try_from(nodes).unwrap_or(u32::MAX).max(1);
    let messages = (quota.messages / nodes).max(1).max(cost.min(quota.messages));
    // GCRA counts in fractions of a message, so shares of different sizes need different keys.
    let limit = match quota.algorithm {
        RateAlgorithm::Sliding => quota.limit,
        RateAlgorithm::Gcra => quota.limit.wrapping_add(u16::try_from(messages % 0x4000).unwrap_or(0).wrapping_shl(2)),
    };
    Quota { limit, messages, ..*quota }
}

/// Returns the name under which Redis counts a subject.
fn name(subject: &Subject) -> String {
    match subject {
        Subject::Connection(id) => format!("connection:{id}"),
        Subject::User(user) => format!("user:{user}"),
        Subject::Ip(ip) => format!("ip:{ip}"),
        Subject::Key(key) => format!("key:{key}"),
    }
}
