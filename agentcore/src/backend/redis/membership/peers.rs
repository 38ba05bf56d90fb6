//! The other nodes as this node knows them, and the questions that it has sent to them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::super::command_link::CommandLink;
use super::super::driver::ClusterView;
use crate::backend::{Answer, Answers, Deliver, ResyncReason};
use crate::sync::{Mutex, lock};

/// Time after which a node that is missing in a view counts as dead, unless it has reappeared or said goodbye. Its last
/// messages and its goodbye may still be on the way.
const DEATH_DELAY: Duration = Duration::from_secs(1);

/// The other nodes. Updated by each renewal of the lease, and by hello and goodbye messages in between.
pub(in super::super) struct Peers {
    nodes: Mutex<PeerSet>,
    questions: Mutex<HashMap<u64, PendingQuestion>>,
    next_question: AtomicU64,
    deliver: Arc<dyn Deliver>,
    link: Arc<CommandLink>,
}

impl Peers {
    pub(in super::super) fn new(deliver: Arc<dyn Deliver>, link: Arc<CommandLink>) -> Self {
        Self { nodes: Mutex::default(), questions: Mutex::default(), next_question: AtomicU64::new(0), deliver, link }
    }

    /// Updates the nodes from a view. If its counts are certain, a node that is missing without a goodbye has died, and
    /// messages of it may be lost; connections then get a resync after [`DEATH_DELAY`]. Otherwise the view only adds
    /// nodes: Redis has lost its data, and some nodes may not have written their state again.
    pub(in super::super) fn update(self: &Arc<Self>, view: &ClusterView, own_incarnation: u64, is_certain: bool) {
        let live = view.live.iter().map(|peer| peer.incarnation);
        let live: HashSet<u64> = live.filter(|incarnation| *incarnation != own_incarnation).collect();
        if !is_certain {
            let PeerSet { live: known, gone, suspects, .. } = &mut *lock(&self.nodes);
            suspects.retain(|incarnation, _| !live.contains(incarnation));
            known.extend(live.difference(gone));
            return;
        }
        let round = lock(&self.nodes).update(&live);
        if let Some(round) = round {
            let peers = self.clone();
            tokio::spawn(async move {
                sleep(DEATH_DELAY).await;
                let any_died = lock(&peers.nodes).take_dead(round);
                if any_died {
                    peers.deliver.resync(None, ResyncReason::Peer);
                    // Or it has followed the address to another server, while no connection of this node was cut.
                    peers.link.suspect_address();
                }
            });
        }
    }

    /// Handles the hello of a node.
    pub(in super::super) fn hello(&self, incarnation: u64) {
        let mut nodes = lock(&self.nodes);
        // The goodbye of an incarnation is final, even if its hello arrives later.
        if nodes.gone.contains(&incarnation) {
            return;
        }
        nodes.suspects.remove(&incarnation);
        nodes.greeted.insert(incarnation);
        nodes.live.insert(incarnation);
    }

    /// Handles the goodbye of a node. Questions no longer wait for its answer.
    pub(in super::super) fn goodbye(&self, incarnation: u64) {
        {
            let mut nodes = lock(&self.nodes);
            nodes.live.remove(&incarnation);
            nodes.greeted.remove(&incarnation);
            nodes.suspects.remove(&incarnation);
            nodes.gone.insert(incarnation);
        }
        for question in lock(&self.questions).values_mut() {
            question.unanswered.remove(&incarnation);
            question.answered.notify_one();
        }
    }

    /// Returns the number of nodes, including this one.
    pub(in super::super) fn count(&self) -> usize {
        lock(&self.nodes).live.len() + 1
    }

    /// Asks all nodes: `send` gets the number of the question and sends it. Waits for answers until `within` has
    /// passed. Sends nothing when there is no other node, or when Redis is not reachable.
    pub(in super::super) async fn ask(&self, within: Duration, is_reachable: bool, send: impl FnOnce(u64)) -> Answers {
        let (number, answered) = (self.next_question.fetch_add(1, Ordering::Relaxed), Arc::new(Notify::new()));
        {
            // Holds the lock until the question is registered. A goodbye in between would leave it waiting for that
            // node.
            let nodes = lock(&self.nodes);
            if nodes.live.is_empty() || !is_reachable {
                return Answers { answers: Vec::new(), complete: nodes.live.is_empty() };
            }
            let question =
                PendingQuestion { unanswered: nodes.live.clone(), answers: Vec::new(), answered: answered.clone() };
            lock(&self.questions).insert(number, question);
        }
        let guard = QuestionGuard { peers: self, number };
        send(number);
        let all_answered = async {
            while !guard.is_answered() {
                answered.notified().await;
            }
        };
        let complete = timeout(within, all_answered).await.is_ok();
        let answers = lock(&self.questions).remove(&number).map(|question| question.answers).unwrap_or_default();
        Answers { answers, complete }
    }

    /// Handles an answer of a node, or a part of it with `more` to follow.
    pub(in super::super) fn answer(&self, incarnation: u64, number: u64, answer: Answer, more: bool) {
        if let Some(question) = lock(&self.questions).get_mut(&number) {
            question.answers.push(answer);
            if !more {
                question.unanswered.remove(&incarnation);
                question.answered.notify_one();
            }
        }
    }
}

/// The other nodes, by incarnation.
#[derive(Debug, Default)]
struct PeerSet {
    live: HashSet<u64>,
    /// Nodes that said goodbye. The next view may still contain them.
    gone: HashSet<u64>,
    /// Nodes that said hello since the last view, all of them in `live`. The next view may have been taken before they
    /// joined.
    greeted: HashSet<u64>,
    /// Nodes that were missing in a view, with the round in which they were missing first.
    suspects: HashMap<u64, u64>,
    rounds: u64,
}

impl PeerSet {
    /// Updates the set from the nodes of a view. Returns the number of the round if nodes are missing.
    fn update(&mut self, view: &HashSet<u64>) -> Option<u64> {
        self.suspects.retain(|incarnation, _| !view.contains(incarnation));
        self.gone.retain(|incarnation| view.contains(incarnation));
        let Self { live, gone, greeted, .. } = self;
        let missing: Vec<_> = live.difference(view).filter(|missing| !greeted.contains(*missing)).copied().collect();
        *live = view.difference(gone).copied().chain(greeted.drain()).collect();
        if missing.is_empty() {
            return None;
        }
        self.rounds += 1;
        self.suspects.extend(missing.into_iter().map(|incarnation| (incarnation, self.rounds)));
        Some(self.rounds)
    }

    /// Removes the suspects of a round. Returns whether there was any: a node that has died.
    fn take_dead(&mut self, round: u64) -> bool {
        let before = self.suspects.len();
        self.suspects.retain(|_, missing_since| *missing_since != round);
        self.suspects.len() < before
    }
}

/// A question whose answers are awaited.
#[derive(Debug)]
struct PendingQuestion {
    unanswered: HashSet<u64>,
    answers: Vec<Answer>,
    /// Notified on each change of `unanswered`.
    answered: Arc<Notify>,
}

/// Removes a question on drop, so that a caller that stops waiting leaves nothing behind.
struct QuestionGuard<'a> {
    peers: &'a Peers,
    number: u64,
}

impl QuestionGuard<'_> {
    fn is_answered(&self) -> bool {
        lock(&self.peers.questions).get(&self.number).is_none_or(|question| question.unanswered.is_empty())
    }
}

impl Drop for QuestionGuard<'_> {
    fn drop(&mut self) {
        lock(&self.peers.questions).remove(&self.number);
    }
}
