#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that meets the unexpected must fail")]

use std::error::Error as _;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use agentcore::{Supervisor, tokio};
use rusqlite::Connection;
use tests::chat::TempFolder;

use super::SqliteStore;
use crate::store::ChatStore;
use crate::store::tests::{append, texts};

#[tokio::test]
async fn a_message_sorts_after_an_older_one_of_a_node_whose_clock_is_ahead() {
    let store = with_lobby(":memory:").await;
    let early = append(&store, "lobby", "from tomorrow").await.unwrap().id;
    let ahead = "7fffffff-ffff-7fff-bfff-000000000000";
    store.write(move |db| Ok(db.execute("UPDATE messages SET id = ?1 WHERE id = ?2", [ahead, &early])?)).await.unwrap();
    let stored = append(&store, "lobby", "now").await.unwrap();
    assert_eq!(store.messages_after("lobby", ahead, 10).await.unwrap(), [stored]);
}

#[tokio::test]
async fn a_full_disk_fails_every_message_of_the_batch_and_recovers() {
    let folder = TempFolder::new();
    let store = with_lobby(&file(&folder)).await;
    let kept = append(&store, "lobby", "kept").await.unwrap();
    limit_pages(&store, 1).await;
    let large = "x".repeat(200_000);
    // Both writes wait while the writer is blocked, and then share a transaction.
    let ((blocks, mut is_blocked), (release, released)) = (tokio::sync::mpsc::channel(1), std::sync::mpsc::channel());
    let blocked = store.write(move |_| {
        let _ = blocks.try_send(());
        // Ends when the sender is dropped.
        let _ = released.recv();
        Ok(())
    });
    let queued = async {
        is_blocked.recv().await.unwrap();
        let releasing = async { drop::<std::sync::mpsc::Sender<()>>(release) };
        tokio::join!(biased; append(&store, "lobby", "small"), append(&store, "lobby", &large), releasing)
    };
    let (_, (small, large, ())) = tokio::join!(blocked, queued);
    let error = large.unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
    let mut expected = vec![kept];
    // On a slow machine the small one may have a transaction of its own: exactly the confirmed messages are stored.
    expected.extend(small.ok());
    assert_eq!(store.recent_messages("lobby", 10).await.unwrap(), expected);

    limit_pages(&store, u32::MAX - 1).await;
    expected.push(append(&store, "lobby", "room again").await.unwrap());
    assert_eq!(store.recent_messages("lobby", 10).await.unwrap(), expected);
}

#[tokio::test]
async fn a_locked_database_is_a_retryable_error() {
    let folder = TempFolder::new();
    let store = with_lobby(&file(&folder)).await;
    let other = Connection::open(file(&folder)).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let begun = Instant::now();
    let calls = (0..50).map(|_| {
        tokio::spawn({
            let store = store.clone();
            async move { append(&store, "lobby", "now?").await }
        })
    });
    for call in calls.collect::<Vec<_>>() {
        let error = call.await.unwrap().unwrap_err();
        assert!(error.is_retryable(), "{error:?}");
    }
    // The calls share timeouts of 2 s: the first may wait for one alone, the rest wait for the next.
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    other.execute_batch("ROLLBACK").unwrap();
    append(&store, "lobby", "now!").await.unwrap();
    assert_eq!(texts(&store.recent_messages("lobby", 10).await.unwrap()), ["now!"]);
}

#[tokio::test]
async fn a_panic_in_the_writing_thread_fails_one_call_and_is_reported() {
    let folder = TempFolder::new();
    for path in [":memory:".to_owned(), file(&folder)] {
        let store = with_lobby(&path).await;
        let supervisor = Supervisor::new();
        store.supervise(&supervisor);
        assert!(supervisor.is_healthy());
        let failed = store.write::<()>(|db| {
            db.execute("DELETE FROM rooms", []).unwrap();
            panic!("a mistake in a statement")
        });
        let error = failed.await.unwrap_err();
        assert!(error.is_retryable(), "{error:?}");
        append(&store, "lobby", "the next message").await.unwrap();
        assert_eq!(texts(&store.recent_messages("lobby", 10).await.unwrap()), ["the next message"]);
        let restarts = async || supervisor.restarts().into_iter().map(|(_, count)| count).sum::<u64>();
        tests::wait::until_equal("panics", 1, restarts).await;
        assert!(!supervisor.is_healthy());
    }
}

#[tokio::test]
async fn a_panic_in_a_reading_thread_fails_one_call() {
    let folder = TempFolder::new();
    let store = with_lobby(&file(&folder)).await;
    let failed = store.read::<()>(|_| panic!("a mistake in a query"));
    assert!(failed.await.unwrap_err().is_retryable());
    assert!(store.room("lobby").await.unwrap().is_some());
}

#[tokio::test]
async fn a_file_that_cannot_be_opened_is_refused_with_its_path() {
    let folder = TempFolder::new();
    let missing = format!("{}/missing/chat.db", folder.path().display());
    assert_refused(&missing, "unable to open").await;

    let text = file(&folder);
    fs::write(&text, "This is a text and no database. ".repeat(100)).unwrap();
    assert_refused(&text, "not a database").await;

    let other = format!("{}/other.db", folder.path().display());
    let db = Connection::open(&other).unwrap();
    db.execute_batch("CREATE TABLE books (title TEXT)").unwrap();
    assert_refused(&other, "not one of the chat").await;
    db.pragma_update(None, "user_version", 99).unwrap();
    assert_refused(&other, "version 99").await;
}

#[tokio::test]
async fn a_damaged_database_is_refused() {
    let folder = TempFolder::new();
    let store = with_lobby(&file(&folder)).await;
    for _ in 0..50 {
        append(&store, "lobby", &"x".repeat(1000)).await.unwrap();
    }
    let copy = format!("{}/damaged.db", folder.path().display());
    Connection::open(file(&folder)).unwrap().execute("VACUUM INTO ?1", [&copy]).unwrap();
    let mut bytes = fs::read(&copy).unwrap();
    for byte in bytes.iter_mut().skip(20_000).take(10_000) {
        *byte = 0xA5;
    }
    fs::write(&copy, bytes).unwrap();
    assert_refused(&copy, "damaged").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_start_at_once_on_a_new_file_all_start() {
    for _ in 0..60 {
        let folder = TempFolder::new();
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
            append(&node.await.unwrap(), "lobby", "up").await.unwrap();
        }
    }
}

async fn assert_refused(path: &str, reason: &str) {
    let error = SqliteStore::open(path).await.unwrap_err();
    assert!(error.to_string().contains(path), "{error}");
    let cause = error.source().unwrap().to_string();
    assert!(cause.contains(reason), "{cause}");
}

async fn with_lobby(path: &str) -> SqliteStore {
    let store = SqliteStore::open(path).await.unwrap();
    store.create_room("lobby", "ada", true).await.unwrap();
    store
}

async fn limit_pages(store: &SqliteStore, pages: u32) {
    // SQLite does not set a limit below the present size of the file.
    store.write(move |db| Ok(db.pragma_update(None, "max_page_count", pages)?)).await.unwrap();
}

fn file(folder: &TempFolder) -> String {
    folder.path().join("chat.db").display().to_string()
}
