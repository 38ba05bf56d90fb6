//! `backplane URL MESSAGES BYTES CHANNELS`: messages from one node to another through Redis, with a publisher and a counting receiver in this process.
//!
//! Neither has connections: only the backend is measured, with Redis and both nodes on the same cores.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use agentcore::backend::{
    AdmissionLimits, Answer, Async, Backend, Deliver, Node, Publish, Question, RedisBackend, ResyncReason,
};
use agentcore::message::{Except, OutboundMessage, Overflow, Recipient};
use agentcore::{Error, GroupName, Internal, Result, Settings, Supervisor, UserId};
use tokio::sync::Notify;

/// The allocator of a program that is optimized for speed.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[agentcore::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, numbers @ ..] = arguments.as_slice() else { return Err(usage()) };
    let numbers: Vec<usize> = numbers.iter().filter_map(|number| number.parse().ok()).collect();
    let [count, bytes, channels] = numbers.as_slice() else { return Err(usage()) };
    run(url, *count, *bytes, *channels).await
}

fn usage() -> Error {
    Error::validation("usage: backplane URL MESSAGES BYTES CHANNELS")
}

/// A node that counts its deliveries.
#[derive(Default)]
struct Counting {
    got: AtomicUsize,
    resyncs: AtomicUsize,
    want: AtomicUsize,
    done: Notify,
}

impl Deliver for Counting {
    fn deliver(&self, _: OutboundMessage) -> Option<Async<'static, ()>> {
        if self.got.fetch_add(1, Ordering::Relaxed) + 1 == self.want.load(Ordering::Relaxed) {
            self.done.notify_one();
        }
        None
    }

    fn has_members(&self, _: &GroupName) -> bool {
        true
    }

    fn has_user(&self, _: &UserId) -> bool {
        false
    }

    fn group_count(&self, _: &GroupName) -> usize {
        1
    }

    fn user_count(&self) -> usize {
        0
    }

    fn answer(&self, _: Question) -> Async<'static, Answer> {
        Box::pin(std::future::ready(Answer::Count(0)))
    }

    fn resync(&self, _: Option<&[GroupName]>, _: ResyncReason) {
        self.resyncs.fetch_add(1, Ordering::Relaxed);
    }
}

async fn node(name: &str, settings: &Settings, deliver: Arc<Counting>) -> Result<RedisBackend> {
    let backend = RedisBackend::new(settings)?;
    let limits = AdmissionLimits { total: 1_000, per_user: 1_000, per_ip: 1_000, groups: 1_000 };
    let incarnation = name.len() as u64;
    let node = Node { id: name.parse()?, incarnation, limits, supervisor: Supervisor::new() };
    backend.start(node, deliver).await?;
    Ok(backend)
}

/// Publishes `count` messages whose envelopes have `bytes` to `channels` groups in turn, and prints the result.
async fn run(url: &str, count: usize, bytes: usize, channels: usize) -> Result<()> {
    let settings = Settings::from_values(|name| (name == "REDIS_URL").then(|| url.to_owned()))?;
    let (receiver, silent) = (Arc::new(Counting::default()), Arc::new(Counting::default()));
    receiver.want.store(count, Ordering::Relaxed);
    let publishing = node("publisher", &settings, silent).await?;
    let receiving = node("receiver", &settings, receiver.clone()).await?;
    let envelope = format!("{{\"type\":\"said\",\"data\":{{\"text\":\"{}\"}}}}", "x".repeat(bytes.saturating_sub(35)));
    let mut messages = Vec::new();
    for number in 0..channels {
        let group = GroupName::new(format!("channel-{number}"))?;
        if let Some(heard) = receiving.subscribe(&group) {
            heard.await?;
        }
        let to = Recipient::Group(group);
        messages.push(OutboundMessage::from_envelope(to, Except::default(), Overflow::Disconnect, envelope.as_bytes()));
    }
    let start = Instant::now();
    let mut waits = 0_usize;
    for (number, message) in messages.iter().cycle().take(count).enumerate() {
        match publishing.publish(message) {
            Publish::Done(done) => done?,
            Publish::Wait(waiting) => {
                waits += 1;
                waiting.await?;
            }
        }
        if number % 256 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let all = tokio::time::timeout(Duration::from_secs(60), async {
        while receiver.got.load(Ordering::Relaxed) < count {
            receiver.done.notified().await;
        }
    });
    let complete = all.await.is_ok();
    let seconds = start.elapsed().as_secs_f64();
    let (got, resyncs) = (receiver.got.load(Ordering::Relaxed), receiver.resyncs.load(Ordering::Relaxed));
    let rate = got as f64 / seconds;
    let line = format!("messages={got} seconds={seconds:.3} rate={rate:.0} waits={waits} resyncs={resyncs}");
    writeln!(std::io::stdout(), "{line}").internal()?;
    publishing.stop().await;
    receiving.stop().await;
    if complete { Ok(()) } else { Err(Error::backend(format!("{got} of {count} messages came"))) }
}
