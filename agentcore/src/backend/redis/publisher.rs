//! Sending to the connections of a cluster from a process that has no connections.

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

/// Sends messages to connections from a process that is not a node: a worker, a cron job, another service.
///
/// It needs only the settings of the nodes (`REDIS_URL`, `REDIS_CHANNEL_PREFIX`). Nodes validate its messages like
/// those of any external program, and encode them again. Its messages have no sequence numbers: their order is not
/// guaranteed, and a lost message causes no resync.
///
/// Clones are cheap and share one connection to Redis. It is opened for the first message, and again after a failure.
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
    connection: Arc<PublisherConnection>,
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher").field("driver", &self.connection.driver).finish()
    }
}

impl Publisher {
    /// Returns a publisher with the settings in the environment and `.env`.
    ///
    /// # Errors
    /// The errors of [`Settings::from_env`] and of [`new`](Self::new).
    pub fn from_env() -> Result<Self> {
        Self::new(&Settings::from_env()?)
    }

    /// Returns a publisher with these settings. It does not connect yet.
    ///
    /// # Errors
    /// When the URL asks for TLS in a build without it.
    pub fn new(settings: &Settings) -> Result<Self> {
        let driver = RealDriver::new(DriverConfig::of(settings))?;
        Ok(Self { connection: Arc::new(PublisherConnection { driver, commands: Mutex::new(None) }) })
    }

    /// Selects all connections in a group, on all nodes.
    pub fn group<G: TryInto<GroupName, Error: Into<Error>>>(&self, group: G) -> PublisherTo<'_> {
        PublisherTo { publisher: self, to: group.try_into().map(Recipient::Group).map_err(Into::into) }
    }

    /// Selects all connections of a user, on all nodes.
    pub fn user<U: TryInto<UserId, Error: Into<Error>>>(&self, user: U) -> PublisherTo<'_> {
        PublisherTo { publisher: self, to: user.try_into().map(Recipient::User).map_err(Into::into) }
    }

    /// Selects all connections, on all nodes.
    pub fn everyone(&self) -> PublisherTo<'_> {
        PublisherTo { publisher: self, to: Ok(Recipient::Everyone) }
    }
}

/// The recipients of a message of a [`Publisher`].
#[must_use = "nothing is sent before `send` is called and awaited"]
#[derive(Debug)]
pub struct PublisherTo<'a> {
    publisher: &'a Publisher,
    to: Result<Recipient>,
}

impl PublisherTo<'_> {
    /// Sends a message. Completes when Redis has accepted it.
    ///
    /// # Errors
    /// When the group name or user id is invalid, or the message cannot be encoded or is longer than 1 MiB. With
    /// `BACKEND_UNAVAILABLE` the message may have been sent or not.
    ///
    /// # Cancel safety
    /// If the future is dropped before it completes, the message may have been sent or not.
    pub async fn send<M: Message>(self, message: &M) -> Result<()> {
        let message = OutboundMessage::of(self.to?, message)?;
        let (channel, payload) = envelope(&message)?;
        if payload.len() > MAX_EXTERNAL {
            return Err(Error::validation(format!(
                "an envelope from a publisher has at most {MAX_EXTERNAL} bytes; this one has {}",
                payload.len()
            )));
        }
        self.publisher.connection.publish(channel, payload).await
    }
}

struct PublisherConnection {
    driver: RealDriver,
    commands: Mutex<Option<Arc<dyn Commands>>>,
}

impl PublisherConnection {
    async fn publish(&self, channel: Channel, payload: Bytes) -> Result<()> {
        let current = self.commands.lock().await.clone();
        let commands = match current {
            Some(commands) => commands,
            // Connects without the lock, so that calls do not wait for each other's timeout while Redis is unreachable.
            None => {
                let opened = self.driver.commands().await?;
                self.commands.lock().await.get_or_insert(opened).clone()
            }
        };
        let published = commands.publish(vec![(channel, payload)]).await;
        if published.is_err() {
            let mut current = self.commands.lock().await;
            if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, &commands)) {
                *current = None;
            }
        }
        published
    }
}

/// Returns the channel and the payload of a message that does not come from a node.
fn envelope(message: &OutboundMessage) -> Result<(Channel, Bytes)> {
    let channel = Channel::of(&message.to);
    let envelope = message.envelope();
    let Recipient::User(user) = &message.to else { return Ok((channel, envelope)) };
    // Puts the user id first: `{"user":"alice",` and the rest of the envelope.
    let mut payload = b"{\"user\":".to_vec();
    serde_json::to_writer(&mut payload, user).map_err(Error::internal)?;
    payload.push(b',');
    payload.extend_from_slice(envelope.get(1..).unwrap_or_default());
    Ok((channel, payload.into()))
}
