//! The peer of the comparison: a plain axum handler, one unbounded channel and
//! one writer task per connection, as good as that form can be made.
//!
//! `/fan/{group}` relays every message unparsed to all members of the group, including the sender;
//! `/echo` returns each message. There are no limits, no heartbeat and no rate limiting: the peer does not
//! pay for what the framework does besides.
//!
//! The choices below were measured, one at a time, on one core with the generator on another:
//! 128-byte messages, 1,000 members, medians of 3 to 5 alternating rounds. `fan` is one group and
//! 32 messages in flight, `rooms` is 200 groups of five busy members; a ratio is deliveries per
//! second compared to the code here, unless it names a latency or memory.
//!
//! | instead of | variant | fan | rooms |
//! |---|---|---|---|
//! | multi-thread runtime, global queue every 4 | its default interval | 0.9 | 1.1, but p99 5 times as long |
//! | | every 2 | 1.0 | 0.9 |
//! | | every 16 | 1.05 with twice the memory | 0.8, p99 3.5 times as long |
//! | | events polled every 16 tasks, not 61 | 1.05 | 0.9 |
//! | | current-thread runtime | 0.7 | 0.8, p99 0.4 times as long |
//!
//! The rest was compared on the current-thread runtime, against the same choices as here:
//!
//! | instead of | variant | fan | rooms |
//! |---|---|---|---|
//! | `recv_many`, `feed` each, one `flush` | `send` each message | 0.06 | 0.5 |
//! | | `try_recv` and `feed` until empty, one `flush` | 1.0 | 1.1 |
//! | | `recv_many`, `send_all` | 1.1 | 0.9 |
//! | `RwLock<Vec<_>>` | `Mutex<Vec<_>>` | 1.0 | 1.0 |
//! | | `Mutex<Arc<[_]>>`, walked as a snapshot | 1.0 | 1.0 |
//! | 4 KiB read buffer | tungstenite's default, 128 KiB | 1.0 | 0.6; 12 times the idle memory |
//!
//! Differences of 10 % are noise there. Reading and writing in one task per connection, without a
//! writer task, is another form: 0.9 in `fan`, 1.2 in `rooms`.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use axum::serve::ListenerExt;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpSocket;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::{Failure, announce};

/// Connections the kernel completes before they are accepted.
const BACKLOG: u32 = 4096;

/// Bytes that a connection reads at once; allocated per connection, so most of an idle one's memory.
const READ_BUFFER: usize = 4096;

/// Messages written between two flushes at most.
const BATCH: usize = 64;

/// Serves on `127.0.0.1:port` until the process ends.
///
/// # Errors
///
/// If the runtime cannot start, or the port is in use.
pub(crate) fn run(port: u16) -> Result<(), Failure> {
    // As many workers as available cores: one when pinned to one. Tasks beyond a worker's local
    // queue of 256 wait in the global one, and starve at its default interval.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().global_queue_interval(4).build()?;
    // Spawned, because a future passed to `block_on` runs beside the workers and not on one.
    runtime.block_on(async { tokio::spawn(serve(port)).await? })
}

async fn serve(port: u16) -> Result<(), Failure> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
    let listener = socket.listen(BACKLOG)?;
    announce(listener.local_addr()?)?;

    let routes = Router::new().route("/fan/{group}", get(fan)).route("/echo", get(echo)).with_state(Arc::default());
    let listener = listener.tap_io(|stream| {
        // A connection that is already closed fails here, and again at its first read.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, routes).await?;
    Ok(())
}

async fn fan(upgrade: WebSocketUpgrade, Path(name): Path<String>, State(groups): State<Arc<Groups>>) -> Response {
    upgrade.read_buffer_size(READ_BUFFER).on_upgrade(|socket| async move {
        let (outbox, waiting) = unbounded_channel();
        let (sink, stream) = socket.split();
        let (group, member) = groups.join(&name, outbox);
        tokio::spawn(write(sink, waiting));
        relay(stream, &group).await;
        // Drops the only sender, which ends the writer.
        groups.leave(&name, member);
    })
}

async fn echo(upgrade: WebSocketUpgrade) -> Response {
    upgrade.read_buffer_size(READ_BUFFER).on_upgrade(|mut socket: WebSocket| async move {
        while let Some(Ok(message)) = socket.recv().await {
            if is_data(&message) && socket.send(message).await.is_err() {
                return;
            }
        }
    })
}

/// Relays every data message of one connection to all members of its group, until it closes.
async fn relay(mut stream: SplitStream<WebSocket>, group: &Group) {
    while let Some(Ok(message)) = stream.next().await {
        if is_data(&message) {
            group.send(&message);
        }
    }
}

/// Writes pending messages of one connection in as few system calls as possible, until no sender is left.
async fn write(mut sink: SplitSink<WebSocket, Message>, mut waiting: UnboundedReceiver<Message>) {
    let mut batch = Vec::new();
    while waiting.recv_many(&mut batch, BATCH).await > 0 {
        for message in batch.drain(..) {
            if sink.feed(message).await.is_err() {
                return;
            }
        }
        if sink.flush().await.is_err() {
            return;
        }
    }
}

/// Pings are answered by the library; pongs and close frames are not passed on.
fn is_data(message: &Message) -> bool {
    matches!(message, Message::Text(_) | Message::Binary(_))
}

/// The groups by name. Only joins and leaves look a name up: a connection keeps its group.
#[derive(Default)]
struct Groups {
    by_name: Mutex<HashMap<String, Arc<Group>>>,
    last_member: AtomicU64,
}

impl Groups {
    fn join(&self, name: &str, outbox: UnboundedSender<Message>) -> (Arc<Group>, u64) {
        let member = self.last_member.fetch_add(1, Ordering::Relaxed);
        // Held until the member is in, so that the group is not removed as empty in between.
        let mut by_name = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        let group = by_name.entry(name.to_owned()).or_default();
        group.members.write().unwrap_or_else(PoisonError::into_inner).push((member, outbox));
        (Arc::clone(group), member)
    }

    fn leave(&self, name: &str, member: u64) {
        let mut by_name = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(group) = by_name.get(name) else {
            return;
        };
        let mut members = group.members.write().unwrap_or_else(PoisonError::into_inner);
        members.retain(|(other, _)| *other != member);
        let empty = members.is_empty();
        drop(members);
        if empty {
            by_name.remove(name);
        }
    }
}

#[derive(Default)]
struct Group {
    members: RwLock<Vec<(u64, UnboundedSender<Message>)>>,
}

impl Group {
    /// A clone of a message shares its bytes.
    fn send(&self, message: &Message) {
        for (_, outbox) in self.members.read().unwrap_or_else(PoisonError::into_inner).iter() {
            // Fails when that member's writer has ended; its reader is about to leave.
            let _ = outbox.send(message.clone());
        }
    }
}
