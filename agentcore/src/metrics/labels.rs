//! The closed set of names that figures are kept by.

use std::collections::HashSet;

/// A message of a type that its consumer does not handle, or of none.
pub(super) const UNKNOWN: &str = "unknown";
/// The hooks, in a form that no message type can have.
const CONNECT: &str = "on(connect)";
const DISCONNECT: &str = "on(disconnect)";
/// What a consumer has beside its handlers.
const BESIDE: [&str; 5] = [UNKNOWN, "ping", CONNECT, DISCONNECT, RENEWAL];
/// A fresh token of a client.
const RENEWAL: &str = "agentcore.auth";
/// What the framework itself sends.
const OURS: [&str; 6] = ["reply", "error", "pong", "agentcore.resync", "agentcore.welcome", RENEWAL];

/// A consumer and the message types that it handles, in the order of its handlers.
#[derive(Debug, Clone)]
pub(crate) struct ConsumerTypes {
    pub(crate) consumer: String,
    pub(crate) handlers: Vec<Named>,
}

/// A handler: its message type and its method.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Named {
    pub(crate) message_type: &'static str,
    pub(crate) method: &'static str,
}

/// The place of one message type of one consumer in the cells of every worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot(pub(super) u16);

/// The slots of one consumer, kept by each of its connections.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Slots {
    first: u16,
    handlers: u16,
}

impl Slots {
    /// The slot of the handler with this number.
    pub(super) fn handler(self, number: usize) -> Slot {
        match u16::try_from(number) {
            Ok(number) if number < self.handlers => Slot(self.first + number),
            _ => self.unknown(),
        }
    }

    /// The slot of what no handler takes.
    pub(super) fn unknown(self) -> Slot {
        Slot(self.first + self.handlers)
    }

    /// The slot of `ping`.
    pub(super) fn ping(self) -> Slot {
        Slot(self.first + self.handlers + 1)
    }

    /// The slot of `#[on(connect)]`.
    pub(super) fn connect(self) -> Slot {
        Slot(self.first + self.handlers + 2)
    }

    /// The slot of `#[on(disconnect)]`.
    pub(super) fn disconnect(self) -> Slot {
        Slot(self.first + self.handlers + 3)
    }

    /// The slot of `agentcore.auth`.
    pub(super) fn renewal(self) -> Slot {
        Slot(self.first + self.handlers + 4)
    }
}

/// A slot as people read it.
#[derive(Debug, Clone)]
pub(super) struct Received {
    pub(super) consumer: String,
    pub(super) message_type: &'static str,
    pub(super) method: &'static str,
    /// Whether code of the application runs for it.
    pub(super) handled: bool,
}

/// All names of a node.
#[derive(Debug, Clone, Default)]
pub(crate) struct Labels {
    pub(super) received: Vec<Received>,
    consumers: Vec<Slots>,
    sent: HashSet<&'static str>,
}

impl Labels {
    /// The names of these consumers and of the types they send.
    pub(crate) fn new(consumers: &[ConsumerTypes], sent: impl IntoIterator<Item = &'static str>) -> Self {
        let mut labels = Self::default();
        for ConsumerTypes { consumer, handlers } in consumers {
            let first = narrow(labels.received.len());
            labels.consumers.push(Slots { first, handlers: narrow(handlers.len()) });
            let handlers = handlers.iter().map(|named| (named.message_type, named.method, true));
            let beside = BESIDE.map(|name| (name, name, !["ping", RENEWAL].contains(&name)));
            labels.received.extend(handlers.chain(beside).map(|(message_type, method, handled)| Received {
                consumer: consumer.clone(),
                message_type,
                method,
                handled,
            }));
        }
        labels.sent = OURS.into_iter().chain(sent).collect();
        labels
    }

    /// The slots of the consumer with this number, in the order they were given.
    pub(super) fn consumer(&self, number: usize) -> Slots {
        self.consumers.get(number).copied().unwrap_or_default()
    }

    /// The label of a sent type; one that this program does not know comes from outside.
    pub(super) fn sent<'a>(&'a self, name: &'a str) -> &'a str {
        if self.sent.contains(name) { name } else { UNKNOWN }
    }
}

/// No application has that many handlers; one that had would share the last slot. The number above it stands for none
/// in a worker's turn.
fn narrow(number: usize) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX).min(u16::MAX - 16)
}
