//! Model checks of directory and shard: every interleaving that the checker tries ends consistent and in order.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

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

const ROUNDS: usize = 2_000;

struct Model {
    registry: ConnectionRegistry,
    group: GroupName,
}

impl Model {
    fn new(shards: u16) -> Arc<Self> {
        let outbox = OutboxLimits { max_bytes: 1 << 20, write_timeout: Duration::from_secs(1) };
        let settings = ShardSettings { outbox, heartbeat: None };
        // No thread owns these shards, so every command goes through the queues, as between workers.
        let shards = (0..shards).map(|index| Shard::new(index, None, false, settings)).collect();
        let group = GroupName::new("lobby").unwrap();
        Arc::new(Self { registry: ConnectionRegistry::new(1, shards), group })
    }

    fn connect(&self, shard: u16) -> (Arc<Connection>, mpsc::Receiver<Vec<Bytes>>) {
        let (sender, written) = mpsc::channel(1);
        let id = self.registry.next_id();
        let shard = self.registry.shard(shard).unwrap();
        let access = Access::new(Identity::new(UserId::new("alice").unwrap()), None);
        let connection = shard.open(id, access, Codec::Json, Sink::Stream(sender), Meter::alone());
        self.registry.register(&connection);
        (connection, written)
    }

    fn submit(&self, shard: u16, command: Command) {
        self.registry.shard(shard).unwrap().try_submit(command).unwrap();
    }

    /// What the manager does, in its order.
    fn join(&self, connection: &Connection) {
        connection.with_groups(|groups| {
            if groups.is_empty() {
                groups.push(Membership { group: self.group.clone(), present: false });
                self.registry.directory().add(
                    &self.group,
                    connection.shard().index(),
                    &mut Some(GroupPermit::uncounted()),
                );
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
            let body = Arc::new(EncodedMessage::raw(text.as_bytes()));
            self.submit(shard, Command::Send(Target::Group(self.group.clone()), body, Except::default(), None));
        }
    }

    fn turn(&self) {
        for shard in self.registry.shards() {
            shard.turn();
        }
    }
}

fn received(written: &mut mpsc::Receiver<Vec<Bytes>>, model: &Model, connection: &Connection) -> String {
    let mut text = String::new();
    model.turn();
    while let Ok(portion) = written.try_recv() {
        for chunk in portion {
            text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
        connection.written(Ok(()));
        model.turn();
    }
    text
}

fn check(model: impl Fn() + Send + Sync + 'static) {
    shuttle::check_random(model, ROUNDS);
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
        // Another task of the same user: a join and a leave of one connection race.
        let (other, first) = (model.clone(), connections.first().unwrap().clone());
        threads.push(thread::spawn(move || other.leave(&first)));
        let writer = model.clone();
        threads.push(thread::spawn(move || writer.turn()));
        threads.into_iter().for_each(|thread| thread.join().unwrap());

        model.turn();
        let members = model.registry.members(&model.group);
        assert_eq!(model.registry.directory().count(&model.group), members.len());
        for connection in &connections {
            let is_member = members.iter().any(|member| member.id() == connection.id());
            assert_eq!(connection.is_in("lobby"), is_member);
        }
    });
}

#[test]
fn what_one_sender_does_reaches_a_member_in_order() {
    check(|| {
        let model = Model::new(1);
        let (member, mut written) = model.connect(0);
        let sender = {
            let (model, member) = (model.clone(), member.clone());
            thread::spawn(move || {
                model.send("lost;");
                model.join(&member);
                model.send("a;");
                model.submit(0, Command::SendFrame(member.slot(), Bytes::from_static(b"b;"), Overflow::Disconnect));
                model.send("c;");
                model.send("d;");
                model.leave(&member);
                model.send("lost;");
                model.submit(0, Command::SendFrame(member.slot(), Bytes::from_static(b"e;"), Overflow::Disconnect));
            })
        };
        let writer = {
            let model = model.clone();
            thread::spawn(move || {
                for _ in 0..3 {
                    model.turn();
                    thread::yield_now();
                }
            })
        };
        sender.join().unwrap();
        writer.join().unwrap();
        assert_eq!(received(&mut written, &model, &member), "a;b;c;d;e;");
    });
}

#[test]
fn a_message_sent_after_a_join_has_returned_arrives() {
    check(|| {
        let model = Model::new(2);
        let (early, mut to_early) = model.connect(0);
        let (late, mut to_late) = model.connect(1);
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
        assert_eq!(received(&mut to_late, &model, &late), "after;");
        let heard = received(&mut to_early, &model, &early);
        assert!(heard.is_empty() || heard == "after;");
    });
}
