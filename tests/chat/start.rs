//! The welcome, the handshake, and the start of the program.

use std::process::{Command, Stdio};

use serde_json::json;
use tests::chat::{ChatClient, ChatServer, TempFolder, program, set_environment};
use tests::redis::{Redis, free_port};

use crate::is_timestamp;

#[tokio::test]
async fn the_welcome_names_the_user() {
    let chat = ChatServer::start();
    let alice = ChatClient::connect(&chat, "Alice_B-2.c").await;
    assert_eq!(alice.welcome["user_id"], "Alice_B-2.c");
    assert_eq!(alice.welcome["username"], "Alice_B-2.c");
    assert!(alice.welcome["message"].is_string());
    assert!(is_timestamp(&alice.welcome["timestamp"]), "{}", alice.welcome);
}

#[tokio::test]
async fn a_ping_is_answered_with_its_ref() {
    let chat = ChatServer::start();
    let mut alice = ChatClient::connect(&chat, "alice").await;
    alice.send_text(r#"{"type":"ping","ref":7}"#).await;
    assert_eq!(alice.next().await, json!({ "type": "pong", "ref": 7 }));
    alice.send_text(r#"{"type":"ping","data":{}}"#).await;
    assert_eq!(alice.next().await, json!({ "type": "pong" }));
}

#[tokio::test]
async fn an_invalid_user_id_is_refused_before_the_upgrade() {
    let chat = ChatServer::start();
    let (too_long, longest) = ("x".repeat(65), "x".repeat(64));
    for bad in
        ["a%20b", "a:b", "a%2Fb", "%C3%A4lice", "a%0A", "a%00", "%E2%80%AEa", "a@b", ".", "..", "%2E%2E", &too_long]
    {
        let answer = chat.request_upgrade(&format!("/ws/{bad}")).await;
        assert_eq!(answer.status, 400, "{bad}: {answer:?}");
        let error = &answer.json()["error"];
        assert_eq!(error["code"], "VALIDATION_FAILED", "{bad}: {error}");
        assert_eq!(error["details"]["errors"][0]["field"], "user_id", "{bad}: {error}");
    }
    for good in ["a", "A.b_c-9", &longest] {
        assert_eq!(chat.request_upgrade(&format!("/ws/{good}")).await.status, 101, "{good}");
    }
}

#[test]
fn a_store_that_cannot_be_opened_stops_the_start() {
    let folder = TempFolder::new();
    let missing = folder.path().join("missing").join("chat.db");
    let text = folder.path().join("text.db");
    std::fs::write(&text, "This is a text and no database. ".repeat(100)).unwrap();
    for path in [&missing, &text] {
        let mut command = Command::new(program());
        set_environment(&mut command, folder.path(), 0);
        let ended = command.env("CHAT_DB", path).stdout(Stdio::piped()).output().unwrap();
        assert_eq!(ended.status.code(), Some(2), "{ended:?}");
        let stderr = String::from_utf8(ended.stderr).unwrap();
        assert!(stderr.contains("cannot open the chat store") && stderr.contains(path.to_str().unwrap()), "{stderr}");
        assert_eq!(stderr.trim_end().lines().count(), 1, "{stderr}");
        assert_eq!(ended.stdout, b"", "the chat must not listen");
    }
}

#[test]
fn a_redis_backend_with_a_store_in_memory_stops_the_start() {
    let folder = TempFolder::new();
    let mut command = Command::new(program());
    set_environment(&mut command, folder.path(), 0);
    command.env("BACKEND_TYPE", "redis").env("CHAT_DB", ":memory:");
    let ended = command.stdout(Stdio::piped()).output().unwrap();
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert!(stderr.contains("CHAT_DB=\":memory:\": must be a file that all nodes share"), "{stderr}");
    assert_eq!(stderr.trim_end().lines().count(), 2, "{stderr}");
    assert_eq!(ended.stdout, b"", "the chat must not listen");
}

#[test]
fn an_unreachable_redis_stops_the_start_without_showing_its_password() {
    let folder = TempFolder::new();
    let mut command = Command::new(program());
    set_environment(&mut command, folder.path(), 0);
    let port = free_port();
    command.env("CHAT_STORE", "redis").env("REDIS_URL", format!("redis://:hunter2@127.0.0.1:{port}/3"));
    let ended = command.stdout(Stdio::piped()).output().unwrap();
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    let stderr = String::from_utf8(ended.stderr).unwrap();
    let message = format!("cannot open the chat store `redis://127.0.0.1:{port}/3`");
    assert!(stderr.contains(&message) && !stderr.contains("hunter2"), "{stderr}");
    assert_eq!(stderr.matches("Connection refused").count(), 1, "{stderr}");
    assert_eq!(stderr.trim_end().lines().count(), 1, "{stderr}");
    assert_eq!(ended.stdout, b"", "the chat must not listen");
}

#[test]
fn a_redis_that_cannot_be_used_stops_the_start_and_says_why() {
    let port = free_port().to_string();
    let Some(cluster) = Redis::with(&["--cluster-enabled", "yes", "--cluster-port", &port]) else { return };
    let Some(redis) = Redis::start() else { return };
    redis.does::<()>(&["ACL", "SETUSER", "mute", "on", ">hunter2", "~*", "&*", "+@all", "-publish"]);
    let mute = format!("redis://mute:hunter2@127.0.0.1:{}/0", redis.port());
    for (variable, url, reason) in [
        ("CHAT_STORE", cluster.url(), "Redis Cluster and Sentinel are not supported"),
        ("BACKEND_TYPE", cluster.url(), "Redis Cluster and Sentinel are not supported"),
        ("BACKEND_TYPE", mute, "publish"),
    ] {
        let folder = TempFolder::new();
        let mut command = Command::new(program());
        set_environment(&mut command, folder.path(), 0);
        let ended = command.env(variable, "redis").env("REDIS_URL", url).stdout(Stdio::piped()).output().unwrap();
        assert_eq!(ended.status.code(), Some(2), "{ended:?}");
        let stderr = String::from_utf8(ended.stderr).unwrap();
        assert!(stderr.contains(reason) && !stderr.contains("hunter2"), "{stderr}");
        assert_eq!(ended.stdout, b"", "the chat must not listen");
    }
}

#[test]
fn the_start_warns_of_the_open_mode() {
    let chat = ChatServer::start();
    let mut command = Command::new(program());
    let folder = TempFolder::new();
    // The port is taken, so this process ends by itself.
    set_environment(&mut command, folder.path(), chat.port());
    let ended = command.env("LOG_LEVEL", "INFO").output().unwrap();
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert!(stderr.contains("open mode"), "{stderr}");
    assert!(stderr.contains("the port is taken"), "{stderr}");
}

#[test]
fn invalid_settings_are_listed_and_secrets_are_not_shown() {
    let folder = TempFolder::new();
    let mut command = Command::new(program());
    set_environment(&mut command, folder.path(), 0);
    // The chat reads the same file as the framework.
    std::fs::write(folder.path().join(".env"), "CHAT_RATE_SECONDS=soon\nCHAT_DEMO_TOKENS=perhaps\n").unwrap();
    command.env("CHAT_RATE_MESSAGES", "0").env("CHAT_SECRET", "hunter2").env("CHAT_PUBLISH_KEY", "hunter2");
    let ended = command.stdout(Stdio::piped()).output().unwrap();
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    let stderr = String::from_utf8(ended.stderr).unwrap();
    for line in [
        "CHAT_RATE_MESSAGES=\"0\": must be ",
        "CHAT_RATE_SECONDS=\"soon\": must be ",
        "CHAT_SECRET",
        "CHAT_PUBLISH_KEY=\"..\": must be 32 or more visible ASCII characters",
        "CHAT_DEMO_TOKENS=\"perhaps\": must be one of: true, false, 1, 0",
    ] {
        assert!(stderr.contains(line), "{line}: {stderr}");
    }
    assert!(!stderr.contains("hunter2"), "{stderr}");
    assert_eq!(ended.stdout, b"", "the chat must not listen");
}

#[test]
fn white_space_around_a_secret_stops_the_start_with_the_reason() {
    let folder = TempFolder::new();
    let mut command = Command::new(program());
    set_environment(&mut command, folder.path(), 0);
    let secret = "correct horse battery staple, 2 of them";
    command.env("CHAT_SECRET", format!("{secret}\n")).env("CHAT_PUBLISH_KEY", format!(" {}", "k".repeat(32)));
    let ended = command.stdout(Stdio::piped()).output().unwrap();
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    let stderr = String::from_utf8(ended.stderr).unwrap();
    for name in ["CHAT_SECRET", "CHAT_PUBLISH_KEY"] {
        assert!(stderr.contains(&format!("{name}=\"..\": must be without white space")), "{stderr}");
    }
    assert!(!stderr.contains(secret) && !stderr.contains("kkk"), "{stderr}");
}

#[test]
fn a_second_process_on_one_file_says_that_users_do_not_reach_each_other() {
    let chat = ChatServer::start();
    let start_second = |folder: &std::path::Path| {
        let mut command = Command::new(program());
        // The port is taken, so this process ends by itself.
        set_environment(&mut command, folder, chat.port());
        let ended = command.env("LOG_LEVEL", "WARN").output().unwrap();
        let stderr = String::from_utf8(ended.stderr).unwrap();
        stderr.lines().filter(|line| line.contains("BACKEND_TYPE=redis")).map(str::to_owned).collect::<Vec<_>>()
    };
    let warnings = start_second(chat.folder());
    assert!(matches!(&*warnings, [warning] if warning.contains("WARN") && warning.contains("chat.db")), "{warnings:?}");
    let other = TempFolder::new();
    for _ in 0..2 {
        // The first of these has ended.
        assert_eq!(start_second(other.path()), [""; 0]);
    }
}

#[tokio::test]
async fn a_message_has_at_most_64_kib_unless_a_setting_says_otherwise() {
    let message = |length| json!({ "type": "ping", "padding": "x".repeat(length) }).to_string();
    let chat = ChatServer::start();
    let mut alice = ChatClient::connect(&chat, "alice").await;
    alice.send_text(message(60 * 1024)).await;
    assert_ne!(alice.next().await, json!(null));
    alice.send_text(message(64 * 1024)).await;
    assert_eq!(alice.close_code().await, 1009);

    let chat = ChatServer::with(&[("WS_MAX_MESSAGE_SIZE", "100000")]);
    let mut alice = ChatClient::connect(&chat, "alice").await;
    alice.send_text(message(64 * 1024)).await;
    assert_ne!(alice.next().await, json!(null));
}

#[test]
fn the_start_warns_of_demo_tokens() {
    let chat = ChatServer::start();
    let secret = "correct horse battery staple, 2 of them";
    for (settings, warning) in [
        (&[("CHAT_SECRET", secret), ("CHAT_DEMO_TOKENS", "1")][..], Some("/api/token gives anyone a token")),
        (&[("CHAT_SECRET", secret)], None),
        (&[("CHAT_DEMO_TOKENS", "1")], Some("has no effect without CHAT_SECRET")),
    ] {
        let folder = TempFolder::new();
        let mut command = Command::new(program());
        set_environment(&mut command, folder.path(), chat.port());
        let ended = command.envs(settings.iter().copied()).env("LOG_LEVEL", "WARN").output().unwrap();
        let stderr = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(stderr.contains("CHAT_DEMO_TOKENS"), warning.is_some(), "{stderr}");
        assert!(warning.is_none_or(|warning| stderr.contains(warning)), "{stderr}");
        assert!(!stderr.contains(secret), "{stderr}");
    }
}
