//! Authentication and names of users.

use agentcore::{UserId, tokio};

use super::setup::{connect, open_mode, start};
use crate::auth::Tokens;
use crate::messages::Welcome;
use crate::settings::ChatSettings;

#[tokio::test]
async fn with_a_secret_users_need_their_token() {
    let tokens = Tokens::new("a secret that nobody else can know").unwrap();
    let token = tokens.issue(&UserId::new("ada").unwrap()).unwrap();
    let app = start(ChatSettings { tokens: Some(tokens), ..open_mode() }).await;
    let ada = app.connect("/ws/ada").token(&token).await;
    assert_eq!(ada.user().as_str(), "ada");
    assert_eq!(app.connect("/ws/ada").refused().await.status(), 401);
    assert_eq!(app.connect("/ws/bob").token(&token).refused().await.status(), 403);
    // A test may also connect a user without a token.
    app.connect_as("bob", "/ws/bob").await.expect::<Welcome>().await;
}

#[tokio::test]
async fn invalid_user_ids_are_refused() {
    let app = start(open_mode()).await;
    connect(&app, "Ada_1.x-2").await;
    for name in ["a%0Ab", "anon-7", "%20", "%C3%85da"] {
        assert_eq!(app.connect(format!("/ws/{name}")).refused().await.status(), 400, "{name}");
    }
}
