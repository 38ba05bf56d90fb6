//! An authenticator decides before the upgrade.

use crate::*;

#[tokio::test(start_paused = true)]
async fn a_refusal_precedes_the_upgrade_and_has_its_own_status() {
    let (server, journal) = guarded().await;
    for (path, status, code) in [
        ("/ws", 401, "UNAUTHENTICATED"),
        ("/ws?token=", 401, "UNAUTHENTICATED"),
        ("/ws?token=bad", 401, "UNAUTHENTICATED"),
        ("/ws?token=banned", 403, "FORBIDDEN"),
        ("/ws?token=away", 503, "BACKEND_UNAVAILABLE"),
        ("/ws?token=ada%3Flasted%3D1", 401, "UNAUTHENTICATED"),
        ("/ws?token=anon-1", 403, "FORBIDDEN"),
        ("/as/bob?token=ada", 403, "FORBIDDEN"),
        ("/as/bob", 401, "UNAUTHENTICATED"),
        ("/ws?token=panic", 500, "INTERNAL_ERROR"),
        ("/ws?token=hang", 503, "TIMEOUT"),
    ] {
        let (answered, error) = refusal(&server, path, &[]).await;
        assert_eq!((answered, error["code"].as_str()), (status, Some(code)), "{path}: {error}");
        assert!(!error.to_string().contains("panicked"), "{error}");
    }
    nothing_happened(&server, &journal).await;
}

#[tokio::test]
async fn the_authenticators_result_is_the_identity() {
    let (server, journal) = guarded().await;
    let mut ada = connect(&server, "/ws?token=ada%3Frole%3Dadmin").await;
    assert_eq!(who(&mut ada).await, json!({ "user": "ada", "role": "admin", "ip": "203.0.113.9" }));
    let mut bob = connect(&server, "/as/bob?token=bob").await;
    assert_eq!(who(&mut bob).await["user"], "bob");
    assert_eq!(journal.lines(), ["connect ada", "connect bob"]);
    let ids = server.manager.connections_of("ada").await.expect("a list").items;
    let connection = server.manager.connection_info(ids[0]).expect("it is here");
    assert_eq!(connection.identity.claim::<String>("role").as_deref(), Some("admin"));
    assert_eq!(connection.ip, Some(PEER.ip()));
}

#[tokio::test]
async fn a_token_may_come_as_a_subprotocol_which_is_never_chosen() {
    let (server, _) = guarded().await;
    let offer = ("Sec-WebSocket-Protocol", "agentcore.token.ada, agentcore.v1.json");
    let answer = shake(&server, "/ws", &[offer]).await.1;
    assert_eq!((answer.status, answer.header("sec-websocket-protocol")), (101, Some("agentcore.v1.json")));
    let answer = shake(&server, "/ws", &[("Authorization", "Bearer ada")]).await.1;
    assert_eq!(answer.status, 101);
    let (status, error) = refusal(&server, "/ws", &[("Sec-WebSocket-Protocol", "agentcore.token.secret-1")]).await;
    assert_eq!(status, 400, "a browser would not connect without a chosen one");
    assert!(!error.to_string().contains("secret-1"), "{error}");
}

#[tokio::test]
async fn an_unauthenticated_response_names_the_scheme() {
    let (server, _) = guarded().await;
    let answer = shake(&server, "/ws", &[]).await.1;
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
}

#[tokio::test]
async fn without_an_authenticator_the_path_names_the_user_or_nobody_does() {
    let (app, _) = open(embedded());
    let server = Inside::of(app).await;
    assert_eq!(who(&mut connect(&server, "/as/ada").await).await["user"], "ada");
    let (mut one, mut other) = (connect(&server, "/ws").await, connect(&server, "/ws").await);
    let users = [who(&mut one).await["user"].clone(), who(&mut other).await["user"].clone()];
    assert!(users.iter().all(|user| user.as_str().is_some_and(|user| user.starts_with("anon-"))), "{users:?}");
    assert_ne!(users[0], users[1]);
    let (status, error) = refusal(&server, "/as/anon-1", &[]).await;
    assert_eq!((status, error["code"].as_str()), (400, Some("VALIDATION_FAILED")), "nobody claims that prefix");
    // There is no authenticator, so there is nothing to renew.
    let error = one.ask("agentcore.auth", json!({ "token": "x" })).await;
    assert_eq!(error["data"]["code"], "UNKNOWN_MESSAGE_TYPE");
}

#[tokio::test]
async fn two_authenticators_are_an_error_at_start() {
    let (app, journal) = open(embedded());
    let tokens = || Tokens { journal: journal.clone() };
    let error = app.authenticator(tokens()).authenticator(tokens()).build().await.expect_err("one decides");
    assert!(error.message().contains("two authenticators"), "{error}");
}

#[tokio::test]
async fn no_line_of_the_log_has_a_token() {
    let (log, _guard) = tests::log::Log::capture(tracing::Level::TRACE);
    let (server, _) = guarded().await;
    let offer = "agentcore.v1.json, agentcore.token.bad?x=secret-1";
    for (path, headers) in [
        ("/ws?token=bad%3Fx%3Dsecret-1", &[][..]),
        ("/ws?token=ada%3Fx%3Dsecret-1", &[]),
        ("/as/bob?token=ada%3Fx%3Dsecret-1", &[]),
        ("/ws", &[("Authorization", "Bearer bad?x=secret-1")]),
        ("/ws", &[("Sec-WebSocket-Protocol", offer)]),
    ] {
        shake(&server, path, headers).await;
    }
    let mut ada = connect(&server, "/ws?token=ada").await;
    ada.ask("agentcore.auth", json!({ "token": "bad?x=secret-1" })).await;
    assert_eq!(log.lines_with("auth_failed").len(), 1, "at most one line a second");
    // The test's own client logs the frames it sends.
    let lines = log.lines_with("secret-1").into_iter().filter(|line| !line.contains("tungstenite::protocol"));
    assert_eq!(lines.collect::<Vec<_>>(), [""; 0]);
}
