//! The trial of the rights that a node needs, before it joins the cluster.

use super::bus::no_messages;
use super::driver::{Commands, Subscription};
use super::keys::Channel;
use crate::error::{Error, Result};
use crate::id::GroupName;

/// A group for the trial. No message is sent to it, so an application may have a group of this name.
const GROUP: &str = "agentcore.trial";

/// Tries the commands, publishes nothing on a channel of each kind, and subscribes to a group for a moment.
///
/// # Errors
/// The first right that is missing.
pub(super) async fn try_all(commands: &dyn Commands, subscription: &dyn Subscription, incarnation: u64) -> Result<()> {
    commands.try_commands().await?;
    let group = Channel::Group(GroupName::new(GROUP)?);
    for channel in [group.clone(), Channel::Users, Channel::Everyone, Channel::Nodes, Channel::Node(incarnation)] {
        let published = commands.publish(vec![(channel.clone(), no_messages(incarnation))]).await;
        published.map_err(|error| missing(&format!("publish to {channel:?}"), &error))?;
    }
    let subscribed = subscription.subscribe(vec![group.clone()]).await;
    subscribed.map_err(|error| missing("subscribe to groups", &error))?;
    let unsubscribed = subscription.unsubscribe(vec![group]).await;
    unsubscribed.map_err(|error| missing("unsubscribe from groups", &error))
}

fn missing(right: &str, error: &Error) -> Error {
    Error::start(format!("the node must be able to {right}")).with_source(format!("{error:?}"))
}
