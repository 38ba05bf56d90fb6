//! Reconnecting, and loading missed messages: after a restart of the server, and after a resync.

use serde_json::{Value, json};
use tests::chat::{ChatClient, ChatServer};

use crate::page::{DESKTOP, PHONE, Page};
use crate::{CONNECTION_REFUSED, MESSAGES, browsers};

#[tokio::test]
async fn the_page_reconnects_by_itself_after_a_restart_of_the_server() {
    let Some((driver, _permit)) = browsers().await else { return };
    let mut chat = ChatServer::start();
    let alice = Page::open(&driver, "alice", DESKTOP, &chat.url("/?user=alice")).await;
    let bob = Page::open(&driver, "bob", PHONE, &chat.url("/?user=bob")).await;
    for page in [&alice, &bob] {
        page.until("#state", &["online"]).await;
        page.until("#about", &["Public room · 2 members"]).await;
    }
    alice.post("Before the restart").await;
    bob.until(MESSAGES, &["Before the restart"]).await;
    bob.post("From a phone").await;
    alice.until(MESSAGES, &["Before the restart", "From a phone"]).await;

    assert!(chat.stop().success(), "a server that receives SIGTERM exits with 0");
    for page in [&alice, &bob] {
        page.until_exists("#state[data-state='reconnecting']").await;
    }
    alice.screenshot("desktop-reconnecting").await;
    bob.screenshot("phone-reconnecting").await;
    // A message written while offline is kept.
    alice.post("Written in the gap").await;
    let problem = "You are offline. Your text is kept; send it again when you are back online.";
    alice.until("#problem", &[problem]).await;
    chat.restart();
    let mut carol = ChatClient::connect_and_join(&chat, "carol", "lobby").await;
    carol.post("lobby", "While you were away").await;
    for page in [&alice, &bob] {
        page.until("#state", &["online"]).await;
        page.until("#about", &["Public room · 3 members"]).await;
        page.until(MESSAGES, &["Before the restart", "From a phone", "While you were away"]).await;
    }
    alice.until_run("return document.querySelector('#text').value", vec![], json!("Written in the gap")).await;
    alice.post("").await;
    bob.until(MESSAGES, &["Before the restart", "From a phone", "While you were away", "Written in the gap"]).await;
    bob.reload().await;
    bob.until(MESSAGES, &["Before the restart", "From a phone", "While you were away", "Written in the gap"]).await;
    for page in [&alice, &bob] {
        assert_eq!(page.violations().await, json!([]));
    }
}

#[tokio::test]
async fn a_signed_out_page_does_not_reconnect_by_itself() {
    let Some((driver, _permit)) = browsers().await else { return };
    let chat = ChatServer::start();
    let page = Page::open(&driver, "alice", DESKTOP, &chat.url("/?user=alice")).await;
    page.until("#state", &["online"]).await;
    // A close event as the browser would dispatch it.
    let close = "__socket.onclose(new CloseEvent('close', { code: arguments[0], reason: arguments[1] }))";
    for code in [1001, 1006, 1012, 1013] {
        page.run(close, vec![json!(code), json!("")]).await;
        page.until("#state", &["online"]).await;
        page.until("#members .name", &["alice"]).await;
    }
    page.run(close, vec![json!(1012), json!(r#"{"code":"RESTARTING","retry_after_ms":600000}"#)]).await;
    let shown = page.texts("#state").await;
    let seconds = shown[0].as_str().and_then(|text| text.strip_prefix("reconnecting in ")?.strip_suffix(" s"));
    let seconds = seconds.and_then(|seconds| seconds.parse::<u32>().ok());
    assert!(
        seconds.is_some_and(|seconds| (590..=640).contains(&seconds)),
        "the page ignores the server's delay: {shown}"
    );
    page.click("#connect-now").await;
    page.until("#state", &["online"]).await;
    page.run(close, vec![json!(4401), json!("")]).await;
    page.until("#state", &["closed: you are signed out"]).await;
    page.screenshot("desktop-signed-out").await;
    page.run("window.dispatchEvent(new Event('online'))", vec![]).await;
    assert_eq!(page.texts("#state").await, json!(["closed: you are signed out"]));
    chat.until_connections(0).await;
    page.click("#connect-now").await;
    page.until("#state", &["online"]).await;
    assert_eq!(page.violations().await, json!([]));
}

#[tokio::test]
async fn a_dead_connection_is_replaced_when_the_page_or_the_network_wakes_up() {
    let Some((driver, _permit)) = browsers().await else { return };
    let chat = ChatServer::start();
    let page = Page::open(&driver, "alice", DESKTOP, &chat.url("/?user=alice")).await;
    page.until("#members .name", &["alice"]).await;
    // The heartbeat alone finds a dead connection after 45 s, which is more than a wait of these tests.
    for event in ["document.dispatchEvent(new Event('visibilitychange'))", "dispatchEvent(new Event('online'))"] {
        // The network takes what the page sends, and loses it.
        page.run("window.__dead = __socket; __socket.send = () => {}", vec![]).await;
        page.run(event, vec![]).await;
        page.until_run("return __socket !== __dead && __socket.readyState", vec![], json!(1)).await;
        page.until("#state", &["online"]).await;
    }
    // A connection that answers is kept.
    page.run("window.__kept = __socket", vec![]).await;
    page.run("document.dispatchEvent(new Event('visibilitychange'))", vec![]).await;
    page.post("Still here").await;
    page.until(MESSAGES, &["Still here"]).await;
    page.until_run("return __socket === __kept && __socket.readyState", vec![], json!(1)).await;
    assert_eq!(page.violations().await, json!([]));
}

#[tokio::test]
async fn a_connection_that_never_opens_is_given_up() {
    let Some((driver, _permit)) = browsers().await else { return };
    let chat = ChatServer::start();
    let page = Page::open(&driver, "alice", DESKTOP, &chat.url("/?user=alice")).await;
    page.until("#members .name", &["alice"]).await;
    let never_open = "window.__open = window.WebSocket; window.__stuck = 0;
        window.WebSocket = class { static OPEN = 1; readyState = 0; constructor() { __stuck += 1 } close() {} };
        __socket.onclose(new CloseEvent('close', { code: 1006 }))";
    page.run(never_open, vec![]).await;
    page.until_run("return __stuck", vec![], json!(1)).await;
    page.run("window.WebSocket = __open", vec![]).await;
    page.until("#state", &["online"]).await;
    page.until("#members .name", &["alice"]).await;
}

#[tokio::test]
async fn a_page_whose_address_is_not_allowed_does_not_blame_the_token() {
    let Some((driver, _permit)) = browsers().await else { return };
    let chat = ChatServer::with(&[("ALLOWED_ORIGINS", "https://chat.example")]);
    let page = Page::open(&driver, "alice", DESKTOP, &chat.url("/?user=alice")).await;
    page.until("#problem", &[CONNECTION_REFUSED]).await;
}

#[tokio::test]
async fn a_resync_loads_lost_messages() {
    let Some((driver, _permit)) = browsers().await else { return };
    let chat = ChatServer::start();
    let page = Page::open(&driver, "alice", DESKTOP, &chat.url("/?user=alice")).await;
    page.until("#members .name", &["alice"]).await;
    let mut bob = ChatClient::connect_and_join(&chat, "bob", "lobby").await;
    page.until("#members .name", &["alice", "bob"]).await;
    let mut texts = Vec::new();
    for groups in [json!(["lobby"]), Value::Null] {
        let lose =
            "window.__onmessage = __socket.onmessage; window.__lost = 0; __socket.onmessage = () => { __lost += 1 }";
        page.run(lose, vec![]).await;
        let text = format!("lost with {groups}");
        bob.post("lobby", &text).await;
        page.until_run("return __lost", vec![], json!(1)).await;
        page.run("__socket.onmessage = __onmessage", vec![]).await;
        let resync =
            json!({ "type": "agentcore.resync", "data": { "groups": groups, "reason": "overflow", "spread_ms": 1 } });
        texts.push(text);
        page.run("__socket.onmessage({ data: arguments[0] })", vec![resync.to_string().into()]).await;
        page.until(MESSAGES, &texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }
    page.assert_clean().await;
}
