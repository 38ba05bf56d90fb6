//! What every store must do: one suite, run in a file of SQLite and in Redis.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that meets the unexpected must fail")]

use agentcore::tokio;
use tests::chat::Folder;
use uuid::Uuid;

use super::redis::Address;
use super::{ChatStore, Creation, Draft, Message, Place, Store, StoreError};

/// A place for the stores of one test.
trait Ground {
    fn place(&self) -> Place;

    async fn open(&self) -> Store {
        self.place().open().await.unwrap()
    }

    async fn with_lobby(&self) -> Store {
        let store = self.open().await;
        store.create_room("lobby", "ada", true).await.unwrap();
        store
    }
}

impl Ground for Folder {
    fn place(&self) -> Place {
        Place::Sqlite(self.path().join("chat.db"))
    }
}

impl Ground for tests::redis::Redis {
    fn place(&self) -> Place {
        Place::Redis(Box::new(Address::new(&self.url().parse().unwrap(), "test:").unwrap()))
    }
}

/// Declares tests that run in every place.
macro_rules! in_every_place {
    ($(async fn $name:ident($place:ident) $body:block)*) => {$(
        mod $name {
            use super::*;

            async fn run($place: &impl Ground) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn in_sqlite() {
                run(&Folder::new()).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn in_redis() {
                if let Some(redis) = tests::redis::Redis::start() {
                    run(&redis).await;
                }
            }
        }
    )*};
}

in_every_place! {
    async fn recent_messages_come_oldest_first_and_no_more_than_asked_for(place) {
        let store = place.with_lobby().await;
        for n in 1..=7 {
            say(&*store, "lobby", &format!("line {n}")).await.unwrap();
        }
        assert_eq!(texts(&store.recent("lobby", 3).await.unwrap()), ["line 5", "line 6", "line 7"]);
        assert_eq!(store.recent("lobby", 100).await.unwrap().len(), 7);
        assert_eq!(store.recent("nowhere", 100).await.unwrap(), []);
    }

    async fn what_came_after_a_message_is_found_page_by_page(place) {
        let store = place.with_lobby().await;
        store.create_room("other", "ada", true).await.unwrap();
        let first = say(&*store, "lobby", "seen").await.unwrap();
        say(&*store, "other", "elsewhere").await.unwrap();
        for text in ["a", "b", "c"] {
            say(&*store, "lobby", text).await.unwrap();
        }
        let page = store.after("lobby", &first.id, 2).await.unwrap();
        assert_eq!(texts(&page), ["a", "b"]);
        let page = store.after("lobby", &page[1].id, 2).await.unwrap();
        assert_eq!(texts(&page), ["c"]);
        assert_eq!(store.after("lobby", &page[0].id, 2).await.unwrap(), []);
    }

    async fn a_stored_message_is_returned_as_it_will_be_read(place) {
        let store = place.with_lobby().await;
        let stored = say(&*store, "lobby", "hello\u{0} 'wörld'").await.unwrap();
        assert_eq!(Uuid::parse_str(&stored.id).unwrap().get_version_num(), 7);
        assert_eq!(store.recent("lobby", 1).await.unwrap(), [stored]);
    }

    async fn simultaneous_messages_are_all_kept_in_the_order_of_their_ids(place) {
        // Two stores in one place are two nodes.
        let nodes = [place.with_lobby().await, place.with_lobby().await];
        let calls: Vec<_> = (0..400)
            .map(|n| {
                let store = nodes[n % 2].clone();
                tokio::spawn(async move { say(&*store, "lobby", &n.to_string()).await.unwrap().id })
            })
            .collect();
        let mut ids = Vec::new();
        for call in calls {
            ids.push(call.await.unwrap());
        }
        ids.sort();
        let read: Vec<String> = nodes[0].recent("lobby", 1000).await.unwrap().into_iter().map(|said| said.id).collect();
        assert_eq!(read, ids);
        ids.dedup();
        assert_eq!(ids.len(), 400);
    }

    async fn everything_is_there_after_a_restart(place) {
        let store = place.with_lobby().await;
        store.create_room("cellar", "ada", false).await.unwrap();
        store.admit("cellar", "bob").await.unwrap();
        let said = say(&*store, "cellar", "psst").await.unwrap();
        let room = store.room("cellar").await.unwrap();
        drop(store);

        let store = place.open().await;
        assert_eq!(store.room("cellar").await.unwrap(), room);
        assert!(store.may_enter("cellar", "bob").await.unwrap());
        let next = say(&*store, "cellar", "still here").await.unwrap();
        assert!(next.id > said.id);
        assert_eq!(store.recent("cellar", 10).await.unwrap(), [said, next]);
    }

    async fn a_room_is_created_once(place) {
        let store = place.open().await;
        let Creation::Created(room) = store.create_room("den", "ada", false).await.unwrap() else { unreachable!() };
        assert_eq!((room.name.as_str(), room.created_by.as_str(), room.is_public), ("den", "ada", false));
        assert_eq!(store.create_room("den", "bob", true).await.unwrap(), Creation::Exists(room.clone()));
        assert_eq!(store.room("den").await.unwrap(), Some(room));
        assert_eq!(store.room("Den").await.unwrap(), None);
    }

    async fn a_private_room_is_seen_and_entered_by_its_creator_and_the_admitted(place) {
        let store = place.with_lobby().await;
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
        assert_eq!(store.visible_rooms("bob", 1).await.unwrap().len(), 1);
    }

    async fn quotes_and_wildcards_in_names_are_data(place) {
        let store = place.with_lobby().await;
        let hostile = ["%", "_____", "'; DROP TABLE messages; --", "lobby' OR '1'='1", "*", ":room"];
        for name in hostile {
            assert_eq!(store.room(name).await.unwrap(), None);
            assert!(!store.may_enter(name, name).await.unwrap());
            store.create_room(name, name, false).await.unwrap();
            say(&*store, name, name).await.unwrap();
        }
        for name in hostile {
            assert_eq!(texts(&store.recent(name, 100).await.unwrap()), [name]);
            assert_eq!(visible(&store, name).await.len(), 2, "{name}: its own and the lobby");
        }
        assert_eq!(store.after("lobby", "' OR id > '", 100).await.unwrap(), []);
    }

    async fn a_room_that_was_never_created_takes_no_messages_and_no_members(place) {
        let store = place.with_lobby().await;
        let (lost, kept) = tokio::join!(say(&*store, "nowhere", "lost"), say(&*store, "lobby", "kept"));
        let error = lost.unwrap_err();
        assert!(matches!(&error, StoreError::NoSuchRoom(room) if room == "nowhere"), "{error:?}");
        assert!(!error.is_retryable());
        assert_eq!(store.recent("lobby", 10).await.unwrap(), [kept.unwrap()]);
        assert!(matches!(store.admit("nowhere", "ada").await, Err(StoreError::NoSuchRoom(_))));
    }

    async fn the_name_a_user_came_with_last_is_kept(place) {
        let store = place.open().await;
        store.remember_user("ada", "Ada").await.unwrap();
        store.remember_user("ada", "Ada L.").await.unwrap();
        store.remember_user("bob", "Bob").await.unwrap();
        let names = store.usernames(["ada", "nobody", "' OR 1 --"].map(str::to_owned).into()).await.unwrap();
        assert_eq!(names.into_iter().collect::<Vec<_>>(), [("ada".to_owned(), "Ada L.".to_owned())]);
    }
}

pub(super) async fn say(store: &dyn ChatStore, room: &str, text: &str) -> Result<Message, StoreError> {
    let [room, user_id, username, text] = [room, "ada", "Ada", text].map(str::to_owned);
    store.append(Draft { room, user_id, username, text }).await
}

async fn visible(store: &Store, user_id: &str) -> Vec<String> {
    store.visible_rooms(user_id, 100).await.unwrap().into_iter().map(|room| room.name).collect()
}

pub(super) fn texts(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.text.as_str()).collect()
}
