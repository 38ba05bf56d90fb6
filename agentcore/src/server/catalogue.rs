//! The catalogue and the metric labels of the mounted consumers.

use crate::consumer::{MessageEntry, Mount};
use crate::message::Description;
use crate::metrics::{ConsumerTypes, HandlerLabels, Labels};
use crate::schema::{Catalogue, Direction};

/// Builds the catalogue of the messages that the mounted consumers receive and send.
///
/// # Errors
/// The types that share a name in one direction of one consumer.
pub(super) fn build_catalogue(mounts: &[Mount]) -> Result<Catalogue, Vec<String>> {
    let mut builder = Catalogue::builder();
    for mount in mounts {
        let consumer = consumer_name(mounts, mount);
        for handler in mount.handlers {
            match handler.receives {
                None => {
                    builder.add_without_data(consumer, handler.message_type);
                }
                // A payload without a name of its own is listed under the message type that it is received for.
                Some(payload) => {
                    let payload = Description { name: Some(handler.message_type), ..payload };
                    builder.add(consumer, Direction::Receives, payload);
                }
            }
            if let Some(returned) = handler.returns {
                builder.add(consumer, Direction::Sends, returned);
            }
        }
        for sent in (mount.sends)() {
            builder.add(consumer, Direction::Sends, sent);
        }
    }
    builder.build()
}

/// Returns the closed set of labels that the metrics use.
pub(super) fn metric_labels(mounts: &[Mount], catalogue: &Catalogue) -> Labels {
    let consumers: Vec<_> = mounts
        .iter()
        .map(|mount| ConsumerTypes {
            consumer: consumer_name(mounts, mount).to_owned(),
            handlers: mount
                .handlers
                .iter()
                .map(|handler| HandlerLabels { message_type: handler.message_type, method: handler.method })
                .collect(),
        })
        .collect();
    // The manager can send any message of the program, even one that no consumer lists.
    let any = inventory::iter::<MessageEntry>().filter_map(|entry| entry.description.name);
    Labels::new(&consumers, catalogue.sent_types().chain(any))
}

/// Returns the name of a consumer, with its module path if another consumer has the same name.
fn consumer_name(mounts: &[Mount], mount: &Mount) -> &'static str {
    let is_ambiguous = mounts.iter().any(|other| other.name == mount.name && other.type_id != mount.type_id);
    if is_ambiguous { mount.type_name } else { mount.name }
}
