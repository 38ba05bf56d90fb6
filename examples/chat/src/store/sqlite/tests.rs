#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that meets the unexpected must fail")]

use std::{
    error::Error as _,
    fs,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use agentcore::tokio;
use rusqlite::Connection;
use uuid::Uuid;

use super::Sqlite;
use crate::store::{ChatStore, Creation, Draft, Message, StoreError};

#[tokio::test]
async fn recent_messages_come_oldest_first_and_no_more_than_asked_for() {
    let store = with_lobby(":memory:").await;
    for n in 1..=7 {
        say(&store, "lobby", &format!("line {n}")).await.unwrap();
    }
    assert_eq!(texts(&store.recent("lobby", 3).await.unwrap()), ["line 5", "line 6", "line 7"]);
    assert_eq!(store.recent("lobby", 100).await.unwrap().len(), 7);
    assert_eq!(store.recent("nowhere", 100).await.unwrap(), []);
}

#[tokio::test]
async fn what_came_after_a_message_is_found_page_by_page() {
    let store = with_lobby(":memory:").await;
    store.create_room("other", "ada", true).await.unwrap();
    let first = say(&store, "lobby", "seen").await.unwrap();
    say(&store, "other", "elsewhere").await.unwrap();
    for text in ["a", "b", "c"] {
        say(&store, "lobby", text).await.unwrap();
    }
    let page = store.after("lobby", &first.id, 2).await.unwrap();
    assert_eq!(texts(&page), ["a", "b"]);
    let page = store.after("lobby", &page[1].id, 2).await.unwrap();
    assert_eq!(texts(&page), ["c"]);
    assert_eq!(store.after("lobby", &page[0].id, 2).await.unwrap(), []);
}

#[tokio::test]
async fn a_stored_message_is_returned_as_it_will_be_read() {
    let store = with_lobby(":memory:").await;
    let stored = say(&store, "lobby", "hello\u{0} 'wörld'").await.unwrap();
    assert_eq!(Uuid::parse_str(&stored.id).unwrap().get_version_num(), 7);
    assert_eq!(store.recent("lobby", 1).await.unwrap(), [stored]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn simultaneous_messages_are_all_kept_in_the_order_of_their_ids() {
    let folder = Folder::new();
    // Two stores on one file are two nodes of one machine.
    let nodes = [with_lobby(&folder.file()).await, with_lobby(&folder.file()).await];
    let calls: Vec<_> = (0..400)
        .map(|n| {
            let store = nodes[n % 2].clone();
            tokio::spawn(async move { say(&store, "lobby", &n.to_string()).await.unwrap().id })
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

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let folder = Folder::new();
    let store = with_lobby(&folder.file()).await;
    store.create_room("cellar", "ada", false).await.unwrap();
    store.admit("cellar", "bob").await.unwrap();
    let said = say(&store, "cellar", "psst").await.unwrap();
    let room = store.room("cellar").await.unwrap();
    drop(store);

    let store = Sqlite::open(folder.file()).await.unwrap();
    assert_eq!(store.room("cellar").await.unwrap(), room);
    assert!(store.may_enter("cellar", "bob").await.unwrap());
    let next = say(&store, "cellar", "still here").await.unwrap();
    assert!(next.id > said.id);
    assert_eq!(store.recent("cellar", 10).await.unwrap(), [said, next]);
}

#[tokio::test]
async fn a_message_comes_after_one_of_a_node_whose_clock_was_ahead() {
    let store = with_lobby(":memory:").await;
    let early = say(&store, "lobby", "from tomorrow").await.unwrap().id;
    let ahead = "7fffffff-ffff-7fff-bfff-000000000000";
    store.write(move |db| Ok(db.execute("UPDATE messages SET id = ?1 WHERE id = ?2", [ahead, &early])?)).await.unwrap();
    let said = say(&store, "lobby", "now").await.unwrap();
    assert_eq!(store.after("lobby", ahead, 10).await.unwrap(), [said]);
}

#[tokio::test]
async fn a_room_is_created_once() {
    let store = Sqlite::open(":memory:").await.unwrap();
    let Creation::Created(room) = store.create_room("den", "ada", false).await.unwrap() else { unreachable!() };
    assert_eq!((room.name.as_str(), room.created_by.as_str(), room.is_public), ("den", "ada", false));
    assert_eq!(store.create_room("den", "bob", true).await.unwrap(), Creation::Exists(room.clone()));
    assert_eq!(store.room("den").await.unwrap(), Some(room));
    assert_eq!(store.room("Den").await.unwrap(), None);
}

#[tokio::test]
async fn a_private_room_is_seen_and_entered_by_its_creator_and_the_admitted() {
    let store = with_lobby(":memory:").await;
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

#[tokio::test]
async fn quotes_and_wildcards_in_names_are_data() {
    let store = with_lobby(":memory:").await;
    let hostile = ["%", "_____", "'; DROP TABLE messages; --", "lobby' OR '1'='1", "*", ":room"];
    for name in hostile {
        assert_eq!(store.room(name).await.unwrap(), None);
        assert!(!store.may_enter(name, name).await.unwrap());
        store.create_room(name, name, false).await.unwrap();
        say(&store, name, name).await.unwrap();
    }
    for name in hostile {
        assert_eq!(texts(&store.recent(name, 100).await.unwrap()), [name]);
        assert_eq!(visible(&store, name).await.len(), 2, "{name}: its own and the lobby");
    }
    assert_eq!(store.after("lobby", "' OR id > '", 100).await.unwrap(), []);
}

#[tokio::test]
async fn a_room_that_was_never_created_takes_no_messages_and_no_members() {
    let store = with_lobby(":memory:").await;
    let (lost, kept) = tokio::join!(say(&store, "nowhere", "lost"), say(&store, "lobby", "kept"));
    let error = lost.unwrap_err();
    assert!(matches!(&error, StoreError::NoSuchRoom(room) if room == "nowhere"), "{error:?}");
    assert!(!error.is_retryable());
    assert_eq!(store.recent("lobby", 10).await.unwrap(), [kept.unwrap()]);
    assert!(matches!(store.admit("nowhere", "ada").await, Err(StoreError::NoSuchRoom(_))));
}

#[tokio::test]
async fn the_name_a_user_came_with_last_is_kept() {
    let store = Sqlite::open(":memory:").await.unwrap();
    store.remember_user("ada", "Ada").await.unwrap();
    store.remember_user("ada", "Ada L.").await.unwrap();
    store.remember_user("bob", "Bob").await.unwrap();
    let names = store.usernames(["ada", "nobody", "' OR 1 --"].map(str::to_owned).into()).await.unwrap();
    assert_eq!(names.into_iter().collect::<Vec<_>>(), [("ada".to_owned(), "Ada L.".to_owned())]);
}

#[tokio::test]
async fn a_full_disk_refuses_every_message_of_the_batch_and_recovers() {
    let folder = Folder::new();
    let store = with_lobby(&folder.file()).await;
    let kept = say(&store, "lobby", "kept").await.unwrap();
    limit_pages(&store, 1).await;
    let large = "x".repeat(200_000);
    // While the writer is held up both wait, and then get into one transaction.
    let held = store.write(|_| {
        std::thread::sleep(Duration::from_millis(20));
        Ok(())
    });
    let (_, small, large) = tokio::join!(held, say(&store, "lobby", "small"), say(&store, "lobby", &large));
    let error = large.unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
    let mut expected = vec![kept];
    // On a slow machine the first may be in a transaction of its own; what was confirmed is what is there.
    expected.extend(small.ok());
    assert_eq!(store.recent("lobby", 10).await.unwrap(), expected);

    limit_pages(&store, u32::MAX - 1).await;
    expected.push(say(&store, "lobby", "room again").await.unwrap());
    assert_eq!(store.recent("lobby", 10).await.unwrap(), expected);
}

#[tokio::test]
async fn a_locked_database_is_a_passing_error() {
    let folder = Folder::new();
    let store = with_lobby(&folder.file()).await;
    let other = Connection::open(folder.file()).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let begun = Instant::now();
    let calls = (0..50).map(|_| {
        tokio::spawn({
            let store = store.clone();
            async move { say(&store, "lobby", "now?").await }
        })
    });
    for call in calls.collect::<Vec<_>>() {
        let error = call.await.unwrap().unwrap_err();
        assert!(error.is_retryable(), "{error:?}");
    }
    // Those who wait share the timeouts of 2 s: the first may have one to itself, the rest have the next.
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    other.execute_batch("ROLLBACK").unwrap();
    say(&store, "lobby", "now!").await.unwrap();
    assert_eq!(texts(&store.recent("lobby", 10).await.unwrap()), ["now!"]);
}

#[tokio::test]
async fn what_cannot_be_opened_is_refused_with_its_path() {
    let folder = Folder::new();
    let missing = format!("{}/missing/chat.db", folder.0.display());
    refused(&missing, "unable to open").await;

    let text = folder.file();
    fs::write(&text, "This is a text and no database. ".repeat(100)).unwrap();
    refused(&text, "not a database").await;

    let other = format!("{}/other.db", folder.0.display());
    let db = Connection::open(&other).unwrap();
    db.execute_batch("CREATE TABLE books (title TEXT)").unwrap();
    refused(&other, "not one of the chat").await;
    db.pragma_update(None, "user_version", 99).unwrap();
    refused(&other, "version 99").await;
}

#[tokio::test]
async fn a_damaged_database_is_refused() {
    let folder = Folder::new();
    let store = with_lobby(&folder.file()).await;
    for _ in 0..50 {
        say(&store, "lobby", &"x".repeat(1000)).await.unwrap();
    }
    let copy = format!("{}/damaged.db", folder.0.display());
    Connection::open(folder.file()).unwrap().execute("VACUUM INTO ?1", [&copy]).unwrap();
    let mut bytes = fs::read(&copy).unwrap();
    for byte in bytes.iter_mut().skip(20_000).take(10_000) {
        *byte = 0xA5;
    }
    fs::write(&copy, bytes).unwrap();
    refused(&copy, "damaged").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_start_together_on_a_new_file_all_start() {
    for _ in 0..60 {
        let folder = Folder::new();
        let path: Arc<str> = folder.file().into();
        let nodes: Vec<_> = (0..8)
            .map(|_| {
                tokio::spawn({
                    let path = path.clone();
                    async move { with_lobby(&path).await }
                })
            })
            .collect();
        for node in nodes {
            say(&node.await.unwrap(), "lobby", "up").await.unwrap();
        }
    }
}

async fn refused(path: &str, why: &str) {
    let error = Sqlite::open(path).await.unwrap_err();
    assert!(error.to_string().contains(path), "{error}");
    let cause = error.source().unwrap().to_string();
    assert!(cause.contains(why), "{cause}");
}

async fn with_lobby(path: &str) -> Sqlite {
    let store = Sqlite::open(path).await.unwrap();
    store.create_room("lobby", "ada", true).await.unwrap();
    store
}

async fn say(store: &Sqlite, room: &str, text: &str) -> Result<Message, StoreError> {
    let [room, user_id, username, text] = [room, "ada", "Ada", text].map(str::to_owned);
    store.append(Draft { room, user_id, username, text }).await
}

async fn visible(store: &Sqlite, user_id: &str) -> Vec<String> {
    store.visible_rooms(user_id, 100).await.unwrap().into_iter().map(|room| room.name).collect()
}

async fn limit_pages(store: &Sqlite, pages: u32) {
    // SQLite does not go below the present size of the file.
    store.write(move |db| Ok(db.pragma_update(None, "max_page_count", pages)?)).await.unwrap();
}

fn texts(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.text.as_str()).collect()
}

/// A folder for the files of one test, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("chat-store-{}", Uuid::now_v7()));
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    fn file(&self) -> String {
        self.0.join("chat.db").display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}
