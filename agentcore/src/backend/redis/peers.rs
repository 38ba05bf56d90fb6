//! The other nodes, as this one knows them, and the questions it has asked them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::driver::View;
use crate::backend::{Answer, Answers, Deliver, ResyncReason};
use crate::sync::{Mutex, lock};

/// Changed by each renewal of the lease, and by what nodes say of themselves in between.
pub(super) struct Peers {
    known: Mutex<Known>,
    questions: Mutex<HashMap<u64, Asked>>,
    next: AtomicU64,
    deliver: Arc<dyn Deliver>,
}

#[derive(Debug, Default)]
struct Known {
    live: HashSet<u64>,
    /// They said goodbye, and may be in the next view nevertheless.
    gone: HashSet<u64>,
}

#[derive(Debug)]
struct Asked {
    missing: HashSet<u64>,
    answers: Vec<Answer>,
    bell: Arc<Notify>,
}

impl Peers {
    pub(super) fn new(deliver: Arc<dyn Deliver>) -> Self {
        Self { known: Mutex::default(), questions: Mutex::default(), next: AtomicU64::new(0), deliver }
    }

    /// Takes note of a view. Whoever is missing in it without a goodbye has died, and may have had something to say; unless
    /// Redis has just lost what it knew, and not all may be in it again.
    pub(super) fn see(&self, view: &View, own: u64, certain: bool) {
        let live: HashSet<u64> = view.live.iter().map(|peer| peer.origin).filter(|origin| *origin != own).collect();
        if !certain {
            let Known { live: known, gone } = &mut *lock(&self.known);
            known.extend(live.difference(gone));
            return;
        }
        let died = {
            let mut known = lock(&self.known);
            let died = known.live.iter().any(|origin| !live.contains(origin) && !known.gone.contains(origin));
            let before = std::mem::take(&mut known.gone);
            known.gone = before.into_iter().filter(|origin| live.contains(origin)).collect();
            let Known { live: known, gone } = &mut *known;
            *known = live.difference(gone).copied().collect();
            died
        };
        if died {
            self.deliver.resync(None, ResyncReason::Peer);
        }
    }

    /// A node has come.
    pub(super) fn hello(&self, origin: u64) {
        let mut known = lock(&self.known);
        known.gone.remove(&origin);
        known.live.insert(origin);
    }

    /// A node goes: whoever waits for its answer need not.
    pub(super) fn goodbye(&self, origin: u64) {
        {
            let mut known = lock(&self.known);
            known.live.remove(&origin);
            known.gone.insert(origin);
        }
        for asked in lock(&self.questions).values_mut() {
            asked.missing.remove(&origin);
            asked.bell.notify_one();
        }
    }

    /// How many nodes there are, this one too.
    pub(super) fn count(&self) -> usize {
        lock(&self.known).live.len() + 1
    }

    /// Asks: `say` sends the question with the number it gets.
    pub(super) async fn ask(&self, within: Duration, up: bool, say: impl FnOnce(u64)) -> Answers {
        let deadline = Instant::now() + within;
        let (number, bell) = (self.next.fetch_add(1, Ordering::Relaxed), Arc::new(Notify::new()));
        {
            // Both at once, or a goodbye in between would be waited for.
            let known = lock(&self.known);
            if known.live.is_empty() || !up {
                return Answers { answers: Vec::new(), complete: known.live.is_empty() };
            }
            let asked = Asked { missing: known.live.clone(), answers: Vec::new(), bell: bell.clone() };
            lock(&self.questions).insert(number, asked);
        }
        // Also when whoever asks goes away.
        let open = Open { peers: self, number };
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
    pub(super) fn answer(&self, origin: u64, number: u64, answer: Answer, more: bool) {
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
struct Open<'a> {
    peers: &'a Peers,
    number: u64,
}

impl Open<'_> {
    fn is_answered(&self) -> bool {
        lock(&self.peers.questions).get(&self.number).is_none_or(|asked| asked.missing.is_empty())
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        lock(&self.peers.questions).remove(&self.number);
    }
}
