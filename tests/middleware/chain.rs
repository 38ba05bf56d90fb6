//! The chain: the order of its middleware, and what each may do with a message.

use agentcore::middleware::{Chain, Incoming, Middleware, Next, Reply};
use agentcore::prelude::*;
use serde_json::{Value, json};
use tests::room::Journal;
use tests::server::Server;

use crate::{Note, Text, app, connect, serve};

/// Records what passes.
struct Passes(Journal, &'static str);

impl Middleware for Passes {
    async fn handle<N: Next>(&self, message: Incoming<'_>, next: N) -> Result<Reply> {
        let handler = message.handler().map(|handler| handler.method);
        self.0.note(format!("{} sees {} for {handler:?}", self.1, message.message_type()));
        let outcome = next.run(message).await;
        let told = outcome.as_ref().map_err(|error| error.code().to_owned()).map(|_| ());
        self.0.note(format!("{} sees {told:?}", self.1));
        outcome
    }
}

/// Does what the text says.
struct Obeys;

impl Middleware for Obeys {
    async fn handle<N: Next>(&self, mut message: Incoming<'_>, next: N) -> Result<Reply> {
        if message.handler().is_none_or(|handler| handler.message_type != "echo") {
            return next.run(message).await;
        }
        let text = message.decode::<Text>()?.text;
        match text.as_str() {
            "change" => message.set_data(&json!({ "text": "changed" }))?,
            "break" => message.set_data(&json!({ "text": 7 }))?,
            "empty" => message.set_data(&Value::Null)?,
            "answer" => return message.answer(Note { text: "answered".to_owned() }),
            "acknowledge" => return Ok(Reply::default()),
            "refuse" => return Err(Error::authorization("the middleware refuses")),
            "wait" => tokio::task::yield_now().await,
            _ => {}
        }
        next.run(message).await
    }
}

/// Replaces the handler's reply.
struct Overrides;

impl Middleware for Overrides {
    async fn handle<N: Next>(&self, message: Incoming<'_>, next: N) -> Result<Reply> {
        let answer = message.answer(Note { text: "overridden".to_owned() });
        next.run(message).await?;
        answer
    }
}

/// Removes what `remember` has stored with the connection.
struct Forgets;

impl Middleware for Forgets {
    async fn handle<N: Next>(&self, message: Incoming<'_>, next: N) -> Result<Reply> {
        if message.message_type() == "quiet" {
            message.connection().remove_metadata("text");
        }
        next.run(message).await
    }
}

#[tokio::test]
async fn the_first_middleware_is_the_outermost() {
    let journal = Journal::default();
    let absent: Option<Passes> = None;
    let chain = Chain::new()
        >> Passes(journal.clone(), "a")
        >> absent
        >> Some(Passes(journal.clone(), "b"))
        >> (Chain::new() >> Passes(journal.clone(), "c"));
    let server = Server::start(app(journal.clone()).middleware(chain)).await;
    let mut ada = connect(&server, "ada").await;
    assert_eq!(ada.ask("echo", json!({ "text": "x" })).await["data"]["text"], "x");
    let seen = |who: &str| format!("{who} sees echo for Some(\"echo\")");
    let done = |who: &str| format!("{who} sees Ok(())");
    assert_eq!(journal.lines(), [seen("a"), seen("b"), seen("c"), "echo x".into(), done("c"), done("b"), done("a")]);
}

#[tokio::test]
async fn a_middleware_changes_answers_and_refuses() {
    let (server, journal) = serve(Chain::new() >> Obeys).await;
    let mut ada = connect(&server, "ada").await;
    for (text, answer) in [("x", "x"), ("wait", "wait"), ("change", "changed"), ("empty", ""), ("answer", "answered")] {
        assert_eq!(ada.ask("echo", json!({ "text": text })).await["data"]["text"], answer, "{text}");
        ada.say("echo", json!({ "text": text })).await;
        assert_eq!(ada.next().await, json!({ "type": "note", "data": { "text": answer } }), "{text}");
    }
    let handled = ["x", "x", "wait", "wait", "changed", "changed", "", ""].map(|text| format!("echo {text}"));
    assert_eq!(journal.lines(), handled, "who answers, keeps the handler out");

    let acknowledged = ada.ask("echo", json!({ "text": "acknowledge" })).await;
    assert_eq!((&acknowledged["type"], &acknowledged["data"]), (&json!("reply"), &Value::Null));
    let refused = ada.ask("echo", json!({ "text": "refuse" })).await;
    assert_eq!((&refused["data"]["code"], &refused["data"]["message_type"]), (&json!("FORBIDDEN"), &json!("echo")));
    let broken = ada.ask("echo", json!({ "text": "break" })).await;
    assert_eq!(broken["data"]["code"], "VALIDATION_FAILED", "what was changed is checked: {broken}");
    assert_eq!(ada.settle().await, Vec::<Value>::new());
    assert_eq!(journal.lines().len(), handled.len());
}

#[tokio::test]
async fn a_request_has_exactly_one_answer_whatever_the_chain_does() {
    let (server, _) = serve(Overrides).await;
    let mut ada = connect(&server, "ada").await;
    for kind in ["echo", "quiet"] {
        assert_eq!(ada.ask(kind, json!({ "text": "x" })).await["data"]["text"], "overridden");
        assert_eq!(ada.settle().await, Vec::<Value>::new(), "nothing more");
    }
    assert_eq!(ada.ask("refuse", json!({})).await["data"]["code"], "FORBIDDEN");
    // The handler has replied before the middleware: the second reply becomes an error without a `ref`.
    assert_eq!(ada.ask("early", json!({})).await["data"]["text"], "early");
    let after = ada.settle().await;
    assert_eq!(after.len(), 1, "{after:?}");
    assert_eq!((&after[0]["data"]["code"], after[0].get("ref")), (&json!("INTERNAL_ERROR"), None));
}

#[tokio::test]
async fn a_message_of_an_unknown_type_passes_the_chain_and_a_ping_does_not() {
    let journal = Journal::default();
    let server = Server::start(app(journal.clone()).middleware(Passes(journal.clone(), "a"))).await;
    let mut ada = connect(&server, "ada").await;
    ada.settle().await;
    ada.text("no JSON").await;
    assert_eq!(ada.next().await["data"]["code"], "INVALID_JSON");
    assert_eq!(journal.lines(), Vec::<String>::new());
    let error = ada.ask("no_such", json!({})).await;
    assert_eq!(
        (&error["data"]["code"], &error["data"]["message_type"]),
        (&json!("UNKNOWN_MESSAGE_TYPE"), &json!("no_such"))
    );
    assert_eq!(journal.lines(), ["a sees no_such for None", "a sees Err(\"UNKNOWN_MESSAGE_TYPE\")"]);
    ada.text(r#"{"type":"a\u001b[31m\n","ref":8}"#).await;
    let error = ada.next().await;
    assert_eq!((&error["ref"], &error["data"]["message_type"]), (&json!(8), &json!("a\\u{1b}[31m\\n")));
}

#[tokio::test]
async fn an_empty_chain_changes_nothing() {
    let absent: Option<Obeys> = None;
    let (server, journal) = serve(Chain::new() >> absent >> Chain::new()).await;
    let mut ada = connect(&server, "ada").await;
    assert_eq!(ada.ask("echo", json!({ "text": "change" })).await["data"]["text"], "change");
    assert_eq!(ada.ask("no_such", json!({})).await["data"]["code"], "UNKNOWN_MESSAGE_TYPE");
    assert_eq!(journal.lines(), ["echo change"]);
}

#[tokio::test]
async fn a_second_chain_is_an_error_at_start() {
    let app = app(Journal::default()).middleware(Obeys).middleware(Overrides);
    let error = app.build().await.expect_err("two chains");
    assert!(error.message().contains("join both"), "{error}");
}

#[tokio::test]
async fn metadata_of_a_connection_is_set_and_removed() {
    let (server, _) = serve(Forgets).await;
    let mut ada = connect(&server, "ada").await;
    let metadata = async || server.manager.batches(1).next().await.expect("a connection")[0].metadata.clone();
    assert_eq!(ada.ask("remember", json!({ "text": "x" })).await["data"]["text"], "x");
    assert_eq!(metadata().await.get::<String>("text").as_deref(), Some("x"));
    assert_eq!(ada.ask("quiet", json!({})).await["type"], "reply");
    assert_eq!(metadata().await.names().collect::<Vec<_>>(), Vec::<&str>::new());
}
