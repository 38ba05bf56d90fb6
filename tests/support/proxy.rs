//! A proxy between one node and Redis, which fails in the ways in which a network does.
//!
//! It runs on a thread of its own, so a busy test does not slow it down. Which of a node's links is which it sees by what
//! the node says first: one subscribes, the other asks which Redis it has met.

use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

/// What happens to a link.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mode {
    /// All comes through.
    Pass,
    /// Nothing comes through, and nothing is closed: a cable that was cut.
    Hang,
    /// What Redis says does not come through.
    Deaf,
    /// What the node says does not come through.
    Mute,
    /// It is reset, also when it is opened again.
    Refuse,
    /// Each way takes so long.
    Late(Duration),
    /// So many bytes a second come through each way.
    Narrow(u32),
}

/// Which links of the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// Both, and those of which nothing is known yet.
    All,
    /// Those that subscribe.
    Subscriptions,
    /// Those that ask and publish.
    Commands,
}

/// Half a message that is cut goes out within this, or none.
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
    modes: watch::Sender<Modes>,
    links: Arc<Mutex<Vec<Weak<Link>>>>,
    end: CancellationToken,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

impl Proxy {
    /// A proxy to a port of this machine.
    ///
    /// # Panics
    /// When no port is free.
    #[must_use]
    pub fn to(port: u16) -> Self {
        let listener = StdListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        listener.set_nonblocking(true).expect("a listener");
        let address = listener.local_addr().expect("an address");
        let modes = watch::Sender::new(Modes { subscriptions: Mode::Pass, commands: Mode::Pass, others: Mode::Pass });
        let (links, end) = (Arc::new(Mutex::new(Vec::new())), CancellationToken::new());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (ended, opened, changes) = (end.clone(), links.clone(), modes.clone());
        std::thread::spawn(move || {
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener).expect("a listener");
                let target = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
                let _ = ended.run_until_cancelled(accept(&listener, target, &changes, &opened)).await;
            });
        });
        Self { address, modes, links, end }
    }

    /// The value of `REDIS_URL` that leads through it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}/0", self.address)
    }

    /// Changes what happens to links, open ones and new ones.
    pub fn set(&self, links: Links, mode: Mode) {
        self.modes.send_modify(|modes| match links {
            Links::All => *modes = Modes { subscriptions: mode, commands: mode, others: mode },
            Links::Subscriptions => modes.subscriptions = mode,
            Links::Commands => modes.commands = mode,
        });
    }

    /// Resets open links in the middle of what Redis says next.
    pub fn cut(&self, links: Links) {
        self.each(links, |link| link.doomed.cancel());
    }
}

impl Proxy {
    /// Holds what the node says on links that are open now; those that are opened later are as they should be.
    pub fn hold(&self, links: Links) {
        self.each(links, |link| _ = link.held.send_replace(true));
    }

    /// Lets go what was held, also of links that the node has given up meanwhile.
    pub fn release(&self) {
        self.each(Links::All, |link| _ = link.held.send_replace(false));
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
    /// What the node says on it is held.
    held: watch::Sender<bool>,
    /// It is to be cut.
    doomed: CancellationToken,
    /// Half a message is out.
    cut: CancellationToken,
}

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    ToRedis,
    ToNode,
}

async fn accept(
    listener: &TcpListener,
    target: SocketAddr,
    modes: &watch::Sender<Modes>,
    links: &Mutex<Vec<Weak<Link>>>,
) {
    loop {
        let Ok((node, _)) = listener.accept().await else { continue };
        let link = Arc::new(Link {
            kind: watch::Sender::new(None),
            modes: modes.subscribe(),
            held: watch::Sender::new(false),
            doomed: CancellationToken::new(),
            cut: CancellationToken::new(),
        });
        {
            let mut links = links.lock().unwrap_or_else(PoisonError::into_inner);
            links.retain(|link| link.strong_count() > 0);
            links.push(Arc::downgrade(&link));
        }
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
            // An end that nobody hears of is none.
            self.pass(way).await;
        };
        tokio::join!(reading, writing);
    }

    /// Sees which link it is.
    fn look_at(&self, bytes: &[u8]) {
        let says = |word: &[u8]| bytes.windows(word.len()).any(|window| window == word);
        if self.kind.borrow().is_none() {
            if says(b"\nSUBSCRIBE\r\n") {
                self.kind.send_replace(Some(Links::Subscriptions));
            } else if says(b"\nINFO\r\n") {
                self.kind.send_replace(Some(Links::Commands));
            }
        }
    }

    /// The mode, as soon as one lets something through this way.
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
