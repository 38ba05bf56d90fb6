#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected must fail")]

use std::{
    error::Error as _,
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use agentcore::tokio;
use rusqlite::Connection;
use tests::chat::Folder;

use super::Sqlite;
use crate::store::ChatStore;
use crate::store::tests::{say, texts};

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
async fn a_full_disk_refuses_every_message_of_the_batch_and_recovers() {
    let folder = Folder::new();
    let store = with_lobby(&file(&folder)).await;
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
    let store = with_lobby(&file(&folder)).await;
    let other = Connection::open(file(&folder)).unwrap();
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
    let missing = format!("{}/missing/chat.db", folder.path().display());
    refused(&missing, "unable to open").await;

    let text = file(&folder);
    fs::write(&text, "This is a text and no database. ".repeat(100)).unwrap();
    refused(&text, "not a database").await;

    let other = format!("{}/other.db", folder.path().display());
    let db = Connection::open(&other).unwrap();
    db.execute_batch("CREATE TABLE books (title TEXT)").unwrap();
    refused(&other, "not one of the chat").await;
    db.pragma_update(None, "user_version", 99).unwrap();
    refused(&other, "version 99").await;
}

#[tokio::test]
async fn a_damaged_database_is_refused() {
    let folder = Folder::new();
    let store = with_lobby(&file(&folder)).await;
    for _ in 0..50 {
        say(&store, "lobby", &"x".repeat(1000)).await.unwrap();
    }
    let copy = format!("{}/damaged.db", folder.path().display());
    Connection::open(file(&folder)).unwrap().execute("VACUUM INTO ?1", [&copy]).unwrap();
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
        let path: Arc<str> = file(&folder).into();
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

async fn limit_pages(store: &Sqlite, pages: u32) {
    // SQLite does not go below the present size of the file.
    store.write(move |db| Ok(db.pragma_update(None, "max_page_count", pages)?)).await.unwrap();
}

fn file(folder: &Folder) -> String {
    folder.path().join("chat.db").display().to_string()
}
