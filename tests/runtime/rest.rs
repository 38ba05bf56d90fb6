//! HTTP routes beside connections: states, the manager, errors, status.

use std::sync::Arc;

use agentcore::axum::Router;
use agentcore::axum::extract::Path;
use agentcore::axum::routing::get;
use agentcore::prelude::*;
use serde_json::json;
use tests::http;
use tests::room::{Journal, room};
use tests::server::{Server, settings};

use crate::connect;

#[message("news")]
struct News {
    text: String,
}

async fn tell(State(manager): State<ConnectionManager>, Path(user): Path<String>) -> Result<String> {
    manager.user(user).send(&News { text: "from REST".to_owned() }).await?;
    Ok(manager.online_count().await?.to_string())
}

async fn greeting(State(greeting): State<Arc<str>>, State(journal): State<Journal>) -> String {
    journal.note("greeted");
    greeting.to_string()
}

async fn missing(State(number): State<u128>) -> String {
    number.to_string()
}

async fn refused() -> Result<()> {
    Err(Error::authorization("not yours"))
}

async fn broken() -> Result<()> {
    Err(std::io::Error::other("the password is 1234")).internal()
}

async fn unlucky() -> String {
    panic!("the password is 1234")
}

async fn served() -> (Server, Journal) {
    let routes = Router::new()
        .route("/tell/{user}", get(tell))
        .route("/unlucky", get(unlucky))
        .route("/greeting", get(greeting))
        .route("/missing", get(missing))
        .route("/refused", get(refused))
        .route("/broken", get(broken));
    let (app, journal, _) = room(settings());
    (Server::start(app.state::<Arc<str>>("hello".into()).routes(routes)).await, journal)
}

#[tokio::test]
async fn a_rest_handler_sends_and_counts_through_the_manager() {
    let (server, _) = served().await;
    let mut ada = connect(&server, "ada").await;
    let answer = http::get(&server, "/tell/ada").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "1"));
    assert_eq!(ada.next().await, json!({ "type": "news", "data": { "text": "from REST" } }));
    assert_eq!(http::get(&server, "/tell/nobody").await.status, 200);
    assert_eq!(http::get(&server, "/tell/a%0Ab").await.status, 400);
}

#[tokio::test]
async fn every_state_is_available_to_rest_handlers() {
    let (server, journal) = served().await;
    assert_eq!(http::get(&server, "/greeting").await.body, "hello");
    assert_eq!(journal.lines(), ["greeted"]);
    let answer = http::get(&server, "/missing").await;
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (500, &json!("INTERNAL_ERROR")));
}

#[tokio::test]
async fn an_error_of_a_rest_handler_is_the_same_object_under_error() {
    let (server, _) = served().await;
    let answer = http::get(&server, "/refused").await;
    let error = &answer.json()["error"];
    assert_eq!((answer.status, &error["code"], &error["message"]), (403, &json!("FORBIDDEN"), &json!("not yours")));
    for key in ["category", "severity", "error_id", "timestamp", "retryable", "details"] {
        assert!(error.get(key).is_some(), "`{key}` is missing: {error}");
    }
    let answer = http::get(&server, "/broken").await;
    assert_eq!(answer.status, 500);
    assert!(!answer.body.contains("1234"), "{answer:?}");
}

#[tokio::test]
async fn a_message_whose_type_is_known_at_run_time_is_checked_before_anybody_gets_it() {
    let mut settings = settings();
    settings.ws_max_message_size = 100;
    let (app, ..) = room(settings);
    let server = Server::start(app).await;
    let mut ada = connect(&server, "ada").await;
    let long = json!({ "text": "x".repeat(100) });
    for (kind, data, field) in [
        ("agentcore.resync", json!({}), "type"),
        ("reply", json!({}), "type"),
        ("Not a type", json!({}), "type"),
        ("news", json!([1, 2]), "data"),
        ("news", long, "data"),
    ] {
        let error = server.manager.user("ada").send_raw(kind, &data).await.expect_err("a refusal");
        assert_eq!((error.code(), &*error.details()[0].field), ("VALIDATION_FAILED", field), "{kind}: {error}");
    }
    let error = server.manager.user("a\nb").send_raw("news", &json!({})).await.expect_err("no user");
    assert_eq!(error.code(), "VALIDATION_FAILED");
    server.manager.user("ada").send_raw("news", &json!({ "text": "and this" })).await.expect("it is sent");
    assert_eq!(ada.next().await, json!({ "type": "news", "data": { "text": "and this" } }));
}

#[tokio::test]
async fn the_status_routes_answer() {
    let (server, _) = served().await;
    let health = http::get(&server, "/health").await;
    assert_eq!((health.status, &health.json()["status"]), (200, &json!("ok")));
    assert_eq!(health.json()["node"], server.manager.node().as_str());
    assert_eq!(http::get(&server, "/ready").await.status, 200);
    let (app, ..) = room(settings());
    let bare = Server::start(app.without_status_routes()).await;
    assert_eq!(http::get(&bare, "/health").await.status, 404);
}

#[tokio::test]
async fn the_manager_is_available_before_serving() {
    let (app, ..) = room(settings());
    let app = app.build().await.expect("an application");
    let manager = app.manager();
    assert_eq!(manager.stats().backend_type, "memory");
    manager.everyone().send(&News { text: "nobody".to_owned() }).await.expect("no error");
    assert_eq!(manager.online_count().await.expect("a count"), 0);
}

#[tokio::test]
async fn a_rest_handler_that_panics_is_answered_and_the_server_goes_on() {
    let (server, _) = served().await;
    for _ in 0..3 {
        let answer = http::get(&server, "/unlucky").await;
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (500, &json!("INTERNAL_ERROR")));
        assert!(!answer.json().to_string().contains("1234"));
    }
    assert_eq!(http::get(&server, "/health").await.status, 200);
}

#[tokio::test]
async fn an_unknown_path_is_an_error_unless_the_application_has_a_fallback() {
    let (server, _) = served().await;
    let answer = http::get(&server, "/no/such").await;
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (404, &json!("NOT_FOUND")));
    let answer = http::request(&server, "DELETE", "/health").await;
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (405, &json!("METHOD_NOT_ALLOWED")));
    assert_eq!(answer.header("allow"), Some("GET,HEAD"));
    let routes = Router::new().route("/greeting", get(greeting)).fallback(async || "mine");
    let routes = routes.method_not_allowed_fallback(async || "not so");
    let (app, ..) = room(settings());
    let server = Server::start(app.state::<Arc<str>>("hello".into()).routes(routes)).await;
    assert_eq!(http::get(&server, "/no/such").await.body, "mine");
    assert_eq!(http::get(&server, "/greeting").await.status, 200);
    assert_eq!(http::request(&server, "DELETE", "/greeting").await.body, "not so");
    assert_eq!(http::get(&server, "/health").await.status, 200);
}
