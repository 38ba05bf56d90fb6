//! Requests over HTTP.

use agentcore::axum::http::Method;

use crate::start;

#[tokio::test]
async fn routes_of_the_application_answer() {
    let app = start().await;
    assert_eq!(app.get("/api/greeting").await.text(), "hello");
    let echo: Vec<u32> = app.request(Method::POST, "/api/echo").json(&[1, 2, 3]).await.json();
    assert_eq!(echo, [1, 2, 3]);
    let refused = app.get("/api/broken").await;
    assert_eq!((refused.status(), &*refused.error().code), (403, "FORBIDDEN"));
    assert_eq!(app.get("/nowhere").await.status(), 404);
    assert_eq!(app.get("/ready").await.json::<serde_json::Value>()["status"], "ready");
    let page = app.get("/metrics").header("accept", "text/plain").await;
    assert!(page.header("content-type").is_some_and(|kind| kind.starts_with("text/plain")), "{page}");
}
