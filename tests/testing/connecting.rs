//! Accepted and refused connections.

use std::net::IpAddr;

use agentcore::auth::token;
use agentcore::axum::http::request::Parts;
use agentcore::testing::{TestApp, TestResponse};
use agentcore::{Authenticator, Codec, Error, Identity, Result, Settings};
use tokio::task::JoinSet;

use crate::{Said, Who, You, application, say, start, user};

struct Tokens;

impl Authenticator for Tokens {
    async fn authenticate(&self, request: &Parts) -> Result<Identity> {
        match token(request).as_deref() {
            Some("t-ada") => Ok(Identity::new(user("ada"))),
            _ => Err(Error::authentication("the token is not known")),
        }
    }
}

#[tokio::test]
async fn a_client_may_have_any_identity_and_claims_without_the_authenticator() {
    for app in [application(Settings::default()), application(Settings::default()).authenticator(Tokens)] {
        let app = TestApp::start(app).await;
        let mut ada = app.connect_as("ada", "/members").claim("admin", true).await;
        let you: You = ada.request(&Who {}).await;
        assert_eq!((you.user_id, you.admin), (user("ada"), Some(true)));
        assert_eq!(ada.user(), &user("ada"));
        let other = app.connect_as("ada", "/room/eve").refused().await;
        assert_eq!((other.status(), &*other.error().code), (403, "FORBIDDEN"));
    }
}

#[tokio::test]
async fn the_applications_authenticator_decides_unless_the_test_names_a_user() {
    let app = TestApp::start(application(Settings::default()).authenticator(Tokens)).await;
    let ada = app.connect("/members").token("t-ada").await;
    assert_eq!(ada.user(), &user("ada"));
    let ada = app.connect("/members").subprotocol("agentcore.token.t-ada").codec(Codec::Json).await;
    assert_eq!(ada.headers()["sec-websocket-protocol"], "agentcore.v1.json");
    let ada = app.connect("/room/ada").query("token", "t-ada").await;
    assert_eq!(ada.user(), &user("ada"));
    let refused = app.connect("/members").refused().await;
    assert_eq!((refused.status(), refused.header("www-authenticate")), (401, Some("Bearer")));
    assert_eq!(refused.error().code, "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_client_without_a_name_is_its_own_user() {
    let app = start().await;
    let client = app.connect("/members").await;
    assert!(client.user().as_str().starts_with("anon-"));
}

#[tokio::test]
async fn refusals_have_a_status_and_an_error() {
    let app = start().await;
    let refused = async |path: &str| {
        let refused = app.connect(path).refused().await;
        (refused.status(), refused)
    };
    assert_eq!(refused("/room/anon-x").await.0, 400);
    assert_eq!(refused("/nowhere").await.0, 404);
    let (status, page) = refused("/api/greeting").await;
    assert_eq!((status, page.text().as_str()), (200, "hello"), "a route is no consumer");
    let refused = app.connect("/room/alice").subprotocol("chat.v7").refused().await;
    assert_eq!((refused.status(), &*refused.error().code), (400, "BAD_HANDSHAKE"));
    let refused = app.connect("/room/alice").header("origin", "https://evil.example").refused().await;
    assert_eq!(refused.status(), 403);
    let refused = app.connect("/room/alice").header("sec-websocket-version", "8").refused().await;
    assert_eq!((refused.status(), refused.header("sec-websocket-version")), (426, Some("13")));
}

#[tokio::test]
async fn clients_connect_from_the_address_that_the_test_gives() {
    let mut settings = Settings::default();
    settings.max_connections_per_ip = 1;
    let app = TestApp::start(application(settings)).await;
    let ip = |last| IpAddr::from([192, 0, 2, last]);
    let _first = app.connect("/room/a").ip(ip(1)).await;
    let _other = app.connect("/room/b").ip(ip(2)).await;
    assert_eq!(app.connect("/room/c").ip(ip(1)).refused().await.status(), 429);
}

#[tokio::test]
async fn messages_of_the_connect_hook_arrive_first() {
    let app = start().await;
    let mut greeted = app.connect("/room/greeted").await;
    assert_eq!(greeted.try_next().expect("it is there already").decode::<Said>().expect("a greeting").text, "hello");
    let mut early = app.connect("/room/greeted").without_waiting().await;
    assert_eq!(early.expect::<Said>().await.text, "hello");
}

/// A thousand clients connect at once and read no reply; a hundred are admitted.
#[tokio::test]
async fn many_connect_at_once_and_a_limit_is_exact() {
    let mut settings = Settings::default();
    settings.max_total_connections = 100;
    let app = TestApp::start_with_workers(application(settings), 2).await;
    let mut racing = JoinSet::new();
    for number in 0..1_000 {
        racing.spawn(app.connect(format!("/room/u{number}")).result());
    }
    let (clients, refusals): (Vec<_>, Vec<_>) = racing.join_all().await.into_iter().partition(Result::is_ok);
    assert_eq!((clients.len(), refusals.len()), (100, 900));
    let is_full = |refusal: &TestResponse| refusal.status() == 503 && refusal.error().code == "LIMIT_EXCEEDED";
    assert!(refusals.iter().filter_map(|refused| refused.as_ref().err()).all(is_full));
    let mut client = clients.into_iter().flatten().next().expect("a client");
    client.request::<()>(&say("hello")).await;
}
