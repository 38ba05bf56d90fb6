//! Who may come in.

use agentcore::{UserId, tokio};

use super::{ChatSettings, Tokens, connect, open_mode, start};
use crate::messages::Welcome;

#[tokio::test]
async fn with_a_secret_a_token_says_who_one_is() {
    let tokens = Tokens::new("a secret that nobody else can know").unwrap();
    let token = tokens.issue(&UserId::new("ada").unwrap()).unwrap();
    let app = start(ChatSettings { tokens: Some(tokens), ..open_mode() }).await;
    let ada = app.connect("/ws/ada").token(&token).await;
    assert_eq!(ada.user().as_str(), "ada");
    assert_eq!(app.connect("/ws/ada").refused().await.status(), 401);
    assert_eq!(app.connect("/ws/bob").token(&token).refused().await.status(), 403);
    // A test may also do without.
    app.connect_as("bob", "/ws/bob").await.expect::<Welcome>().await;
}

#[tokio::test]
async fn names_that_could_be_mistaken_are_refused() {
    let app = start(open_mode()).await;
    connect(&app, "Ada_1.x-2").await;
    for name in ["a%0Ab", "anon-7", "%20", "%C3%85da"] {
        assert_eq!(app.connect(format!("/ws/{name}")).refused().await.status(), 400, "{name}");
    }
}
