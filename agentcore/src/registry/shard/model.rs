//! Model checks of the directory and the shards: in every interleaving that the checker tries, both end up consistent
//! and messages keep their order.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use shuttle::thread;
use tokio::sync::mpsc;

use super::{Command, OutboxLimits, Shard, ShardSettings, Sink, Target};
use crate::auth::{Access, Identity};
use crate::id::{GroupName, UserId};
use crate::message::{Codec, EncodedMessage, Except, Overflow};
use crate::metrics::Meter;
use crate::registry::{Connection, ConnectionRegistry, GroupPermit, Membership};

/// Number of interleavings that a check tries.
const INTERLEAVINGS: usize = 2_000;

/// A registry, and the group that its connections join and leave.
struct Model {
    registry: ConnectionRegistry,
    group: GroupName,
}

impl Model {
    fn new(shards: u16) -> Arc<Self> {
        let outbox = OutboxLimits { max_bytes: 1 << 20, write_timeout: Duration::from_secs(1) };
        let settings = ShardSettings { outbox, heartbeat: None };
        // No thread owns these shards, so every command goes through the queues, as it does between workers.
        let shards = (0..shards).map(|index| Shard::new(index, None, false, settings)).collect();
        let group = GroupName::new("lobby").unwrap();
        Arc::new(Self { registry: ConnectionRegistry::new(1, shards), group })
    }

    fn connect(&self, shard: u16) -> (Arc<Connection>, mpsc::Receiver<Vec<Bytes>>) {
        let (sender, portions) = mpsc::channel(1);
        let id = self.registry.next_id();
        let shard = self.registry.shard(shard).unwrap();
        let access = Access::new(Identity::new(UserId::new("alice").unwrap()), None);
        let connection = Connection::open(id, access, Codec::Json, shard, Sink::Stream(sender), Meter::detached());
        self.registry.register(&connection);
        (connection, portions)
    }

    fn submit(&self, shard: u16, command: Command) {
        self.registry.shard(shard).unwrap().try_submit(command).unwrap();
    }

    /// Takes the same steps as the connection manager, in the same order.
    fn join(&self, connection: &Connection) {
        connection.with_groups(|groups| {
            if groups.is_empty() {
                groups.push(Membership { group: self.group.clone(), present: false });
                let permit = &mut Some(GroupPermit::new(()));
                self.registry.directory().add(&self.group, connection.shard().index(), permit);
                thread::yield_now();
                self.submit(connection.shard().index(), Command::Join(connection.slot(), self.group.clone()));
            }
        });
    }

    fn leave(&self, connection: &Connection) {
        connection.with_groups(|groups| {
            if groups.pop().is_some() {
                self.registry.directory().remove(&self.group, connection.shard().index());
                thread::yield_now();
                self.submit(connection.shard().index(), Command::Leave(connection.slot(), self.group.clone()));
            }
        });
    }

    fn send(&self, text: &'static str) {
        for shard in self.registry.directory().shards(&self.group) {
            thread::yield_now();
            let message = Arc::new(EncodedMessage::raw(text.as_bytes()));
            self.submit(shard, Command::Send(Target::Group(self.group.clone()), message, Except::default(), None));
        }
    }

    fn send_frame(&self, connection: &Connection, text: &'static str) {
        let frame = Bytes::from_static(text.as_bytes());
        let command = Command::SendFrame(connection.slot(), frame, Overflow::Disconnect);
        self.submit(connection.shard().index(), command);
    }

    fn run_shards_once(&self) {
        for shard in self.registry.shards() {
            shard.run_once();
        }
    }

    /// Everything that is written to a connection.
    fn written(&self, portions: &mut mpsc::Receiver<Vec<Bytes>>, connection: &Connection) -> String {
        let mut text = String::new();
        self.run_shards_once();
        while let Ok(portion) = portions.try_recv() {
            for chunk in portion {
                text.push_str(std::str::from_utf8(&chunk).unwrap());
            }
            connection.written(Ok(()));
            self.run_shards_once();
        }
        text
    }
}

fn check(model: impl Fn() + Send + Sync + 'static) {
    shuttle::check_random(model, INTERLEAVINGS);
}

#[test]
fn directory_and_shards_agree_after_any_joins_and_leaves() {
    check(|| {
        let model = Model::new(2);
        let connections: Vec<_> = [0, 0, 1].map(|shard| model.connect(shard).0).into();
        let mut threads: Vec<_> = connections
            .iter()
            .map(|connection| {
                let (model, connection) = (model.clone(), connection.clone());
                thread::spawn(move || {
                    model.join(&connection);
                    model.leave(&connection);
                    model.join(&connection);
                })
            })
            .collect();
        // Another task of the same user, so that a join and a leave of one connection race.
        let (other, first) = (model.clone(), connections.first().unwrap().clone());
        threads.push(thread::spawn(move || other.leave(&first)));
        let writer = model.clone();
        threads.push(thread::spawn(move || writer.run_shards_once()));
        threads.into_iter().for_each(|thread| thread.join().unwrap());

        model.run_shards_once();
        let members = model.registry.members(&model.group);
        assert_eq!(model.registry.directory().count(&model.group), members.len());
        for connection in &connections {
            let is_member = members.iter().any(|member| member.id() == connection.id());
            assert_eq!(connection.is_in("lobby"), is_member);
        }
    });
}

#[test]
fn a_member_receives_what_one_sender_sends_in_order() {
    check(|| {
        let model = Model::new(1);
        let (member, mut portions) = model.connect(0);
        let sender = {
            let (model, member) = (model.clone(), member.clone());
            thread::spawn(move || {
                model.send("before join;");
                model.join(&member);
                model.send("a;");
                model.send_frame(&member, "b;");
                model.send("c;");
                model.send("d;");
                model.leave(&member);
                model.send("after leave;");
                model.send_frame(&member, "e;");
            })
        };
        let writer = {
            let model = model.clone();
            thread::spawn(move || {
                for _ in 0..3 {
                    model.run_shards_once();
                    thread::yield_now();
                }
            })
        };
        sender.join().unwrap();
        writer.join().unwrap();
        assert_eq!(model.written(&mut portions, &member), "a;b;c;d;e;");
    });
}

#[test]
fn a_message_sent_after_a_join_has_returned_arrives() {
    check(|| {
        let model = Model::new(2);
        let (early, mut early_portions) = model.connect(0);
        let (late, mut late_portions) = model.connect(1);
        model.join(&early);
        let joining = {
            let (model, late) = (model.clone(), late.clone());
            thread::spawn(move || {
                model.join(&late);
                model.send("after;");
            })
        };
        let leaving = {
            let (model, early) = (model.clone(), early.clone());
            thread::spawn(move || model.leave(&early))
        };
        joining.join().unwrap();
        leaving.join().unwrap();
        assert_eq!(model.written(&mut late_portions, &late), "after;");
        let early_text = model.written(&mut early_portions, &early);
        assert!(early_text.is_empty() || early_text == "after;");
    });
}
