#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that meets the unexpected must fail")]

use std::error::Error as _;

use agentcore::tokio;
use tests::redis::Redis as Server;

use super::{Address, Redis};
use crate::store::tests::{say, texts};
use crate::store::{ChatStore, Creation, Room, StoreError};

#[tokio::test]
async fn the_last_thousand_messages_of_a_room_are_kept() {
    let Some(server) = Server::start() else { return };
    let store = with_lobby(&server).await;
    store.create_room("other", "ada", true).await.unwrap();
    let first = say(&store, "other", "elsewhere").await.unwrap();
    for n in 1..=1003 {
        say(&store, "lobby", &n.to_string()).await.unwrap();
    }
    let kept = store.recent("lobby", 2000).await.unwrap();
    assert_eq!((kept.len(), &*kept.first().unwrap().text, &*kept.last().unwrap().text), (1000, "4", "1003"));
    assert_eq!(store.recent("other", 2000).await.unwrap(), [first]);
    assert_eq!(store.recent("lobby", 0).await.unwrap(), []);
}

#[tokio::test]
async fn a_message_comes_after_one_of_a_node_whose_clock_was_ahead() {
    let Some(server) = Server::start() else { return };
    let store = with_lobby(&server).await;
    let ahead = "7fffffff-ffff-7fff-bfff-0000000009ff";
    let member = format!("{ahead} [\"ada\",\"Ada\",\"from tomorrow\",\"\"]");
    assert_eq!(server.ask(&["ZADD", "test:chat:{room:lobby}:messages", "0", &member]), ":1");
    let said = [say(&store, "lobby", "now").await.unwrap(), say(&store, "lobby", "and now").await.unwrap()];
    assert_eq!(said[0].id, "7fffffff-ffff-7fff-bfff-000000000a00");
    assert_eq!(said[1].id, "7fffffff-ffff-7fff-bfff-000000000a01");
    assert_eq!(store.after("lobby", ahead, 10).await.unwrap(), said);
}

#[tokio::test]
async fn whoever_is_refused_while_redis_hangs_has_stored_nothing() {
    let Some(server) = Server::start() else { return };
    let store = with_lobby(&server).await;
    // From here on Redis knows the scripts: what it finds when it wakes up would run.
    say(&store, "lobby", "before").await.unwrap();
    store.admit("lobby", "ada").await.unwrap();
    server.freeze();
    let (message, room) = tokio::join!(say(&store, "lobby", "lost"), store.create_room("den", "ada", false));
    let (listed, admitted) = tokio::join!(store.visible_rooms("ada", 10), store.admit("lobby", "bob"));
    for error in [message.unwrap_err(), room.unwrap_err(), listed.unwrap_err(), admitted.unwrap_err()] {
        assert!(error.is_retryable(), "{error:?}");
    }
    // It wakes up and finds the calls.
    server.thaw();
    assert_eq!(texts(&[until_stored(&store).await]), ["kept"]);
    assert_eq!(texts(&store.recent("lobby", 10).await.unwrap()), ["before", "kept"]);
    assert_eq!(store.room("den").await.unwrap(), None);
    assert_eq!(server.ask(&["SISMEMBER", "test:chat:{room:lobby}:admitted", "bob"]), ":0");
    assert!(names(&store.visible_rooms("ada", 10).await.unwrap()).eq(["lobby"]));
}

#[tokio::test]
async fn a_redis_that_was_away_is_found_again() {
    let Some(server) = Server::start() else { return };
    let store = with_lobby(&server).await;
    server.kill();
    for _ in 0..3 {
        let error = say(&store, "lobby", "lost").await.unwrap_err();
        assert!(error.is_retryable(), "{error:?}");
    }
    server.revive();
    // It has kept nothing, neither rooms nor scripts.
    let created = tests::wait::soon("a room", async {
        loop {
            match store.create_room("lobby", "ada", true).await {
                Ok(created) => return created,
                Err(error) => assert!(error.is_retryable(), "{error:?}"),
            }
        }
    });
    assert!(matches!(created.await, Creation::Created(_)));
    say(&store, "lobby", "kept").await.unwrap();
}

#[tokio::test]
async fn a_redis_that_is_full_is_a_passing_error() {
    let Some(server) = Server::start() else { return };
    let store = with_lobby(&server).await;
    assert_eq!(server.ask(&["CONFIG", "SET", "maxmemory", "1"]), "+OK");
    let error = say(&store, "lobby", "lost").await.unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
    assert_eq!(server.ask(&["CONFIG", "SET", "maxmemory", "0"]), "+OK");
    say(&store, "lobby", "kept").await.unwrap();
    assert_eq!(texts(&store.recent("lobby", 10).await.unwrap()), ["kept"]);
}

#[tokio::test]
async fn a_list_names_only_rooms_that_are_there_and_can_be_entered() {
    let Some(server) = Server::start() else { return };
    let store = with_lobby(&server).await;
    for n in 0..20 {
        store.create_room(&format!("den {n:02}"), "ada", false).await.unwrap();
        // What an interrupted call leaves behind, and one for a room of others.
        assert_eq!(server.ask(&["ZADD", "test:chat:public", "0", &format!("dead {n}")]), ":1");
        assert!(matches!(store.create_room(&format!("den {n:02}"), "bob", false).await, Ok(Creation::Exists(_))));
    }
    store.admit("den 07", "bob").await.unwrap();
    store.create_room("a", "bob", true).await.unwrap();
    let seen = store.visible_rooms("bob", 3).await.unwrap();
    assert!(names(&seen).eq(["a", "den 07", "lobby"]), "{seen:?}");
    assert_eq!(store.visible_rooms("ada", 22).await.unwrap().len(), 22);
    assert_eq!(store.visible_rooms("ada", 5).await.unwrap().len(), 5);
    assert_eq!(store.visible_rooms("ada", 0).await.unwrap(), []);
}

#[tokio::test]
async fn nothing_is_kept_outside_the_prefix() {
    let Some(server) = Server::start() else { return };
    let store = with_lobby(&server).await;
    for name in ["*", "}:admitted", "a:b", "", "ä\u{0}"] {
        store.create_room(name, name, false).await.unwrap();
        store.admit(name, "bob").await.unwrap();
        store.remember_user(name, name).await.unwrap();
        say(&store, name, "here").await.unwrap();
    }
    let script = "return #redis.call('KEYS', '*') - #redis.call('KEYS', ARGV[1])";
    assert_eq!(server.ask(&["EVAL", script, "0", "test:chat:*"]), ":0");
}

#[tokio::test]
async fn what_cannot_be_opened_is_refused_with_its_place_and_without_its_password() {
    let Some(server) = Server::start() else { return };
    let url = format!("redis://ada:hunter2@127.0.0.1:{}/0", server.port());
    refused(&url, "authentication failed").await;
    assert_eq!(server.ask(&["SET", "test:chat:version", "99"]), "+OK");
    refused(&server.url(), "version 99").await;
    server.kill();
    refused(&server.url(), "refused").await;
}

async fn refused(url: &str, why: &str) {
    let error = Redis::open(&Address::new(&url.parse().unwrap(), "test:").unwrap()).await.unwrap_err();
    let StoreError::Open { place, .. } = &error else { panic!("{error:?}") };
    assert!(place.starts_with("redis://127.0.0.1:") && place.ends_with("/0"), "{place}");
    let cause = error.source().unwrap().to_string();
    assert!(cause.contains(why), "{cause}");
    assert!(!format!("{error} {cause}").contains("hunter2"), "{error} {cause}");
}

async fn with_lobby(server: &Server) -> Redis {
    let store = Redis::open(&Address::new(&server.url().parse().unwrap(), "test:").unwrap()).await.unwrap();
    store.create_room("lobby", "ada", true).await.unwrap();
    store
}

/// Says "kept" until it is stored, which may take some tries while Redis comes back.
async fn until_stored(store: &Redis) -> crate::store::Message {
    tests::wait::soon("a stored message", async {
        loop {
            match say(store, "lobby", "kept").await {
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
