//! Nodes that share a Redis, each behind its own proxy, with clients in groups that send all the time.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use agentcore::backend::RedisBackend;
use agentcore::id::NodeId;
use agentcore::{AgentCore, Settings};
use futures_util::future::join_all;
use tests::http::Answer;
use tests::inside::Inside;
use tests::proxy::Proxy;
use tests::raw::Raw;
use tests::redis::Redis;
use tests::server::settings;
use tests::wait::{until, until_equal};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::application::{Hall, now};
use crate::churn::churn;
use crate::load::Load;
use crate::member::Member;
use crate::oracle::{Verdict, judge};
use crate::record::{Seen, Time};

/// The shortest lease that the settings allow.
pub(crate) const LEASE: Duration = Duration::from_secs(5);
/// Connections that are still allowed when all clients are connected, so that a wrong count shows.
pub(crate) const SPARE: usize = 6;

/// A node in this process.
pub(crate) struct Node {
    /// The proxy between the node and Redis.
    pub(crate) proxy: Proxy,
    /// Where clients connect.
    pub(crate) inside: Inside,
}

/// Redis, the nodes and their clients.
pub(crate) struct Cluster {
    /// The Redis server that joins the nodes.
    pub(crate) redis: Redis,
    /// The nodes in this process.
    pub(crate) nodes: Vec<Node>,
    /// Clients that are connected and in their group.
    pub(crate) members: Vec<Arc<Member>>,
    /// The records of all clients, including those that have left.
    pub(crate) records: Vec<Arc<Seen>>,
    load: Load,
    /// The name of the next node.
    pub(crate) name: Option<NodeId>,
    limit: usize,
    talking: Arc<AtomicBool>,
    /// The sending client of each node and group.
    sources: HashMap<(usize, String), String>,
    senders: Vec<JoinHandle<()>>,
}

impl Cluster {
    /// Two nodes and their clients, all sending; `None` without a `redis-server`.
    pub(crate) async fn talking(load: Load) -> Option<Self> {
        Some(Self::talking_over(Redis::start()?, load).await)
    }

    /// The same over a given server.
    pub(crate) async fn talking_over(redis: Redis, load: Load) -> Self {
        let mut cluster = Self::over(redis, 2, load, 0).await;
        cluster.talk();
        cluster.hears_all_since(now()).await;
        cluster
    }

    /// Nodes and their clients, before any client sends.
    pub(crate) async fn silent(nodes: usize, load: Load) -> Option<Self> {
        Self::sparing(nodes, load, 0).await
    }

    /// The same with room for `more` connections.
    pub(crate) async fn sparing(nodes: usize, load: Load, more: usize) -> Option<Self> {
        Some(Self::over(Redis::start()?, nodes, load, more).await)
    }

    async fn over(redis: Redis, nodes: usize, load: Load, more: usize) -> Self {
        let mut cluster = Self::empty(redis, load.clients + more + SPARE, load);
        for _ in 0..nodes {
            cluster.add_node().await;
        }
        cluster.fill(load.clients).await;
        cluster
    }

    /// A cluster without nodes, with a limit on connections.
    fn empty(redis: Redis, limit: usize, load: Load) -> Self {
        let (nodes, members, records, sources, senders) = Default::default();
        Self { redis, nodes, members, records, load, name: None, limit, talking: Arc::default(), sources, senders }
    }

    /// The settings of all nodes.
    pub(crate) fn settings(&self) -> Settings {
        let mut settings = settings();
        settings.workers = 1;
        settings.node_lease = LEASE;
        settings.redis_registry_expiry = Duration::from_secs(60);
        settings.redis_group_expiry = Duration::from_secs(60);
        settings.max_total_connections = self.limit;
        settings
    }

    /// Starts another node.
    pub(crate) async fn add_node(&mut self) {
        let proxy = Proxy::to(self.redis.port());
        let mut settings = self.settings();
        settings.server_instance_id = self.name.clone();
        settings.redis_url = proxy.url().parse().expect("a URL");
        let backend = RedisBackend::new(&settings).expect("a backend");
        let inside = Inside::of(AgentCore::new(settings).backend(backend).consumer::<Hall>()).await;
        self.nodes.push(Node { proxy, inside });
    }

    /// Connects clients to the nodes in turn, each in its group.
    pub(crate) async fn fill(&mut self, count: usize) {
        let nodes = self.nodes.len();
        for first in (0..count).step_by(100) {
            let joining = (first..count.min(first + 100)).map(|number| {
                let (node, group) = (number % nodes, self.load.group_of(number / nodes));
                let stream = Box::new(self.nodes[node].inside.reach(None));
                async move {
                    let member = Member::over(stream, &format!("u{number}"), node).await.expect("it is let in");
                    member.join(&group).await;
                    Arc::new(member)
                }
            });
            for member in join_all(joining).await {
                self.add(member);
            }
        }
    }

    /// Adds a client to the records.
    pub(crate) fn add(&mut self, member: Arc<Member>) {
        self.records.push(member.seen.clone());
        self.members.push(member);
    }

    /// Connects a client to a node in this process.
    pub(crate) async fn connect(&self, node: usize, name: &str) -> Result<Member, Answer> {
        Member::over(Box::new(self.nodes[node].inside.reach(None)), name, node).await
    }

    /// Makes the first client of each group on each node send from now on; those that already send go on.
    pub(crate) fn talk(&mut self) {
        self.talking.store(true, Ordering::Relaxed);
        for member in self.members.iter().filter(|member| member.seen.is_open()) {
            let Some(group) = member.is_in() else { continue };
            if let Entry::Vacant(source) = self.sources.entry((member.seen.node, group.clone())) {
                source.insert(member.seen.name.clone());
                self.senders.push(self.load.send(member.clone(), group, self.talking.clone()));
            }
        }
    }

    /// Makes clients that do not send change their groups until nobody sends any more.
    pub(crate) fn churn(&mut self) {
        let talkers: HashSet<_> = self.sources.values().collect();
        let quiet = self.members.iter().filter(|member| !talkers.contains(&member.seen.name)).cloned().collect();
        self.senders.push(tokio::spawn(churn(quiet, self.load, self.talking.clone())));
    }

    /// Waits until no client sends any more.
    pub(crate) async fn hush(&mut self) {
        self.talking.store(false, Ordering::Relaxed);
        for sender in self.senders.drain(..) {
            sender.await.expect("a sender does not panic");
        }
    }

    /// Waits until every node has renewed its lease, and so has a current view of the cluster. The nodes run no other
    /// scripts meanwhile.
    pub(crate) async fn leases_are_renewed(&self) {
        join_all(self.nodes.iter().map(|node| node.proxy.next_script())).await;
        for Node { inside, .. } in &self.nodes {
            // The answer follows that of the renewal on the same connection.
            inside.manager.online_count().await.expect("a count");
        }
    }

    /// Waits until every client has received a message from every sender of its group after `since`; clients that joined
    /// later are left out.
    pub(crate) async fn hears_all_since(&self, since: Time) -> Duration {
        let began = Instant::now();
        until("everybody hears everybody", async || {
            sleep(Duration::from_millis(20)).await;
            let open = || self.members.iter().filter(|member| member.seen.is_open());
            let mut sources = HashMap::<String, usize>::new();
            for member in open() {
                for group in member.spoken() {
                    *sources.entry(group).or_default() += 1;
                }
            }
            open().all(|member| {
                let log = member.seen.log();
                let fresh = |group: &str| {
                    log.heard.iter().filter(|((_, at), heard)| at == group && heard.last_at > since).count()
                };
                let mut here = log.stays.iter().filter(|stay| stay.to.is_none() && stay.from <= since);
                here.all(|stay| fresh(&stay.group) >= sources.get(&stay.group).copied().unwrap_or(0))
            })
        })
        .await;
        began.elapsed()
    }

    /// Ends the test: messages flow again, every missing message was signalled, the counts are correct, the limit is
    /// met exactly, and after all nodes have stopped Redis is as empty as before.
    pub(crate) async fn ends_well(&mut self, healed: Time) -> Verdict {
        let heard = self.hears_all_since(healed).await;
        let (verdict, counted) = (self.verdict(healed).await, self.counts_are_true().await);
        verdict.must_be_clean();
        self.limit_is_exact().await;
        self.stops_without_a_trace().await;
        let Verdict { arrived, missed, signal, local, .. } = verdict;
        let test = std::thread::current().name().unwrap_or_default().to_owned();
        crate::say(&format!(
            "{test}: {arrived} arrived, {missed} missed and signalled at most {signal:?} after healing; all heard after \
             {heard:?}, counts right after {counted:?} more; own messages took {local:?} at most",
        ));
        verdict
    }

    /// Returns the oracle's verdict when no client sends and nothing is in flight.
    pub(crate) async fn verdict(&mut self, healed: Time) -> Verdict {
        self.hush().await;
        let own = "senders have heard themselves";
        until(own, async || {
            sleep(Duration::from_millis(20)).await;
            self.members.iter().filter(|member| member.seen.is_open()).all(|member| {
                let log = member.seen.log();
                log.heard
                    .iter()
                    .filter(|((from, _), _)| *from == member.seen.name)
                    .all(|((_, group), heard)| heard.sent.len() as u64 == member.said(group))
            })
        })
        .await;
        let end = Instant::now() + tests::wait::PATIENCE;
        loop {
            let verdict = judge(&self.records, healed);
            if verdict.complaints.is_empty() || Instant::now() > end {
                return verdict;
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until every node reports the correct counts.
    pub(crate) async fn counts_are_true(&self) -> Duration {
        let began = Instant::now();
        let open: Vec<_> = self.members.iter().filter(|member| member.seen.is_open()).collect();
        let mut groups = BTreeMap::<String, usize>::new();
        for number in 0..self.load.groups {
            groups.insert(self.load.group_of(number), 0);
        }
        for stay in open.iter().flat_map(|member| member.seen.log().stays.clone()).filter(|stay| stay.to.is_none()) {
            *groups.entry(stay.group).or_default() += 1;
        }
        for Node { inside, .. } in &self.nodes {
            let manager = &inside.manager;
            until_equal("users online", open.len(), async || manager.online_count().await.expect("a count")).await;
            for (group, count) in &groups {
                let ask = async || manager.group_count(&**group).await.expect("a count");
                until_equal(group, *count, ask).await;
            }
        }
        began.elapsed()
    }

    /// Waits until exactly the expected number of connections is free.
    pub(crate) async fn limit_is_exact(&self) {
        let free = self.limit - self.members.iter().filter(|member| member.seen.is_open()).count();
        let mut more = Vec::new();
        until("all that is free is given", async || {
            // For a lease after a loss, no node knows the counts of the others, and each admits fewer than there may be.
            let admitted = self.connect(more.len() % self.nodes.len(), &format!("late{}", more.len())).await;
            more.extend(admitted.ok());
            more.len() == free
        })
        .await;
        for node in 0..self.nodes.len() {
            let refused = self.connect(node, "too_late").await.expect_err("the limit is exceeded");
            assert_eq!(refused.json()["error"]["code"], "LIMIT_EXCEEDED", "{refused:?}");
        }
        for member in &more {
            member.close().await;
        }
    }

    /// Stops all nodes; their keys are gone then, and were all under their prefix.
    pub(crate) async fn stops_without_a_trace(&mut self) {
        self.keys_are_ours();
        for member in &self.members {
            member.seen.log().may_end = true;
        }
        join_all(self.nodes.iter().map(|node| node.inside.manager.shutdown())).await;
        assert_eq!(self.redis.keys(), Vec::<String>::new(), "keys are left");
    }

    /// Returns whether all keys begin with the prefix.
    pub(crate) fn keys_are_ours(&self) {
        let keys = self.redis.keys();
        assert!(keys.iter().all(|key| key.starts_with("ws:")), "{keys:?}");
    }

    /// Returns how many connections to Redis a node has lost.
    pub(crate) async fn connections_lost(&self, node: usize) -> u64 {
        let mut raw = Raw::over(self.nodes[node].inside.reach(None));
        let page = raw.answer(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.body;
        let series = r#"agentcore_backend_events_total{event="connection_lost"} "#;
        let value = page.lines().find_map(|line| line.strip_prefix(series)).unwrap_or_else(|| panic!("{page}"));
        value.parse().expect("a number")
    }

    /// Returns the number of resyncs with a reason; `None`: with any reason.
    pub(crate) fn resyncs(&self, reason: Option<&str>) -> usize {
        let count = |seen: &Arc<Seen>| {
            seen.log().resyncs.iter().filter(|resync| reason.is_none_or(|reason| resync.reason == reason)).count()
        };
        self.records.iter().map(count).sum()
    }
}
