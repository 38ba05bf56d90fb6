//! A proxy between one node and Redis that fails as networks do.
//!
//! It runs on a thread of its own, so a busy test does not slow it down. It tells the links of a node apart by their
//! first command: one subscribes, the other asks for information about the server.

use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::wait::until;

/// How a link behaves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mode {
    /// Everything passes.
    Pass,
    /// Nothing passes and nothing is closed, as with a cut cable.
    Hang,
    /// Nothing passes from Redis to the node.
    Deaf,
    /// Nothing passes from the node to Redis.
    Mute,
    /// The link is reset, also when it is opened again.
    Refuse,
    /// Each direction has this delay.
    Late(Duration),
    /// Each direction passes this many bytes per second.
    Narrow(u32),
}

/// The links of a node that a mode applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// All, including those that are not identified yet.
    All,
    /// The subscriber link.
    Subscriptions,
    /// The command link.
    Commands,
}

/// Half of a message that is cut is sent within this time, or not at all.
const CUT: Duration = Duration::from_millis(50);

#[derive(Debug, Clone, Copy)]
struct Modes {
    subscriptions: Mode,
    commands: Mode,
    others: Mode,
}

impl Modes {
    fn of(&self, kind: Option<Links>) -> Mode {
        match kind {
            Some(Links::Subscriptions) => self.subscriptions,
            Some(Links::Commands) => self.commands,
            _ => self.others,
        }
    }
}

/// The proxy; it ends when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    /// The port that new connections lead to.
    target: Arc<AtomicU16>,
    modes: watch::Sender<Modes>,
    links: Arc<Mutex<Vec<Weak<Link>>>>,
    scripts: Arc<AtomicU64>,
    end: CancellationToken,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

impl Proxy {
    /// Starts a proxy to a port of this machine.
    ///
    /// # Panics
    /// If no port is free.
    #[must_use]
    pub fn to(port: u16) -> Self {
        let listener = StdListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        listener.set_nonblocking(true).expect("a listener");
        let address = listener.local_addr().expect("an address");
        let modes = watch::Sender::new(Modes { subscriptions: Mode::Pass, commands: Mode::Pass, others: Mode::Pass });
        let (links, scripts, end) = (Arc::new(Mutex::new(Vec::new())), Arc::default(), CancellationToken::new());
        let target = Arc::new(AtomicU16::new(port));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (ended, opened, changes, counted) = (end.clone(), links.clone(), modes.clone(), Arc::clone(&scripts));
        let leads_to = target.clone();
        std::thread::spawn(move || {
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener).expect("a listener");
                let _ = ended.run_until_cancelled(accept(&listener, &leads_to, &changes, &opened, &counted)).await;
            });
        });
        Self { address, target, modes, links, scripts, end }
    }

    /// Returns the value of `REDIS_URL` that leads through it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}/0", self.address)
    }

    /// Leads new connections to another port, as after a failover behind one address. Open ones stay where they are.
    pub fn lead_to(&self, port: u16) {
        self.target.store(port, Ordering::SeqCst);
    }

    /// Changes the mode of open and new links.
    pub fn set(&self, links: Links, mode: Mode) {
        self.modes.send_modify(|modes| match links {
            Links::All => *modes = Modes { subscriptions: mode, commands: mode, others: mode },
            Links::Subscriptions => modes.subscriptions = mode,
            Links::Commands => modes.commands = mode,
        });
    }

    /// Resets open links in the middle of the next data from Redis.
    pub fn cut(&self, links: Links) {
        self.each(links, |link| link.doomed.cancel());
    }
}

impl Proxy {
    /// Holds data from the node on links that are open now; later links are not affected.
    pub fn hold(&self, links: Links) {
        self.each(links, |link| _ = link.held.send_replace(true));
    }

    /// Releases held data, including that of links that the node has closed meanwhile.
    pub fn release(&self) {
        self.each(Links::All, |link| _ = link.held.send_replace(false));
    }

    /// Waits until the node runs a script. An idle node runs one only when it renews its lease.
    pub async fn next_script(&self) {
        let scripts = || self.scripts.load(Ordering::Relaxed);
        let before = scripts();
        until("a script", async || scripts() > before).await;
    }

    fn each(&self, links: Links, does: impl Fn(&Link)) {
        for link in self.links.lock().unwrap_or_else(PoisonError::into_inner).iter().filter_map(Weak::upgrade) {
            if links == Links::All || *link.kind.borrow() == Some(links) {
                does(&link);
            }
        }
    }
}

/// One link.
#[derive(Debug)]
struct Link {
    kind: watch::Sender<Option<Links>>,
    modes: watch::Receiver<Modes>,
    /// The number of scripts that the node runs, over all links.
    scripts: Arc<AtomicU64>,
    /// Data from the node is held.
    held: watch::Sender<bool>,
    /// The link is about to be cut.
    doomed: CancellationToken,
    /// Half of a message has been sent.
    cut: CancellationToken,
}

/// The direction of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    ToRedis,
    ToNode,
}

async fn accept(
    listener: &TcpListener,
    target: &AtomicU16,
    modes: &watch::Sender<Modes>,
    links: &Mutex<Vec<Weak<Link>>>,
    scripts: &Arc<AtomicU64>,
) {
    loop {
        let Ok((node, _)) = listener.accept().await else { continue };
        let link = Arc::new(Link {
            kind: watch::Sender::new(None),
            modes: modes.subscribe(),
            scripts: Arc::clone(scripts),
            held: watch::Sender::new(false),
            doomed: CancellationToken::new(),
            cut: CancellationToken::new(),
        });
        {
            let mut links = links.lock().unwrap_or_else(PoisonError::into_inner);
            links.retain(|link| link.strong_count() > 0);
            links.push(Arc::downgrade(&link));
        }
        let target = SocketAddr::from((Ipv4Addr::LOCALHOST, target.load(Ordering::SeqCst)));
        tokio::spawn(async move { link.join(node, target).await });
    }
}

impl Link {
    async fn join(&self, mut node: TcpStream, target: SocketAddr) {
        let Ok(mut redis) = TcpStream::connect(target).await else {
            let _ = node.set_zero_linger();
            return;
        };
        let _ = (node.set_nodelay(true), redis.set_nodelay(true));
        let is_reset = {
            let ((from_node, to_node), (from_redis, to_redis)) = (node.split(), redis.split());
            tokio::select! {
                () = self.carry(from_node, to_redis, Way::ToRedis) => false,
                () = self.carry(from_redis, to_node, Way::ToNode) => false,
                () = self.is_reset() => true,
            }
        };
        if is_reset {
            let _ = (node.set_zero_linger(), redis.set_zero_linger());
        }
    }

    async fn carry(&self, mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, way: Way) {
        let (sender, mut waiting) = mpsc::channel::<(Instant, Vec<u8>)>(64);
        let reading = async move {
            loop {
                let mut bytes = vec![0; 16 * 1024];
                let Ok(count @ 1..) = from.read(&mut bytes).await else { return };
                bytes.truncate(count);
                if way == Way::ToRedis {
                    self.look_at(&bytes);
                }
                if sender.send((Instant::now(), bytes)).await.is_err() {
                    return;
                }
            }
        };
        let writing = async {
            while let Some((came, bytes)) = waiting.recv().await {
                match self.pass(way).await {
                    Mode::Late(late) => sleep_until(came + late).await,
                    Mode::Narrow(rate) => sleep(Duration::from_secs(bytes.len() as u64) / rate).await,
                    _ => {}
                }
                if way == Way::ToNode && self.doomed.is_cancelled() {
                    let _ = to.write_all(&bytes[..bytes.len() / 2]).await;
                    self.cut.cancel();
                    return std::future::pending().await;
                }
                if to.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            // A shutdown that the peer never sees would have no effect.
            self.pass(way).await;
        };
        tokio::join!(reading, writing);
    }

    /// Identifies the link and counts its scripts.
    fn look_at(&self, bytes: &[u8]) {
        let count = |word: &[u8]| bytes.windows(word.len()).filter(|window| *window == word).count();
        let says = |word: &[u8]| count(word) > 0;
        self.scripts.fetch_add(count(b"\nEVALSHA\r\n") as u64, Ordering::Relaxed);
        if self.kind.borrow().is_none() {
            if says(b"\nSUBSCRIBE\r\n") {
                self.kind.send_replace(Some(Links::Subscriptions));
            } else if says(b"\nINFO\r\n") {
                self.kind.send_replace(Some(Links::Commands));
            }
        }
    }

    /// Waits for a mode that lets data pass in this direction, and returns it.
    async fn pass(&self, way: Way) -> Mode {
        if way == Way::ToRedis {
            let _ = self.held.subscribe().wait_for(|held| !held).await;
        }
        self.mode_that(|mode| match mode {
            Mode::Hang | Mode::Refuse => false,
            Mode::Deaf => way == Way::ToRedis,
            Mode::Mute => way == Way::ToNode,
            Mode::Pass | Mode::Late(_) | Mode::Narrow(_) => true,
        })
        .await
    }

    async fn is_reset(&self) {
        let doomed = async {
            self.doomed.cancelled().await;
            drop(tokio::time::timeout(CUT, self.cut.cancelled()).await);
        };
        tokio::select! {
            () = doomed => {}
            _ = self.mode_that(|mode| mode == Mode::Refuse) => {}
        }
    }

    async fn mode_that(&self, fits: impl Fn(Mode) -> bool) -> Mode {
        let (mut modes, mut kind) = (self.modes.clone(), self.kind.subscribe());
        loop {
            let mode = modes.borrow_and_update().of(*kind.borrow_and_update());
            if fits(mode) {
                return mode;
            }
            tokio::select! {
                changed = modes.changed() => if changed.is_err() { return std::future::pending().await },
                _ = kind.changed() => {}
            }
        }
    }
}
