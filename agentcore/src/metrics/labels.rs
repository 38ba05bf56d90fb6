//! The closed set of label values that metrics are kept by.

use std::collections::HashSet;

/// Stands for messages of a type that the consumer does not handle, and for messages without a readable envelope.
pub(super) const UNKNOWN: &str = "unknown";
/// The hooks, in a form that no message type can have.
const CONNECT: &str = "on(connect)";
const DISCONNECT: &str = "on(disconnect)";
/// The message that renews or ends an identity.
const RENEWAL: &str = "agentcore.auth";
/// The series that each consumer has besides those of its handlers, in the order of [`ConsumerSeries`].
const BUILT_IN: [&str; 5] = [UNKNOWN, "ping", CONNECT, DISCONNECT, RENEWAL];
/// Message types that the framework itself sends.
const FRAMEWORK_TYPES: [&str; 6] = ["reply", "error", "pong", "agentcore.resync", "agentcore.welcome", RENEWAL];

/// A consumer and the message types that it handles, in the order of its handlers.
#[derive(Debug, Clone)]
pub(crate) struct ConsumerTypes {
    pub(crate) consumer: String,
    pub(crate) handlers: Vec<HandlerLabels>,
}

/// The message type and the method of a handler.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HandlerLabels {
    pub(crate) message_type: &'static str,
    pub(crate) method: &'static str,
}

/// All label values of a node.
#[derive(Debug, Clone, Default)]
pub(crate) struct Labels {
    pub(super) received: Vec<SeriesLabels>,
    consumers: Vec<ConsumerSeries>,
    sent: HashSet<&'static str>,
}

impl Labels {
    /// Collects the labels of these consumers and of the message types that they send.
    pub(crate) fn new(consumers: &[ConsumerTypes], sent: impl IntoIterator<Item = &'static str>) -> Self {
        let mut labels = Self::default();
        for ConsumerTypes { consumer, handlers } in consumers {
            let first = bounded_index(labels.received.len());
            labels.consumers.push(ConsumerSeries { first, handlers: bounded_index(handlers.len()) });
            let handlers = handlers.iter().map(|handler| (handler.message_type, handler.method, true));
            let built_in = BUILT_IN.map(|name| (name, name, !["ping", RENEWAL].contains(&name)));
            labels.received.extend(handlers.chain(built_in).map(|(message_type, method, runs_handler)| SeriesLabels {
                consumer: consumer.clone(),
                message_type,
                method,
                runs_handler,
            }));
        }
        labels.sent = FRAMEWORK_TYPES.into_iter().chain(sent).collect();
        labels
    }

    /// Returns the series of the consumer at `index`, in the order given to [`new`](Self::new).
    pub(super) fn consumer(&self, index: usize) -> ConsumerSeries {
        self.consumers.get(index).copied().unwrap_or_default()
    }

    /// Returns the label of a sent message type; a type that this program does not know comes from another program.
    #[cfg(feature = "metrics")]
    pub(super) fn sent<'a>(&'a self, name: &'a str) -> &'a str {
        if self.sent.contains(name) { name } else { UNKNOWN }
    }
}

/// The labels of one series of received messages.
#[derive(Debug, Clone)]
pub(super) struct SeriesLabels {
    pub(super) consumer: String,
    pub(super) message_type: &'static str,
    pub(super) method: &'static str,
    /// Whether application code runs for these messages.
    pub(super) runs_handler: bool,
}

/// The index of one series, the same in every worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SeriesIndex(pub(super) u16);

/// The series of one consumer: those of its handlers, then those of [`BUILT_IN`].
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ConsumerSeries {
    first: u16,
    handlers: u16,
}

impl ConsumerSeries {
    /// The series of the handler at `index`.
    pub(super) fn handler(self, index: usize) -> SeriesIndex {
        match u16::try_from(index) {
            Ok(index) if index < self.handlers => SeriesIndex(self.first + index),
            _ => self.unknown(),
        }
    }

    /// The series of messages without a handler.
    pub(super) fn unknown(self) -> SeriesIndex {
        SeriesIndex(self.first + self.handlers)
    }

    /// The series of `ping`.
    pub(super) fn ping(self) -> SeriesIndex {
        SeriesIndex(self.first + self.handlers + 1)
    }

    /// The series of `#[on(connect)]`.
    pub(super) fn connect(self) -> SeriesIndex {
        SeriesIndex(self.first + self.handlers + 2)
    }

    /// The series of `#[on(disconnect)]`.
    pub(super) fn disconnect(self) -> SeriesIndex {
        SeriesIndex(self.first + self.handlers + 3)
    }

    /// The series of `agentcore.auth`.
    pub(super) fn renewal(self) -> SeriesIndex {
        SeriesIndex(self.first + self.handlers + 4)
    }
}

/// Narrows an index. It leaves room above the highest handler for [`BUILT_IN`], and for the value that means "no
/// handler" in a [`HandlerPoll`](super::worker::HandlerPoll).
fn bounded_index(index: usize) -> u16 {
    u16::try_from(index).unwrap_or(u16::MAX).min(u16::MAX - 16)
}
