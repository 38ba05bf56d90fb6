//! Many nodes joined by Redis.
//!
//! A node has one command connection and one subscriber connection, whatever the number of clients and groups.
//! [`driver`] speaks to Redis; above it, [`bus`] carries messages between nodes, and [`membership`] writes this node's
//! registry entries. [`node`] starts and stops all parts.

mod bus;
mod command_link;
mod driver;
mod keys;
mod membership;
mod metrics;
mod node;
mod publisher;
mod rate_limit;
mod reconnect;
mod rights;

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use self::bus::Control;
#[cfg(feature = "test-util")]
pub(crate) use self::driver::StubServer;
use self::driver::{Driver, DriverConfig, RealDriver};
use self::membership::{PresenceEntry, RegistryRequest};
use self::node::RedisNode;
pub use self::publisher::{Publisher, PublisherTo};
use super::{
    Admission, Answers, Async, Backend, Deliver, Node, Presence, PresenceExit, Publish, Question, RateCheck,
    RateRequest, Refused,
};
use crate::error::{Error, Result};
use crate::id::{GroupName, UserId};
use crate::message::{Except, OutboundMessage, Overflow, Recipient};
use crate::settings::Settings;

/// Joins all nodes that share a Redis and a prefix.
///
/// Messages reach other nodes through Redis, as one payload for a group of any size. Limits, rates and counts hold over
/// all nodes. While Redis is unreachable, clients stay connected, messages reach the connections of their own node, and
/// limits hold by each node's share. When Redis is back, connections that may have missed messages get
/// `agentcore.resync`.
///
#[doc = include_str!("../../docs/redis.md")]
pub struct RedisBackend {
    /// The URL of Redis without its password.
    url: String,
    driver: Arc<dyn Driver>,
    lease_time: Duration,
    node: OnceLock<RedisNode>,
}

impl fmt::Debug for RedisBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisBackend").field("url", &self.url).finish_non_exhaustive()
    }
}

impl RedisBackend {
    /// Returns a backend with the settings `REDIS_URL`, `REDIS_CHANNEL_PREFIX`, `NODE_LEASE`, `REDIS_REGISTRY_EXPIRY`
    /// and `REDIS_GROUP_EXPIRY`. It connects when the node starts.
    ///
    /// # Errors
    /// When the URL asks for TLS in a build without it.
    pub fn new(settings: &Settings) -> Result<Self> {
        let driver = RealDriver::new(DriverConfig::of(settings))?;
        Ok(Self::with_driver(settings.redis_url.to_string(), Arc::new(driver), settings.node_lease))
    }

    /// Returns a backend over a Redis in the process.
    #[cfg(feature = "test-util")]
    pub(crate) fn stubbed(redis: &StubServer, lease_time: Duration) -> Self {
        Self::with_driver("stub".to_owned(), Arc::new(redis.driver()), lease_time)
    }

    fn with_driver(url: String, driver: Arc<dyn Driver>, lease_time: Duration) -> Self {
        Self { url, driver, lease_time, node: OnceLock::new() }
    }

    fn node(&self) -> Result<&RedisNode> {
        self.node.get().ok_or_else(|| Error::backend("the backend has not been started"))
    }
}

impl Backend for RedisBackend {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn start(&self, node: Node, deliver: Arc<dyn Deliver>) -> Async<'_, Result<()>> {
        Box::pin(async move {
            let already_started = || Error::start("a backend serves one node only");
            if self.node.get().is_some() {
                return Err(already_started());
            }
            let node = RedisNode::start(&self.driver, self.lease_time, node, deliver)
                .await
                .map_err(|error| Error::start(format!("Redis at {} cannot be used", self.url)).with_source(error))?;
            self.node.set(node).map_err(|_| already_started())
        })
    }

    fn stop(&self) -> Async<'_, ()> {
        Box::pin(async move {
            if let Some(node) = self.node.get() {
                node.stop().await;
            }
        })
    }

    fn readiness(&self) -> Result<()> {
        if self.node()?.admits.load(Ordering::Acquire) { Ok(()) } else { Err(membership::counts_unknown()) }
    }

    fn subscribe(&self, group: &GroupName) -> Option<Async<'static, Result<()>>> {
        self.node.get()?.subscriptions.subscribe(group)
    }

    fn unsubscribe(&self, group: &GroupName) {
        if let Some(node) = self.node.get() {
            node.subscriptions.unsubscribe(group);
        }
    }

    fn publish(&self, message: &OutboundMessage) -> Publish {
        match self.node() {
            // Needs no other node: the connection is on this one.
            Ok(node) if matches!(message.to, Recipient::Connection(id) if id.incarnation == node.incarnation) => {
                Publish::Done(Ok(()))
            }
            Ok(node) => node.sender.publish(message),
            Err(error) => Publish::Done(Err(error)),
        }
    }

    fn admit<'a>(&'a self, admission: &'a Admission) -> Async<'a, Result<(), Refused>> {
        Box::pin(async move {
            let node = self.node().map_err(Refused::Backend)?;
            node.request(|reply| RegistryRequest::Admit(admission.clone(), reply)).await.map_err(Refused::Backend)?
        })
    }

    fn release(&self, admission: &Admission) {
        if let Some(node) = self.node.get() {
            let _ = node.registry.send(RegistryRequest::Release(admission.clone()));
        }
    }

    fn admit_group(&self) -> Async<'_, Result<(), Refused>> {
        Box::pin(async move {
            let node = self.node().map_err(Refused::Backend)?;
            if node.group_quota.try_acquire() {
                return Ok(());
            }
            node.request(RegistryRequest::AdmitGroup).await.map_err(Refused::Backend)?
        })
    }

    fn release_group(&self) {
        if let Some(node) = self.node.get()
            && node.group_quota.release()
        {
            let _ = node.registry.send(RegistryRequest::ShrinkGroupQuota);
        }
    }

    fn check_rate(&self, request: &RateRequest<'_>) -> RateCheck {
        match self.node() {
            Ok(node) => node.rate_limiter.check(request),
            Err(error) => RateCheck::Done(Err(error)),
        }
    }

    fn group_count_changed(&self, group: &GroupName) {
        if let Some(node) = self.node.get() {
            let _ = node.registry.send(RegistryRequest::GroupCountChanged(group.clone()));
        }
    }

    fn group_count<'a>(&'a self, group: &'a GroupName) -> Async<'a, Result<usize>> {
        Box::pin(async move {
            let node = self.node()?;
            let counts = node.read(|commands| commands.member_counts(vec![group.clone()])).await;
            Ok(match counts {
                Ok(counts) => counts.first().copied().unwrap_or(0),
                Err(_) => node.deliver.group_count(group),
            })
        })
    }

    fn online_count(&self) -> Async<'_, Result<usize>> {
        Box::pin(async move {
            let node = self.node()?;
            let count = node.read(|commands| commands.user_count()).await;
            Ok(count.unwrap_or_else(|_| node.deliver.user_count()))
        })
    }

    fn is_online<'a>(&'a self, user: &'a UserId) -> Async<'a, Result<bool>> {
        Box::pin(async move {
            let node = self.node()?;
            if node.deliver.has_user(user) {
                return Ok(true);
            }
            node.read(|commands| commands.has_user(user.clone())).await
        })
    }

    fn enter(&self, presence: Presence) -> Async<'_, Result<()>> {
        Box::pin(async move {
            let node = self.node()?;
            let payload = |envelope: &bytes::Bytes| {
                let except = Except { connection: None, users: vec![presence.user.clone()] };
                let to = Recipient::Group(presence.group.clone());
                let message = OutboundMessage::from_envelope(to, except, Overflow::Disconnect, envelope);
                bus::unsequenced(node.incarnation, &message)
            };
            let (joined, left) = (payload(&presence.joined), payload(&presence.left));
            let entry = Box::new(PresenceEntry { presence, joined, left });
            node.request(|done| RegistryRequest::Enter(entry, done)).await
        })
    }

    fn exit<'a>(&'a self, exit: PresenceExit<'a>) -> Async<'a, Result<()>> {
        Box::pin(async move {
            let PresenceExit { group, user, connection, lost } = exit;
            let (group, user) = (group.clone(), user.clone());
            self.node()?.request(|done| RegistryRequest::Exit { group, user, connection, lost, done }).await
        })
    }

    fn present_counts<'a>(&'a self, groups: &'a [GroupName]) -> Async<'a, Result<Vec<usize>>> {
        Box::pin(async move {
            let node = self.node()?;
            match node.read(|commands| commands.present_counts(groups.to_vec())).await {
                Ok(counts) => Ok(counts),
                Err(_) => node.request(|reply| RegistryRequest::PresentCounts(groups.to_vec(), reply)).await,
            }
        })
    }

    fn events(&self) -> Vec<(&'static str, u64)> {
        self.node.get().map(|node| node.faults.all()).unwrap_or_default()
    }

    fn ask(&self, question: Question, within: Duration) -> Async<'_, Answers> {
        Box::pin(async move {
            let Some(node) = self.node.get() else { return Answers::default() };
            // A message in a question has no sequence number. If it may be lost, its recipients get a resync
            // nevertheless.
            let message = match &question {
                Question::Deliver(message) => Some(message.clone()),
                _ => None,
            };
            let is_reachable = node.link.get().is_some();
            if let (Some(message), false) = (&message, is_reachable) {
                node.sender.mark_lost(message);
            }
            let send = |number| {
                let question = Control::Ask(number, question).write(node.incarnation);
                node.sender.ask(question, message.as_ref());
            };
            node.peers.ask(within, is_reachable, send).await
        })
    }
}
