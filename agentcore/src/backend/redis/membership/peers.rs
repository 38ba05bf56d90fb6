//! The other nodes, as this one knows them, and the questions it has asked them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout_at};

use super::super::driver::ClusterView;
use crate::backend::{Answer, Answers, Deliver, ResyncReason};
use crate::sync::{Mutex, lock};

/// Whoever is missing in a view, without a goodbye, is taken for dead if that is still so after this time: what it has said
/// before may be on the way, and its goodbye with it.
const SECOND_LOOK: Duration = Duration::from_secs(1);

/// Changed by each renewal of the lease, and by what nodes say of themselves in between.
pub(in super::super) struct Peers {
    known: Mutex<PeerSet>,
    questions: Mutex<HashMap<u64, PendingQuestion>>,
    next: AtomicU64,
    deliver: Arc<dyn Deliver>,
}

#[derive(Debug, Default)]
struct PeerSet {
    live: HashSet<u64>,
    /// They said goodbye, and may be in the next view nevertheless.
    gone: HashSet<u64>,
    /// They have said hello since the last view that was seen, and may be missing in the next one: it may have been taken
    /// before they came. All of them are in `live`.
    greeted: HashSet<u64>,
    /// They were missing in a view, and in which look that was.
    doubted: HashMap<u64, u64>,
    looks: u64,
}

impl PeerSet {
    /// Takes note of who is in a view. The number of the look, if some are missing.
    fn see(&mut self, view: &HashSet<u64>) -> Option<u64> {
        self.doubted.retain(|origin, _| !view.contains(origin));
        self.gone.retain(|origin| view.contains(origin));
        let Self { live, gone, greeted, .. } = self;
        let missing: Vec<_> = live.difference(view).filter(|origin| !greeted.contains(*origin)).copied().collect();
        *live = view.difference(gone).copied().chain(greeted.drain()).collect();
        if missing.is_empty() {
            return None;
        }
        self.looks += 1;
        self.doubted.extend(missing.into_iter().map(|origin| (origin, self.looks)));
        Some(self.looks)
    }

    /// Whether somebody has died who was missing in a look.
    fn has_died(&mut self, look: u64) -> bool {
        let before = self.doubted.len();
        self.doubted.retain(|_, missed_in| *missed_in != look);
        self.doubted.len() < before
    }
}

#[derive(Debug)]
struct PendingQuestion {
    missing: HashSet<u64>,
    answers: Vec<Answer>,
    bell: Arc<Notify>,
}

impl Peers {
    pub(in super::super) fn new(deliver: Arc<dyn Deliver>) -> Self {
        Self { known: Mutex::default(), questions: Mutex::default(), next: AtomicU64::new(0), deliver }
    }

    /// Takes note of a view. Whoever is missing in it without a goodbye has died, and may have had something to say, unless
    /// a second look finds otherwise; or unless Redis has just lost what it knew, and not all may be in it again.
    pub(in super::super) fn see(self: &Arc<Self>, view: &ClusterView, own: u64, certain: bool) {
        let live: HashSet<u64> = view.live.iter().map(|peer| peer.origin).filter(|origin| *origin != own).collect();
        if !certain {
            let PeerSet { live: known, gone, doubted, .. } = &mut *lock(&self.known);
            doubted.retain(|origin, _| !live.contains(origin));
            known.extend(live.difference(gone));
            return;
        }
        let look = lock(&self.known).see(&live);
        if let Some(look) = look {
            let peers = self.clone();
            tokio::spawn(async move {
                sleep(SECOND_LOOK).await;
                let died = lock(&peers.known).has_died(look);
                if died {
                    peers.deliver.resync(None, ResyncReason::Peer);
                }
            });
        }
    }

    /// A node has come.
    pub(in super::super) fn hello(&self, origin: u64) {
        let mut known = lock(&self.known);
        // A life that has said goodbye has ended: one that ends as soon as it has begun may greet after that.
        if known.gone.contains(&origin) {
            return;
        }
        known.doubted.remove(&origin);
        known.greeted.insert(origin);
        known.live.insert(origin);
    }

    /// A node goes: whoever waits for its answer need not.
    pub(in super::super) fn goodbye(&self, origin: u64) {
        {
            let mut known = lock(&self.known);
            known.live.remove(&origin);
            known.greeted.remove(&origin);
            known.doubted.remove(&origin);
            known.gone.insert(origin);
        }
        for asked in lock(&self.questions).values_mut() {
            asked.missing.remove(&origin);
            asked.bell.notify_one();
        }
    }

    /// How many nodes there are, this one too.
    pub(in super::super) fn count(&self) -> usize {
        lock(&self.known).live.len() + 1
    }

    /// Asks: `say` sends the question with the number it gets.
    pub(in super::super) async fn ask(&self, within: Duration, up: bool, say: impl FnOnce(u64)) -> Answers {
        let deadline = Instant::now() + within;
        let (number, bell) = (self.next.fetch_add(1, Ordering::Relaxed), Arc::new(Notify::new()));
        {
            // Both at once, or a goodbye in between would be waited for.
            let known = lock(&self.known);
            if known.live.is_empty() || !up {
                return Answers { answers: Vec::new(), complete: known.live.is_empty() };
            }
            let asked = PendingQuestion { missing: known.live.clone(), answers: Vec::new(), bell: bell.clone() };
            lock(&self.questions).insert(number, asked);
        }
        // Also when whoever asks goes away.
        let open = QuestionGuard { peers: self, number };
        say(number);
        let answered = async {
            while !open.is_answered() {
                bell.notified().await;
            }
        };
        let complete = timeout_at(deadline, answered).await.is_ok();
        let answers = lock(&self.questions).remove(&number).map(|asked| asked.answers).unwrap_or_default();
        Answers { answers, complete }
    }

    /// A node answers.
    pub(in super::super) fn answer(&self, origin: u64, number: u64, answer: Answer, more: bool) {
        if let Some(asked) = lock(&self.questions).get_mut(&number) {
            asked.answers.push(answer);
            if !more {
                asked.missing.remove(&origin);
                asked.bell.notify_one();
            }
        }
    }
}

/// A question that waits; dropping it forgets it.
struct QuestionGuard<'a> {
    peers: &'a Peers,
    number: u64,
}

impl QuestionGuard<'_> {
    fn is_answered(&self) -> bool {
        lock(&self.peers.questions).get(&self.number).is_none_or(|asked| asked.missing.is_empty())
    }
}

impl Drop for QuestionGuard<'_> {
    fn drop(&mut self) {
        lock(&self.peers.questions).remove(&self.number);
    }
}
