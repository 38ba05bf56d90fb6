//! Sending to the connections of a cluster from a process that holds none.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Mutex;

use super::bus::MAX_EXTERNAL;
use super::driver::{Commands, Driver, DriverConfig, RealDriver};
use super::keys::Channel;
use crate::error::{Error, Result};
use crate::id::{GroupName, UserId};
use crate::message::{Message, OutboundMessage, Recipient};
use crate::settings::Settings;

/// Sends messages to connections, from a process that is no node: a worker, a cron job, another service.
///
/// It needs the settings of the nodes (`REDIS_URL`, `REDIS_CHANNEL_PREFIX`) and nothing else. Its messages are checked as
/// those of any program: what it sends is an envelope that the nodes write anew. It has no part in the order of messages, and
/// nobody is told when one is lost on the way.
///
/// A cheap clone; it opens its link with the first message, and again after a failure.
///
/// # Examples
/// ```no_run
/// # use agentcore::prelude::*;
/// # use agentcore::Publisher;
/// # #[message("news")] struct News { text: String }
/// # async fn example() -> Result<()> {
/// let publisher = Publisher::from_env()?;
/// publisher.group("lobby").send(&News { text: "The bar is open".to_owned() }).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Publisher {
    shared: Arc<PublisherConnection>,
}

struct PublisherConnection {
    driver: RealDriver,
    link: Mutex<Option<Arc<dyn Commands>>>,
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher").field("driver", &self.shared.driver).finish()
    }
}

impl Publisher {
    /// A publisher as the environment says, and `.env`.
    ///
    /// # Errors
    /// As [`Settings::from_env`], and as [`new`](Self::new).
    pub fn from_env() -> Result<Self> {
        Self::new(&Settings::from_env()?)
    }

    /// A publisher as the settings say. It does not connect yet.
    ///
    /// # Errors
    /// When the URL asks for TLS in a build without it.
    pub fn new(settings: &Settings) -> Result<Self> {
        let driver = RealDriver::new(DriverConfig::of(settings))?;
        Ok(Self { shared: Arc::new(PublisherConnection { driver, link: Mutex::new(None) }) })
    }

    /// All connections in a group, on all nodes.
    pub fn group<G: TryInto<GroupName, Error: Into<Error>>>(&self, group: G) -> PublisherTo<'_> {
        PublisherTo { publisher: self, to: group.try_into().map(Recipient::Group).map_err(Into::into) }
    }

    /// All connections of a user, on all nodes.
    pub fn user<U: TryInto<UserId, Error: Into<Error>>>(&self, user: U) -> PublisherTo<'_> {
        PublisherTo { publisher: self, to: user.try_into().map(Recipient::User).map_err(Into::into) }
    }

    /// All connections, on all nodes.
    pub fn everyone(&self) -> PublisherTo<'_> {
        PublisherTo { publisher: self, to: Ok(Recipient::Everyone) }
    }

    async fn publish(&self, channel: Channel, payload: Bytes) -> Result<()> {
        let current = self.shared.link.lock().await.clone();
        let commands = match current {
            Some(commands) => commands,
            // Not under the lock: while Redis is away nobody waits for another's try.
            None => {
                let opened = self.shared.driver.commands().await?;
                self.shared.link.lock().await.get_or_insert(opened).clone()
            }
        };
        let published = commands.publish(vec![(channel, payload)]).await;
        if published.is_err() {
            let mut link = self.shared.link.lock().await;
            if link.as_ref().is_some_and(|current| Arc::ptr_eq(current, &commands)) {
                *link = None;
            }
        }
        published
    }
}

/// Whom a [`Publisher`] sends to.
#[must_use = "nothing is sent before `send` is called and awaited"]
#[derive(Debug)]
pub struct PublisherTo<'a> {
    publisher: &'a Publisher,
    to: Result<Recipient>,
}

impl PublisherTo<'_> {
    /// Sends a message. When this ends, Redis has it.
    ///
    /// # Errors
    /// A name that is none, a message that cannot be encoded or has more than 1 MiB, or `BACKEND_UNAVAILABLE`: then it may have been sent or not.
    ///
    /// # Cancel safety
    /// Dropped before its end, the message may have been sent or not.
    pub async fn send<M: Message>(self, message: &M) -> Result<()> {
        let message = OutboundMessage::of(self.to?, message)?;
        let (channel, payload) = envelope(&message)?;
        if payload.len() > MAX_EXTERNAL {
            return Err(Error::validation(format!(
                "an envelope for the nodes has at most {MAX_EXTERNAL} bytes, this one has {}",
                payload.len()
            )));
        }
        self.publisher.publish(channel, payload).await
    }
}

/// The channel and the payload of a message from outside.
fn envelope(message: &OutboundMessage) -> Result<(Channel, Bytes)> {
    let channel = Channel::of(&message.to);
    let envelope = message.envelope();
    let Recipient::User(user) = &message.to else { return Ok((channel, envelope)) };
    // The name goes in front: `{"user":"alice",` and the rest of the object.
    let mut payload = b"{\"user\":".to_vec();
    serde_json::to_writer(&mut payload, user).map_err(Error::internal)?;
    payload.push(b',');
    payload.extend_from_slice(envelope.get(1..).unwrap_or_default());
    Ok((channel, payload.into()))
}
