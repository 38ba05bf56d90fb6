//! What was missed is fetched: after a restart of the server, and when the server says that something was lost.

use serde_json::{Value, json};
use tests::chat::{ChatClient, ChatServer};

use crate::page::{DESK, PHONE, Page};
use crate::{MESSAGES, browsers};

#[tokio::test]
async fn the_page_comes_back_by_itself_after_a_restart_of_the_server() {
    let Some((driver, _guard)) = browsers().await else { return };
    let mut chat = ChatServer::start();
    let alice = Page::open(&driver, "alice", DESK, &chat.url("/?user=alice")).await;
    let bob = Page::open(&driver, "bob", PHONE, &chat.url("/?user=bob")).await;
    for page in [&alice, &bob] {
        page.until("#state", &["online"]).await;
        page.until("#about", &["Public room · 2 members"]).await;
    }
    alice.say("Before the restart").await;
    bob.until(MESSAGES, &["Before the restart"]).await;
    bob.say("From a phone").await;
    alice.until(MESSAGES, &["Before the restart", "From a phone"]).await;

    assert!(chat.stop().success(), "a server that is told to end ends well");
    for page in [&alice, &bob] {
        page.until_there("#state[data-state='reconnecting']").await;
    }
    alice.picture("desk-reconnecting").await;
    bob.picture("phone-reconnecting").await;
    // What is written meanwhile is not lost.
    alice.say("Written in the gap").await;
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
    alice.say("").await;
    bob.until(MESSAGES, &["Before the restart", "From a phone", "While you were away", "Written in the gap"]).await;
    bob.reload().await;
    bob.until(MESSAGES, &["Before the restart", "From a phone", "While you were away", "Written in the gap"]).await;
    for page in [&alice, &bob] {
        assert_eq!(page.heard().await, json!([]));
    }
}

#[tokio::test]
async fn a_signed_out_page_does_not_come_back_by_itself() {
    let Some((driver, _guard)) = browsers().await else { return };
    let chat = ChatServer::start();
    let page = Page::open(&driver, "alice", DESK, &chat.url("/?user=alice")).await;
    page.until("#state", &["online"]).await;
    // The end of a connection, as the server would make it.
    let end = "__socket.onclose(new CloseEvent('close', { code: arguments[0], reason: arguments[1] }))";
    for code in [1001, 1006, 1012, 1013] {
        page.run(end, vec![json!(code), json!("")]).await;
        page.until("#state", &["online"]).await;
        page.until("#members .name", &["alice"]).await;
    }
    page.run(end, vec![json!(1012), json!(r#"{"code":"RESTARTING","retry_after_ms":600000}"#)]).await;
    let shown = page.texts("#state").await;
    let seconds = shown[0].as_str().and_then(|text| text.strip_prefix("reconnecting in ")?.strip_suffix(" s"));
    let seconds = seconds.and_then(|seconds| seconds.parse::<u32>().ok());
    assert!(seconds.is_some_and(|seconds| (590..=640).contains(&seconds)), "the server's wish counts: {shown}");
    page.click("#connect-now").await;
    page.until("#state", &["online"]).await;
    page.run(end, vec![json!(4401), json!("")]).await;
    page.until("#state", &["closed: you are signed out"]).await;
    page.picture("desk-signed-out").await;
    page.run("window.dispatchEvent(new Event('online'))", vec![]).await;
    assert_eq!(page.texts("#state").await, json!(["closed: you are signed out"]));
    chat.until_connections(0).await;
    page.click("#connect-now").await;
    page.until("#state", &["online"]).await;
    assert_eq!(page.heard().await, json!([]));
}

#[tokio::test]
async fn a_resync_brings_what_was_lost() {
    let Some((driver, _guard)) = browsers().await else { return };
    let chat = ChatServer::start();
    let page = Page::open(&driver, "alice", DESK, &chat.url("/?user=alice")).await;
    page.until("#members .name", &["alice"]).await;
    let mut bob = ChatClient::connect_and_join(&chat, "bob", "lobby").await;
    page.until("#members .name", &["alice", "bob"]).await;
    let mut texts = Vec::new();
    for groups in [json!(["lobby"]), Value::Null] {
        let lose = "window.__rest = __socket.onmessage; window.__lost = 0; __socket.onmessage = () => { __lost += 1 }";
        page.run(lose, vec![]).await;
        let text = format!("lost with {groups}");
        bob.post("lobby", &text).await;
        page.until_run("return __lost", vec![], json!(1)).await;
        page.run("__socket.onmessage = __rest", vec![]).await;
        let resync =
            json!({ "type": "agentcore.resync", "data": { "groups": groups, "reason": "overflow", "spread_ms": 1 } });
        texts.push(text);
        page.run("__socket.onmessage({ data: arguments[0] })", vec![resync.to_string().into()]).await;
        page.until(MESSAGES, &texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }
    page.is_clean().await;
}
