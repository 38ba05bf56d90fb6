#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc;

use super::*;
use crate::auth::{Access, Identity};
use crate::id::{ConnectionId, UserId};
use crate::message::Codec;
use crate::metrics::Meter;
use crate::registry::{Connection, OutboxLimits, Sink};

/// The bytes that the writer was writing may be lost, so no connection may continue unaware of that.
#[tokio::test]
async fn a_writer_that_panics_asks_its_connections_to_reconnect_and_restarts() {
    let outbox = OutboxLimits { max_bytes: 1 << 20, write_timeout: Duration::from_secs(1) };
    let settings = ShardSettings { outbox, heartbeat: None };
    let (supervisor, runtime) = (Supervisor::new(), Handle::current());
    let shard = Shard::new(0, Some(runtime.clone()), true, settings);
    let (sender, mut written) = mpsc::channel(1);
    let access = Access::new(Identity::new(UserId::new("ada").unwrap()), None);
    let id = ConnectionId { incarnation: 1, serial: 1 };
    let ada = Connection::open(id, access, Codec::Json, &shard, Sink::Stream(sender), Meter::detached());
    let broken = Arc::new(AtomicBool::new(true));
    start_writer(&shard, &runtime, &supervisor, move |shard| {
        let broken = broken.clone();
        async move {
            assert!(!broken.swap(false, Ordering::SeqCst), "the writer panics");
            shard.run().await;
        }
    });
    let closing = tokio::time::timeout(Duration::from_secs(10), std::future::poll_fn(|cx| ada.poll_close(cx)));
    let closing = closing.await.unwrap();
    assert!(matches!(&closing, Closing::Frame(reason) if reason.code == CloseCode::Restart), "{closing:?}");
    shard.finish(ada.slot(), Some(bytes::Bytes::from_static(b"the last frame")));
    let portion = tokio::time::timeout(Duration::from_secs(10), written.recv()).await.unwrap();
    assert_eq!(portion.unwrap().concat(), b"the last frame", "the restarted writer writes");
    assert_eq!(supervisor.restarts(), [("writer.0".into(), 1)]);
}
