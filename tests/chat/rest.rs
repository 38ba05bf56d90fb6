//! HTTP routes: history, status, and the page's files.

use serde_json::json;
use tests::chat::{ChatClient, ChatServer};

#[tokio::test]
async fn history_can_be_read_over_http() {
    let chat = ChatServer::start();
    let mut alice = ChatClient::connect_and_join(&chat, "alice", "tea room").await;
    let mut posted = Vec::new();
    for n in 0..60 {
        posted.push(alice.post("tea room", &format!("line {n}")).await);
    }
    let answer = chat.get("/api/rooms/tea%20room/messages?limit=2").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    assert_eq!(answer.json(), json!({ "room": "tea room", "messages": posted[58..], "count": 2 }));
    let default = chat.get("/api/rooms/tea%20room/messages").await.json();
    assert_eq!((&default["messages"], &default["count"]), (&json!(posted[10..]), &json!(50)));
    let all = chat.get("/api/rooms/tea%20room/messages?limit=1000").await.json();
    assert_eq!(all["count"], 60);

    for limit in ["0", "1001", "-1", "1.5", "ten", "", "99999999999999999999"] {
        let answer = chat.get(&format!("/api/rooms/tea%20room/messages?limit={limit}")).await;
        assert_eq!((answer.status, answer.header("content-type")), (400, Some("application/json")), "{limit}");
        let error = &answer.json()["error"];
        assert!(error["message"].as_str().unwrap().contains("limit"), "{error}");
        assert_eq!(error["details"]["errors"][0]["field"], "limit", "{error}");
    }
    for room in ["nowhere", "%20", "%27%20OR%201=1%20--", &"x".repeat(500)] {
        let answer = chat.get(&format!("/api/rooms/{room}/messages")).await;
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (404, &json!("NO_SUCH_ROOM")), "{room}");
    }
}

#[tokio::test]
async fn the_status_counts_connections_users_and_groups() {
    let chat = ChatServer::start();
    let _alice = ChatClient::connect_and_join(&chat, "alice", "lobby").await;
    let _again = ChatClient::connect_and_join(&chat, "alice", "lobby").await;
    let _bob = ChatClient::connect_and_join(&chat, "bob", "tea room").await;
    let status = chat.get("/api/status").await.json();
    assert!(status["node"].is_string(), "{status}");
    let expected = json!({
        "status": "ok", "backend_type": "memory", "node": status["node"], "connections": 3, "users": 2, "groups": 2,
    });
    assert_eq!(status, expected);
    for path in ["/health", "/ready", "/metrics"] {
        assert_eq!(chat.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn all_files_of_the_page_are_served_with_a_strict_policy() {
    let chat = ChatServer::start();
    let page = chat.get("/").await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));

    // The files that the page names, and the modules that its scripts import.
    let mut files = vec!["chat.css".to_owned(), "icon.svg".to_owned(), "chat.js".to_owned()];
    for name in &files {
        assert!(page.body.contains(name), "{name}");
    }
    let mut at = 0;
    while let Some(name) = files.get(at).cloned() {
        let file = chat.get(&format!("/{name}")).await;
        let content_type = match name.rsplit_once('.').unwrap().1 {
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            _ => "image/svg+xml",
        };
        assert_eq!((file.status, file.header("content-type")), (200, Some(content_type)), "{name}");
        assert_eq!(file.header("x-content-type-options"), Some("nosniff"), "{name}");
        let imported = file.body.split("from './").skip(1).map(|rest| rest.split('\'').next().unwrap().to_owned());
        let new: Vec<_> = imported.filter(|name| !files.contains(name)).collect();
        files.extend(new);
        at += 1;
    }
    assert!(files.len() > 5, "{files:?}");
}
