//! HTTP routes: history, status, and the page's files.

use serde_json::json;
use tests::chat::{ChatClient, ChatServer};
use tests::http::read_answer;
use tests::transport::Stream;
use tests::wait::until_equal;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};

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

#[tokio::test]
async fn a_page_that_nobody_reads_takes_the_permits_of_its_own_address_only() {
    let chat = ChatServer::start();
    fill_with_long_messages(&chat).await;
    let page = "/api/rooms/lobby/messages?limit=1000";
    let answer = chat.get(page).await;
    assert!(answer.body.len() <= 2 * 1024 * 1024, "{} bytes", answer.body.len());
    assert!(answer.body.len() > 1024 * 1024, "{} bytes", answer.body.len());
    assert_eq!(answer.json()["count"], answer.json()["messages"].as_array().unwrap().len());

    // Nobody reads these answers. The first ones fit into the buffers of the system.
    let mut stalled = Vec::new();
    for _ in 0..4 {
        let mut stream = connect_from("127.0.0.2", chat.port()).await;
        let request = format!("GET {page} HTTP/1.1\r\nHost: localhost\r\n\r\n").repeat(8);
        stream.write_all(request.as_bytes()).await.unwrap();
        stalled.push(stream);
    }
    let status_from = async |address: &str| {
        let mut stream: Box<dyn Stream> = Box::new(connect_from(address, chat.port()).await);
        let request = format!("GET {page} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        read_answer(&mut stream, &mut Vec::new()).await.status
    };
    until_equal("the status for the same address", 429, async || status_from("127.0.0.2").await).await;
    assert_eq!(status_from("127.0.0.3").await, 200);
    drop(stalled);
    until_equal("the status after they have gone", 200, async || status_from("127.0.0.2").await).await;
}

/// Posts messages whose JSON has about 24 KB each.
async fn fill_with_long_messages(chat: &ChatServer) {
    let mut alice = ChatClient::connect_and_join(chat, "alice", "lobby").await;
    let text = "\u{1}".repeat(4_000);
    for _ in 0..100 {
        alice.post("lobby", &text).await;
    }
}

/// Connects from one of the addresses of this machine, with a small receive buffer.
async fn connect_from(address: &str, port: u16) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(2048).unwrap();
    socket.bind(format!("{address}:0").parse().unwrap()).unwrap();
    socket.connect(format!("127.0.0.1:{port}").parse().unwrap()).await.unwrap()
}

#[tokio::test]
async fn the_health_lists_the_threads_of_the_store() {
    let chat = ChatServer::start();
    let health = chat.get("/health").await.json().to_string();
    for task in ["chat.store.write", "chat.store.read", "chat.store.page", "chat.rooms"] {
        assert!(health.contains(task), "{task}: {health}");
    }
}
