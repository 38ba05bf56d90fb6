//! The conformance suite of the stores: each test runs on SQLite and on Redis.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that meets the unexpected must fail")]

use agentcore::tokio;
use tests::chat::TempFolder;
use uuid::Uuid;

use super::{ChatStore, Creation, NewMessage, RedisAddress, Room, Store, StoreError, StoreLocation, StoredMessage};

/// Opens the stores of one test, all at one location.
trait TestLocation {
    fn location(&self) -> StoreLocation;

    async fn open(&self) -> Store {
        self.location().open().await.unwrap()
    }

    async fn with_lobby(&self) -> Store {
        let store = self.open().await;
        store.create_room("lobby", "ada", true).await.unwrap();
        store
    }
}

impl TestLocation for TempFolder {
    fn location(&self) -> StoreLocation {
        StoreLocation::Sqlite(self.path().join("chat.db"))
    }
}

impl TestLocation for tests::redis::Redis {
    fn location(&self) -> StoreLocation {
        StoreLocation::Redis(Box::new(RedisAddress::new(&self.url().parse().unwrap(), "test:").unwrap()))
    }
}

/// Declares tests that run on every store.
macro_rules! on_every_store {
    ($(async fn $name:ident($location:ident) $body:block)*) => {$(
        mod $name {
            use super::*;

            async fn run($location: &impl TestLocation) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                run(&TempFolder::new()).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_redis() {
                if let Some(redis) = tests::redis::Redis::start() {
                    run(&redis).await;
                }
            }
        }
    )*};
}

on_every_store! {
    async fn recent_messages_come_oldest_first_and_no_more_than_asked_for(location) {
        let store = location.with_lobby().await;
        for n in 1..=7 {
            append(&*store, "lobby", &format!("line {n}")).await.unwrap();
        }
        assert_eq!(texts(&store.recent_messages("lobby", 3).await.unwrap()), ["line 5", "line 6", "line 7"]);
        assert_eq!(store.recent_messages("lobby", 100).await.unwrap().len(), 7);
        assert_eq!(store.recent_messages("nowhere", 100).await.unwrap(), []);
    }

    async fn messages_after_an_id_are_found_page_by_page(location) {
        let store = location.with_lobby().await;
        store.create_room("other", "ada", true).await.unwrap();
        let first = append(&*store, "lobby", "seen").await.unwrap();
        append(&*store, "other", "elsewhere").await.unwrap();
        for text in ["a", "b", "c"] {
            append(&*store, "lobby", text).await.unwrap();
        }
        let page = store.messages_after("lobby", &first.id, 2).await.unwrap();
        assert_eq!(texts(&page), ["a", "b"]);
        let page = store.messages_after("lobby", &page[1].id, 2).await.unwrap();
        assert_eq!(texts(&page), ["c"]);
        assert_eq!(store.messages_after("lobby", &page[0].id, 2).await.unwrap(), []);
    }

    async fn a_stored_message_is_returned_as_it_will_be_read(location) {
        let store = location.with_lobby().await;
        let stored = append(&*store, "lobby", "hello\u{0} 'wörld'").await.unwrap();
        assert_eq!(Uuid::parse_str(&stored.id).unwrap().get_version_num(), 7);
        assert_eq!(store.recent_messages("lobby", 1).await.unwrap(), [stored]);
    }

    async fn simultaneous_messages_are_all_kept_in_the_order_of_their_ids(location) {
        // Two stores at one location stand for two nodes.
        let nodes = [location.with_lobby().await, location.with_lobby().await];
        let calls: Vec<_> = (0..400)
            .map(|n| {
                let store = nodes[n % 2].clone();
                tokio::spawn(async move { append(&*store, "lobby", &n.to_string()).await.unwrap().id })
            })
            .collect();
        let mut ids = Vec::new();
        for call in calls {
            ids.push(call.await.unwrap());
        }
        ids.sort();
        let read: Vec<String> = nodes[0].recent_messages("lobby", 1000).await.unwrap().into_iter().map(|message| message.id).collect();
        assert_eq!(read, ids);
        ids.dedup();
        assert_eq!(ids.len(), 400);
    }

    async fn everything_is_there_after_a_restart(location) {
        let store = location.with_lobby().await;
        store.create_room("cellar", "ada", false).await.unwrap();
        store.admit("cellar", "bob").await.unwrap();
        let stored = append(&*store, "cellar", "psst").await.unwrap();
        let room = store.room("cellar").await.unwrap();
        drop(store);

        let store = location.open().await;
        assert_eq!(store.room("cellar").await.unwrap(), room);
        assert!(store.may_enter("cellar", "bob").await.unwrap());
        let next = append(&*store, "cellar", "still here").await.unwrap();
        assert!(next.id > stored.id);
        assert_eq!(store.recent_messages("cellar", 10).await.unwrap(), [stored, next]);
    }

    async fn a_room_is_created_once(location) {
        let store = location.open().await;
        let Creation::Created(room) = store.create_room("den", "ada", false).await.unwrap() else { unreachable!() };
        assert_eq!((room.name.as_str(), room.created_by.as_str(), room.is_public), ("den", "ada", false));
        assert_eq!(store.create_room("den", "bob", true).await.unwrap(), Creation::Exists(room.clone()));
        assert_eq!(store.room("den").await.unwrap(), Some(room));
        assert_eq!(store.room("Den").await.unwrap(), None);
    }

    async fn only_its_creator_and_admitted_users_see_and_enter_a_private_room(location) {
        let store = location.with_lobby().await;
        store.create_room("den", "ada", false).await.unwrap();
        assert_eq!(visible(&store, "ada").await, ["den", "lobby"]);
        assert_eq!(visible(&store, "bob").await, ["lobby"]);
        assert!(store.may_enter("den", "ada").await.unwrap());
        assert!(!store.may_enter("den", "bob").await.unwrap());
        assert!(store.may_enter("lobby", "bob").await.unwrap());
        assert!(!store.may_enter("nowhere", "bob").await.unwrap());

        store.admit("den", "bob").await.unwrap();
        store.admit("den", "bob").await.unwrap();
        assert!(store.may_enter("den", "bob").await.unwrap());
        assert_eq!(visible(&store, "bob").await, ["den", "lobby"]);
        assert_eq!(store.visible_rooms("bob", Vec::new(), 1).await.unwrap().len(), 1);
    }

    async fn rooms_that_the_user_is_in_or_may_enter_come_first(location) {
        let store = location.with_lobby().await;
        for name in ["-1", "-2", "-3"] {
            store.create_room(name, "eve", true).await.unwrap();
        }
        store.create_room("zoo", "bob", true).await.unwrap();
        store.create_room("den", "ada", false).await.unwrap();
        store.admit("den", "bob").await.unwrap();
        let joined = || ["lobby", "gone", "lobby"].map(str::to_owned).into();
        let names = async |limit| -> Vec<String> {
            let rooms = store.visible_rooms("bob", joined(), limit).await.unwrap();
            rooms.into_iter().map(|room| room.name).collect()
        };
        assert_eq!(names(100).await, ["lobby", "den", "zoo", "-1", "-2", "-3"]);
        assert_eq!(names(4).await, ["lobby", "den", "zoo", "-1"]);
        assert_eq!(names(0).await, [""; 0]);
    }

    async fn only_public_rooms_without_messages_are_found_and_removed(location) {
        let store = location.with_lobby().await;
        let Creation::Created(empty) = store.create_room("empty", "ada", true).await.unwrap() else { unreachable!() };
        let Creation::Created(den) = store.create_room("den", "ada", false).await.unwrap() else { unreachable!() };
        append(&*store, "lobby", "here").await.unwrap();
        let lobby = store.room("lobby").await.unwrap().unwrap();
        assert_eq!(store.rooms_without_messages("9999").await.unwrap(), std::slice::from_ref(&empty));
        assert_eq!(store.rooms_without_messages(&empty.created_at).await.unwrap(), []);

        assert!(!store.remove_without_messages(&lobby).await.unwrap());
        let earlier = Room { created_at: "2000-01-01T00:00:00.000Z".to_owned(), ..empty.clone() };
        assert!(!store.remove_without_messages(&earlier).await.unwrap(), "another room of the same name");
        assert_eq!(visible(&store, "ada").await, ["den", "empty", "lobby"]);
        for room in [&empty, &den] {
            assert!(store.remove_without_messages(room).await.unwrap());
            assert!(!store.remove_without_messages(room).await.unwrap());
            assert_eq!(store.room(&room.name).await.unwrap(), None);
        }
        assert_eq!(visible(&store, "ada").await, ["lobby"]);
        assert!(matches!(append(&*store, "empty", "lost").await, Err(StoreError::NoSuchRoom(_))));

        // A new room of the name has no admissions of the old one.
        store.create_room("den", "bob", false).await.unwrap();
        assert!(!store.may_enter("den", "ada").await.unwrap());
        assert_eq!(visible(&store, "bob").await, ["den", "lobby"]);
    }

    async fn a_page_is_limited_in_messages_and_in_bytes(location) {
        let store = location.with_lobby().await;
        assert_eq!(store.recent_page("lobby", 10, 10_000).await.unwrap(), []);
        for n in 0..120 {
            append(&*store, "lobby", &format!("line {n}")).await.unwrap();
        }
        let all = store.recent_messages("lobby", 1000).await.unwrap();
        assert_eq!(store.recent_page("lobby", 1000, 1_000_000).await.unwrap(), all);
        assert_eq!(store.recent_page("lobby", 70, 1_000_000).await.unwrap(), all[50..]);
        assert_eq!(store.recent_page("lobby", 1000, 0).await.unwrap(), []);
        // The latest ones are kept. A control character has six bytes in JSON.
        let long = "\u{1}".repeat(1_000);
        for _ in 0..5 {
            append(&*store, "lobby", &long).await.unwrap();
        }
        let page = store.recent_page("lobby", 1000, 20_000).await.unwrap();
        assert_eq!(texts(&page), [&*long; 3]);
    }

    async fn quotes_and_wildcards_in_names_are_data(location) {
        let store = location.with_lobby().await;
        let hostile = ["%", "_____", "'; DROP TABLE messages; --", "lobby' OR '1'='1", "*", ":room"];
        for name in hostile {
            assert_eq!(store.room(name).await.unwrap(), None);
            assert!(!store.may_enter(name, name).await.unwrap());
            store.create_room(name, name, false).await.unwrap();
            append(&*store, name, name).await.unwrap();
        }
        for name in hostile {
            assert_eq!(texts(&store.recent_messages(name, 100).await.unwrap()), [name]);
            assert_eq!(visible(&store, name).await.len(), 2, "{name}: its own room and the lobby");
        }
        assert_eq!(store.messages_after("lobby", "' OR id > '", 100).await.unwrap(), []);
    }

    async fn an_unknown_room_takes_no_messages_and_no_admissions(location) {
        let store = location.with_lobby().await;
        let (lost, kept) = tokio::join!(append(&*store, "nowhere", "lost"), append(&*store, "lobby", "kept"));
        let error = lost.unwrap_err();
        assert!(matches!(&error, StoreError::NoSuchRoom(room) if room == "nowhere"), "{error:?}");
        assert!(!error.is_retryable());
        assert_eq!(store.recent_messages("lobby", 10).await.unwrap(), [kept.unwrap()]);
        assert!(matches!(store.admit("nowhere", "ada").await, Err(StoreError::NoSuchRoom(_))));
    }

    async fn the_latest_name_of_a_user_is_kept(location) {
        let store = location.open().await;
        store.save_user("ada", "Ada").await.unwrap();
        store.save_user("ada", "Ada L.").await.unwrap();
        store.save_user("bob", "Bob").await.unwrap();
        let names = store.usernames(["ada", "nobody", "' OR 1 --"].map(str::to_owned).into()).await.unwrap();
        assert_eq!(names.into_iter().collect::<Vec<_>>(), [("ada".to_owned(), "Ada L.".to_owned())]);
    }
}

pub(super) async fn append(store: &dyn ChatStore, room: &str, text: &str) -> Result<StoredMessage, StoreError> {
    let [room, user_id, username, text] = [room, "ada", "Ada", text].map(str::to_owned);
    store.append_message(NewMessage { room, user_id, username, text }).await
}

async fn visible(store: &Store, user_id: &str) -> Vec<String> {
    store.visible_rooms(user_id, Vec::new(), 100).await.unwrap().into_iter().map(|room| room.name).collect()
}

pub(super) fn texts(messages: &[StoredMessage]) -> Vec<&str> {
    messages.iter().map(|message| message.text.as_str()).collect()
}
