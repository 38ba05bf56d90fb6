//! Requests over HTTP.

use std::net::IpAddr;

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

#[tokio::test]
async fn a_request_comes_from_the_address_that_the_test_gives() {
    let app = start().await;
    assert_eq!(app.get("/api/address").await.json::<IpAddr>(), IpAddr::from([127, 0, 0, 1]));
    let address = IpAddr::from([192, 0, 2, 1]);
    assert_eq!(app.get("/api/address").ip(address).await.json::<IpAddr>(), address);
}
