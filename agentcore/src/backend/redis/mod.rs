//! Many nodes joined by Redis.
//!
//! A node has one command connection and one subscriber connection, whatever the number of clients and groups. [`driver`]
//! speaks to Redis; above it, [`bus`] carries messages between nodes and [`membership`] writes this node's part of the registry.
//! [`node`] puts them together.

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

use std::fmt;
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

/// The nodes that share a Redis and a prefix, as one.
///
/// Messages reach other nodes through Redis, one payload for a group of any size. Limits, rates and counts hold over all of
/// them. While Redis is away everybody stays connected, messages reach the connections of their own node, and limits go on
/// by each node's share; when it is back, connections that may have missed something get `agentcore.resync`.
///
#[doc = include_str!("../../docs/redis.md")]
pub struct RedisBackend {
    /// Where Redis is, without a password.
    at: String,
    driver: Arc<dyn Driver>,
    lease: Duration,
    started: OnceLock<RedisNode>,
}

impl fmt::Debug for RedisBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisBackend").field("at", &self.at).finish_non_exhaustive()
    }
}

impl RedisBackend {
    /// A backend as the settings say: `REDIS_URL`, `REDIS_CHANNEL_PREFIX`, `NODE_LEASE`, `REDIS_REGISTRY_EXPIRY`,
    /// `REDIS_GROUP_EXPIRY`. It does not connect before the node starts.
    ///
    /// # Errors
    /// When the URL asks for TLS in a build without it.
    pub fn new(settings: &Settings) -> Result<Self> {
        let driver = RealDriver::new(DriverConfig::of(settings))?;
        Ok(Self::over(settings.redis_url.to_string(), Arc::new(driver), settings.node_lease))
    }

    /// A backend over a Redis that is in the process.
    #[cfg(feature = "test-util")]
    pub(crate) fn stubbed(redis: &StubServer, lease: Duration) -> Self {
        Self::over("stub".to_owned(), Arc::new(redis.driver()), lease)
    }

    fn over(at: String, driver: Arc<dyn Driver>, lease: Duration) -> Self {
        Self { at, driver, lease, started: OnceLock::new() }
    }

    fn started(&self) -> Result<&RedisNode> {
        self.started.get().ok_or_else(|| Error::backend("the backend has not been started"))
    }
}

impl Backend for RedisBackend {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn start(&self, node: Node, deliver: Arc<dyn Deliver>) -> Async<'_, Result<()>> {
        Box::pin(async move {
            let twice = || Error::start("a backend serves one node only");
            if self.started.get().is_some() {
                return Err(twice());
            }
            let begun = RedisNode::begin(&self.driver, self.lease, node, deliver).await;
            let started = begun
                .map_err(|error| Error::start(format!("Redis at {} cannot be used", self.at)).with_source(error))?;
            self.started.set(started).map_err(|_| twice())
        })
    }

    fn stop(&self) -> Async<'_, ()> {
        Box::pin(async move {
            if let Some(started) = self.started.get() {
                started.end().await;
            }
        })
    }

    fn subscribe(&self, group: &GroupName) -> Option<Async<'static, Result<()>>> {
        self.started.get()?.subscriptions.subscribe(group)
    }

    fn unsubscribe(&self, group: &GroupName) {
        if let Some(started) = self.started.get() {
            started.subscriptions.unsubscribe(group);
        }
    }

    fn publish(&self, message: &OutboundMessage) -> Publish {
        match self.started() {
            // One of this node's own connections.
            Ok(started) if matches!(message.to, Recipient::Connection(id) if id.incarnation == started.origin) => {
                Publish::Done(Ok(()))
            }
            Ok(started) => started.sender.publish(message),
            Err(error) => Publish::Done(Err(error)),
        }
    }

    fn admit<'a>(&'a self, admission: &'a Admission) -> Async<'a, Result<(), Refused>> {
        Box::pin(async move {
            let started = self.started().map_err(Refused::Backend)?;
            started.ask(|answer| RegistryRequest::Admit(admission.clone(), answer)).await.map_err(Refused::Backend)?
        })
    }

    fn release(&self, admission: &Admission) {
        if let Some(started) = self.started.get() {
            let _ = started.desk.send(RegistryRequest::Release(admission.clone()));
        }
    }

    fn admit_group(&self) -> Async<'_, Result<(), Refused>> {
        Box::pin(async move {
            let started = self.started().map_err(Refused::Backend)?;
            if started.groups.take() {
                return Ok(());
            }
            started.ask(RegistryRequest::Groups).await.map_err(Refused::Backend)?
        })
    }

    fn release_group(&self) {
        if let Some(started) = self.started.get()
            && started.groups.give_back()
        {
            let _ = started.desk.send(RegistryRequest::FewerGroups);
        }
    }

    fn check_rate(&self, request: &RateRequest<'_>) -> RateCheck {
        match self.started() {
            Ok(started) => started.rates.check(request),
            Err(error) => RateCheck::Done(Err(error)),
        }
    }

    fn group_count_changed(&self, group: &GroupName) {
        if let Some(started) = self.started.get() {
            let _ = started.desk.send(RegistryRequest::Members(group.clone()));
        }
    }

    fn group_count<'a>(&'a self, group: &'a GroupName) -> Async<'a, Result<usize>> {
        Box::pin(async move {
            let started = self.started()?;
            let counts = started.read(|commands| commands.members(vec![group.clone()])).await;
            Ok(match counts {
                Ok(counts) => counts.first().copied().unwrap_or(0),
                Err(_) => started.deliver.group_count(group),
            })
        })
    }

    fn online_count(&self) -> Async<'_, Result<usize>> {
        Box::pin(async move {
            let started = self.started()?;
            let count = started.read(|commands| commands.users()).await;
            Ok(count.unwrap_or_else(|_| started.deliver.user_count()))
        })
    }

    fn is_online<'a>(&'a self, user: &'a UserId) -> Async<'a, Result<bool>> {
        Box::pin(async move {
            let started = self.started()?;
            if started.deliver.has_user(user) {
                return Ok(true);
            }
            started.read(|commands| commands.has_user(user.clone())).await
        })
    }

    fn enter(&self, presence: Presence) -> Async<'_, Result<()>> {
        Box::pin(async move {
            let started = self.started()?;
            let payload = |envelope: &bytes::Bytes| {
                let except = Except { connection: None, users: vec![presence.user.clone()] };
                let to = Recipient::Group(presence.group.clone());
                bus::unsequenced(
                    started.origin,
                    &OutboundMessage::from_envelope(to, except, Overflow::Disconnect, envelope),
                )
            };
            let (joined, left) = (payload(&presence.joined), payload(&presence.left));
            started.ask(|done| RegistryRequest::Enter(Box::new(PresenceEntry { presence, joined, left }), done)).await
        })
    }

    fn exit<'a>(&'a self, exit: PresenceExit<'a>) -> Async<'a, Result<()>> {
        Box::pin(async move {
            let PresenceExit { group, user, connection, lost } = exit;
            let started = self.started()?;
            let ask = |done| RegistryRequest::Exit { group: group.clone(), user: user.clone(), connection, lost, done };
            started.ask(ask).await
        })
    }

    fn present_counts<'a>(&'a self, groups: &'a [GroupName]) -> Async<'a, Result<Vec<usize>>> {
        Box::pin(async move {
            let started = self.started()?;
            match started.read(|commands| commands.present(groups.to_vec())).await {
                Ok(counts) => Ok(counts),
                Err(_) => started.ask(|answer| RegistryRequest::Present(groups.to_vec(), answer)).await,
            }
        })
    }

    fn events(&self) -> Vec<(&'static str, u64)> {
        self.started.get().map(|started| started.faults.all()).unwrap_or_default()
    }

    fn ask(&self, question: Question, within: Duration) -> Async<'_, Answers> {
        Box::pin(async move {
            let Some(started) = self.started.get() else { return Answers::default() };
            // It has no number, and is missed like the others nevertheless.
            let delivers = match &question {
                Question::Deliver(message) => Some(message.clone()),
                _ => None,
            };
            let up = started.link.get().is_some();
            if let (Some(message), false) = (&delivers, up) {
                started.sender.mark_lost(message);
            }
            let say = |number| {
                let question = Control::Ask(number, question).write(started.origin);
                started.sender.ask(question, delivers.as_ref());
            };
            started.peers.ask(within, up, say).await
        })
    }
}
