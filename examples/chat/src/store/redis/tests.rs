#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that meets the unexpected must fail")]

use std::error::Error as _;

use agentcore::tokio;
use tests::redis::Redis as Server;

use super::{RedisAddress, RedisStore};
use crate::store::tests::{append, texts};
use crate::store::{ChatStore, Creation, Room, StoreError, StoredMessage};

#[tokio::test]
async fn the_last_thousand_messages_of_a_room_are_kept() {
    let Some(server) = Server::start() else { return };
    let store = with_lobby(&server).await;
    store.create_room("other", "ada", true).await.unwrap();
    let first = append(&store, "other", "elsewhere").await.unwrap();
    for n in 1..=1003 {
        append(&store, "lobby", &n.to_string()).await.unwrap();
    }
    let kept = store.recent_messages("lobby", 2000).await.unwrap();
    assert_eq!((kept.len(), &*kept.first().unwrap().text, &*kept.last().unwrap().text), (1000, "4", "1003"));
    assert_eq!(store.recent_messages("other", 2000).await.unwrap(), [first]);
    assert_eq!(store.recent_messages("lobby", 0).await.unwrap(), []);
}

#[tokio::test]
async fn a_message_sorts_after_an_older_one_of_a_node_whose_clock_is_ahead() {
    let Some(server) = Server::start() else { return };
    let store = with_lobby(&server).await;
    let ahead = "7fffffff-ffff-7fff-bfff-0000000009ff";
    let member = format!("{ahead} [\"ada\",\"Ada\",\"from tomorrow\",\"\"]");
    assert_eq!(server.ask(&["ZADD", "test:chat:{room:lobby}:messages", "0", &member]), ":1");
    let stored = [append(&store, "lobby", "now").await.unwrap(), append(&store, "lobby", "and now").await.unwrap()];
    assert_eq!(stored[0].id, "7fffffff-ffff-7fff-bfff-000000000a00");
    assert_eq!(stored[1].id, "7fffffff-ffff-7fff-bfff-000000000a01");
    assert_eq!(store.messages_after("lobby", ahead, 10).await.unwrap(), stored);
}

#[tokio::test]
async fn a_call_that_fails_while_redis_hangs_stores_nothing() {
    let Some(server) = Server::start() else { return };
    let store = with_lobby(&server).await;
    // Redis has the scripts from here on, so it could run the calls that it finds when it continues.
    append(&store, "lobby", "before").await.unwrap();
    store.admit("lobby", "ada").await.unwrap();
    server.freeze();
    let (message, room) = tokio::join!(append(&store, "lobby", "lost"), store.create_room("den", "ada", false));
    let (listed, admitted) = tokio::join!(store.visible_rooms("ada", Vec::new(), 10), store.admit("lobby", "bob"));
    for error in [message.unwrap_err(), room.unwrap_err(), listed.unwrap_err(), admitted.unwrap_err()] {
        assert!(error.is_retryable(), "{error:?}");
    }
    // Redis continues and finds the calls.
    server.thaw();
    assert_eq!(texts(&[until_stored(&store).await]), ["kept"]);
    assert_eq!(texts(&store.recent_messages("lobby", 10).await.unwrap()), ["before", "kept"]);
    assert_eq!(store.room("den").await.unwrap(), None);
    assert_eq!(server.ask(&["SISMEMBER", "test:chat:{room:lobby}:admitted", "bob"]), ":0");
    assert!(names(&store.visible_rooms("ada", Vec::new(), 10).await.unwrap()).eq(["lobby"]));
}

#[tokio::test]
async fn the_store_reconnects_to_a_redis_that_restarts() {
    let Some(server) = Server::start() else { return };
    let store = with_lobby(&server).await;
    server.kill();
    for _ in 0..3 {
        let error = append(&store, "lobby", "lost").await.unwrap_err();
        assert!(error.is_retryable(), "{error:?}");
    }
    server.revive();
    // It has lost its data, including the scripts.
    let created = tests::wait::soon("a room", async {
        loop {
            match store.create_room("lobby", "ada", true).await {
                Ok(created) => return created,
                Err(error) => assert!(error.is_retryable(), "{error:?}"),
            }
        }
    });
    assert!(matches!(created.await, Creation::Created(_)));
    append(&store, "lobby", "kept").await.unwrap();
}

/// No call was made while Redis was away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_call_after_redis_is_back_succeeds() {
    let Some(server) = Server::start() else { return };
    let store = with_lobby(&server).await;
    for n in 0..5 {
        server.kill();
        server.revive();
        let created = store.create_room(&format!("room {n}"), "ada", true).await;
        assert!(matches!(created, Ok(Creation::Created(_))), "{created:?}");
    }
}

#[tokio::test]
async fn the_trial_of_all_commands_leaves_no_key() {
    let Some(server) = Server::start() else { return };
    RedisStore::open(&RedisAddress::new(&server.url().parse().unwrap(), "test:").unwrap()).await.unwrap();
    assert_eq!(server.keys(), ["test:chat:version"]);
}

#[tokio::test]
async fn a_full_redis_is_a_retryable_error() {
    let Some(server) = Server::start() else { return };
    let store = with_lobby(&server).await;
    assert_eq!(server.ask(&["CONFIG", "SET", "maxmemory", "1"]), "+OK");
    let error = append(&store, "lobby", "lost").await.unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
    assert_eq!(server.ask(&["CONFIG", "SET", "maxmemory", "0"]), "+OK");
    append(&store, "lobby", "kept").await.unwrap();
    assert_eq!(texts(&store.recent_messages("lobby", 10).await.unwrap()), ["kept"]);
}

#[tokio::test]
async fn a_list_has_only_rooms_that_exist_and_can_be_entered() {
    let Some(server) = Server::start() else { return };
    let store = with_lobby(&server).await;
    for n in 0..20 {
        store.create_room(&format!("den {n:02}"), "ada", false).await.unwrap();
        // The rest of an interrupted call, and a call for a room that another user has created.
        assert_eq!(server.ask(&["ZADD", "test:chat:public", "0", &format!("dead {n}")]), ":1");
        assert!(matches!(store.create_room(&format!("den {n:02}"), "bob", false).await, Ok(Creation::Exists(_))));
    }
    store.admit("den 07", "bob").await.unwrap();
    store.create_room("a", "bob", true).await.unwrap();
    let seen = store.visible_rooms("bob", Vec::new(), 3).await.unwrap();
    assert!(names(&seen).eq(["a", "den 07", "lobby"]), "{seen:?}");
    assert_eq!(store.visible_rooms("ada", Vec::new(), 22).await.unwrap().len(), 22);
    assert_eq!(store.visible_rooms("ada", Vec::new(), 5).await.unwrap().len(), 5);
    assert_eq!(store.visible_rooms("ada", Vec::new(), 0).await.unwrap(), []);
}

#[tokio::test]
async fn every_key_has_the_prefix() {
    let Some(server) = Server::start() else { return };
    let store = with_lobby(&server).await;
    for name in ["*", "}:admitted", "a:b", "", "ä\u{0}"] {
        store.create_room(name, name, false).await.unwrap();
        store.admit(name, "bob").await.unwrap();
        store.save_user(name, name).await.unwrap();
        append(&store, name, "here").await.unwrap();
    }
    let script = "return #redis.call('KEYS', '*') - #redis.call('KEYS', ARGV[1])";
    assert_eq!(server.ask(&["EVAL", script, "0", "test:chat:*"]), ":0");
}

#[tokio::test]
async fn a_server_that_cannot_be_used_is_refused_with_its_address_and_without_its_password() {
    let Some(server) = Server::start() else { return };
    let url = format!("redis://ada:hunter2@127.0.0.1:{}/0", server.port());
    assert_refused(&url, "invalid username-password pair").await;
    assert_eq!(server.ask(&["SET", "test:chat:version", "99"]), "+OK");
    assert_refused(&server.url(), "version 99").await;
    assert_eq!(server.ask(&["DEL", "test:chat:version"]), ":1");
    for right in ["zadd", "zrangebylex", "zremrangebyrank", "sadd", "sismember", "hset", "hmget", "evalsha", "time"] {
        assert_eq!(
            server.ask(&["ACL", "SETUSER", "eve", "reset", "on", ">hunter2", "~*", "+@all", &format!("-{right}")]),
            "+OK"
        );
        let url = format!("redis://eve:hunter2@127.0.0.1:{}/0", server.port());
        assert_refused(&url, "").await;
    }
    server.kill();
    assert_refused(&server.url(), "refused").await;
}

async fn assert_refused(url: &str, reason: &str) {
    let error = RedisStore::open(&RedisAddress::new(&url.parse().unwrap(), "test:").unwrap()).await.unwrap_err();
    let StoreError::Open { location, .. } = &error else { panic!("{error:?}") };
    assert!(location.starts_with("redis://127.0.0.1:") && location.ends_with("/0"), "{location}");
    let cause = error.source().unwrap().to_string();
    assert!(cause.contains(reason), "{cause}");
    assert!(!format!("{error} {cause}").contains("hunter2"), "{error} {cause}");
}

async fn with_lobby(server: &Server) -> RedisStore {
    let store = RedisStore::open(&RedisAddress::new(&server.url().parse().unwrap(), "test:").unwrap()).await.unwrap();
    store.create_room("lobby", "ada", true).await.unwrap();
    store
}

/// Appends "kept" until it is stored, which may take several attempts while Redis continues.
async fn until_stored(store: &RedisStore) -> StoredMessage {
    tests::wait::soon("a stored message", async {
        loop {
            match append(store, "lobby", "kept").await {
                Ok(message) => return message,
                Err(error) => assert!(error.is_retryable(), "{error:?}"),
            }
        }
    })
    .await
}

fn names(rooms: &[Room]) -> impl Iterator<Item = &str> {
    rooms.iter().map(|room| &*room.name)
}
