//! The allocations of one message, from its bytes to the encoded reply in the outbox.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::abuse::AbuseMonitor;
use super::in_flight::poll_once;
use super::reader::{MessageReader, ReadItem};
use super::request::{Dispatched, RequestCx, dispatch};
use super::socket::{ByteStream, SocketReader};
use crate::auth::{Access, Identity};
use crate::backend::MemoryBackend;
use crate::consumer::{Mount, Session, UpgradeRequest};
use crate::manager::ConnectionManager;
use crate::message::Input;
use crate::metrics::Labels;
use crate::middleware::{Chain, Incoming, Middleware, Next, Pipeline, Reply};
use crate::registry::{Connection, Sink};
use crate::state::States;
use crate::wire::{Decoder, DecoderLimits};
use crate::worker::HandlerRun;
use crate::{Result, Settings, UserId, consumer, message};

#[message("say", crate = crate)]
struct Say {
    #[validate(length(min = 1, max = 100))]
    text: String,
    #[validate(range(min = 1))]
    number: u32,
}

#[message("said", crate = crate)]
struct Said {
    length: usize,
}

#[consumer(path = "/ws", crate = crate)]
struct Talk {}

#[consumer(crate = crate)]
impl Talk {
    #[on("say")]
    async fn say(&mut self, message: Say) -> Said {
        Said { length: message.text.len() + usize::try_from(message.number).unwrap_or(0) }
    }
}

/// Passes every message on unchanged.
struct Passes;

impl Middleware for Passes {
    async fn handle<N: Next>(&self, message: Incoming<'_>, next: N) -> Result<Reply> {
        next.run(message).await
    }
}

struct Bench {
    manager: ConnectionManager,
    connection: Arc<Connection>,
    session: Box<dyn Session>,
    abuse: AbuseMonitor,
    serial: u64,
}

impl Bench {
    async fn new() -> Self {
        let settings = Settings { workers: 0, ..Settings::default() };
        let backend = Arc::new(MemoryBackend::new());
        let manager = ConnectionManager::start(Arc::new(settings), backend, Labels::default()).await.unwrap();
        let shard = manager.registry().least_loaded().unwrap().clone();
        let access = Access::new(Identity::new(UserId::new("ada").unwrap()), None);
        // The receiver is dropped, so all frames stay in the outbox.
        let (sink, _) = tokio::sync::mpsc::channel(1);
        let connection = manager.open(access, &shard, Default::default(), Sink::Stream(sink), 0);
        let states = States::default();
        let session = Mount::of::<Talk>()
            .open(&UpgradeRequest::new(&[], &[], &states))
            .unwrap()
            .attach(manager.clone(), connection.clone());
        Self { manager, connection, session, abuse: AbuseMonitor::default(), serial: 0 }
    }

    /// Handles a message as the read loop does.
    fn handle(&mut self, text: &str, chain: Option<&dyn Pipeline>) {
        self.serial += 1;
        let (connection, manager) = (&self.connection, &self.manager);
        let cx = RequestCx { session: self.session.as_mut(), chain, connection, manager };
        let Dispatched::Started(mut future, in_flight, kind) =
            dispatch(cx, &mut self.abuse, Input::Text(text), self.serial)
        else {
            panic!("the message is valid");
        };
        let mut run = HandlerRun::new(connection.meter(), kind);
        let polled = pin!(poll_once(&mut future, &mut run)).poll(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready(Poll::Ready(output)) = polled else { panic!("the handler does not wait") };
        drop(future);
        in_flight.answer(&mut self.abuse, connection, output).unwrap();
    }

    /// Returns the allocations of one message, once all buffers have grown to their size.
    fn allocations(&mut self, chain: Option<&dyn Pipeline>) -> u64 {
        let text = message();
        // One more than a power of two, so that the outbox has just grown.
        for _ in 0..65 {
            self.handle(&text, chain);
        }
        let measured = allocation_counter::measure(|| {
            for _ in 0..10 {
                self.handle(&text, chain);
            }
        });
        assert_eq!(measured.count_total % 10, 0, "each message allocates the same: {measured:?}");
        measured.count_total / 10
    }
}

/// A message of 100 bytes.
fn message() -> String {
    let text = format!(r#"{{"type":"say","data":{{"text":"{}","number":7}},"ref":12345}}"#, "x".repeat(44));
    assert_eq!(text.len(), 100);
    text
}

/// Allocations of the payload: one field is a `String`.
const FIELDS: u64 = 1;

#[tokio::test]
async fn without_a_chain_the_framework_allocates_twice_for_a_message() {
    let mut bench = Bench::new().await;
    // The handler's future, and the reply.
    assert_eq!(bench.allocations(None) - FIELDS, 2);
}

#[tokio::test]
async fn a_chain_of_any_length_costs_a_copy_of_the_data_and_a_future() {
    let mut bench = Bench::new().await;
    assert_eq!(bench.allocations(Some(&Passes)) - FIELDS, 4);
    let longer = Chain::new() >> Passes >> None::<Passes> >> Passes >> Passes;
    assert_eq!(bench.allocations(Some(&longer)) - FIELDS, 4);
}

#[tokio::test]
async fn a_message_that_arrived_in_one_piece_is_decoded_without_an_allocation() {
    let bench = Bench::new().await;
    // A final text frame of 100 bytes with the mask 0.
    let frame = [&[0x81, 0x80 | 100, 0, 0, 0, 0], message().as_bytes()].concat();
    let stream: Box<dyn ByteStream> = Box::new(tokio::io::duplex(1).0);
    let decoder = Decoder::new(Arc::new(DecoderLimits::new(100, 1, 100)));
    let mut reader = MessageReader::new(SocketReader::Stream(tokio::io::split(stream).0), decoder, frame.repeat(10));
    let mut abuse = AbuseMonitor::default();
    let mut messages = 0;
    let measured = allocation_counter::measure(|| {
        while let Some(ReadItem::Message(Input::Text(text))) = reader.next(&bench.connection, &mut abuse) {
            messages += usize::from(text.len() == 100);
        }
    });
    assert_eq!((messages, measured.count_total), (10, 0));
}
