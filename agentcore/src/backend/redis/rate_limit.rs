//! Rate limits over all nodes: Redis decides, this node where it cannot be wrong, and alone while Redis is away.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::time::Instant;

use super::command_link::CommandLink;
use super::membership::Peers;
use crate::backend::{
    MessageClass, Quota, RateAlgorithm, RateCheck, RateDecision, RateRequest, ShardedLimiter, Subject,
};
use crate::sync::{Mutex, lock};

/// Above so many subjects those whose time is over are forgotten.
const MANY: usize = 4_096;

/// What this node knows of rates.
pub(super) struct ClusterRateLimiter {
    link: Arc<CommandLink>,
    peers: Arc<Peers>,
    known: Arc<LocalRates>,
}

#[derive(Debug, Default)]
struct LocalRates {
    /// What this node has let pass: it goes on from there when Redis is away.
    here: ShardedLimiter,
    /// Until when a subject has nothing left. Nothing can pass before: what is asked until then is refused without asking.
    refused: Mutex<HashMap<LimitKey, (u32, Instant)>>,
}

/// A subject, and which of its limits.
type LimitKey = (Subject, u16, MessageClass);

impl ClusterRateLimiter {
    pub(super) fn new(link: Arc<CommandLink>, peers: Arc<Peers>) -> Self {
        Self { link, peers, known: Arc::default() }
    }

    pub(super) fn check(&self, request: &RateRequest<'_>) -> RateCheck {
        let now = Instant::now();
        let key = request.quotas.first().map(|quota| (request.subject.clone(), quota.limit, quota.class));
        if let Some(key) = &key
            && let Some((cost, until)) = lock(&self.known.refused).get(key)
            && request.cost >= *cost
            && *until > now
        {
            return RateCheck::Done(Ok(RateDecision::Refused { retry_after: Some(*until - now) }));
        }
        let nodes = self.peers.count();
        let Some(commands) = self.link.get() else {
            return RateCheck::Done(Ok(self.known.alone(request.subject, request.quotas, request.cost, nodes)));
        };
        let (link, known) = (self.link.clone(), self.known.clone());
        let (subject, quotas, cost) = (request.subject.clone(), request.quotas.to_vec(), request.cost);
        RateCheck::Wait(Box::pin(async move {
            match commands.take(name(&subject), quotas.clone(), cost).await {
                Ok(decision) => {
                    match (decision, key) {
                        (RateDecision::Passed, _) => drop(known.alone(&subject, &quotas, cost, nodes)),
                        // Counted from before it was asked: never longer than Redis says.
                        (RateDecision::Refused { retry_after: Some(after) }, Some(limited)) => {
                            known.note_refused(limited, cost, now + after, now);
                        }
                        _ => {}
                    }
                    Ok(decision)
                }
                Err(error) => {
                    tracing::debug!("a rate is decided by this node alone: {error:?}");
                    link.suspect();
                    Ok(known.alone(&subject, &quotas, cost, nodes))
                }
            }
        }))
    }
}

impl LocalRates {
    /// Decides by this node's share of each quota.
    fn alone(&self, subject: &Subject, quotas: &[Quota], cost: u32, nodes: usize) -> RateDecision {
        let quotas: Vec<_> = quotas.iter().map(|quota| share(quota, cost, nodes)).collect();
        self.here.check(&RateRequest { subject, quotas: &quotas, cost })
    }

    /// Nothing of that cost passes before.
    fn note_refused(&self, limited: LimitKey, cost: u32, until: Instant, now: Instant) {
        let mut refused = lock(&self.refused);
        if refused.len() >= MANY {
            refused.retain(|_, (_, until)| *until > now);
        }
        if refused.len() < MANY {
            refused.insert(limited, (cost, until));
        }
    }
}

/// This node's part of a quota; one message passes at least.
fn share(quota: &Quota, cost: u32, nodes: usize) -> Quota {
    let nodes = u32::try_from(nodes).unwrap_or(u32::MAX).max(1);
    let messages = (quota.messages / nodes).max(1).max(cost.min(quota.messages));
    // GCRA counts in parts of a message: shares of different sizes are different things.
    let limit = match quota.algorithm {
        RateAlgorithm::Sliding => quota.limit,
        RateAlgorithm::Gcra => quota.limit.wrapping_add(u16::try_from(messages % 0x4000).unwrap_or(0).wrapping_shl(2)),
    };
    Quota { limit, messages, ..*quota }
}

/// Under which name a subject is counted.
fn name(subject: &Subject) -> String {
    match subject {
        Subject::Connection(id) => format!("connection:{id}"),
        Subject::User(user) => format!("user:{user}"),
        Subject::Ip(ip) => format!("ip:{ip}"),
        Subject::Key(key) => format!("key:{key}"),
    }
}
