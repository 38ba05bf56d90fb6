//! The address of a client: only trusted proxies may state it.

use agentcore::axum::Router;
use agentcore::axum::extract::ConnectInfo;
use agentcore::axum::routing::get;
use agentcore::extract::ClientIp;
use tests::raw::handshake;
use tests::server::Server;

use crate::*;

async fn behind(proxies: &str) -> Inside {
    let mut settings = embedded();
    settings.trusted_proxies = proxies.parse().expect("a list");
    Inside::of(open(settings).0).await
}

/// Returns the address that the server sees for the client.
async fn seen(server: &Inside, forwarded: &[&str]) -> Value {
    let mut request = "ws://localhost/ws".into_client_request().expect("a request");
    for value in forwarded {
        request.headers_mut().append("x-forwarded-for", value.parse().expect("a header"));
    }
    let mut client = Client::over(Box::new(server.reach(Some(PEER))), request).await.expect("the server lets it in");
    who(&mut client).await["ip"].clone()
}

#[tokio::test]
async fn the_header_of_a_trusted_proxy_counts_and_no_other() {
    for (proxies, forwarded, expected) in [
        ("", &["198.51.100.1"][..], "203.0.113.9"),
        ("10.0.0.0/8", &["198.51.100.1"], "203.0.113.9"),
        ("203.0.113.0/24", &["198.51.100.1"], "198.51.100.1"),
        ("203.0.113.9", &["1.2.3.4, 198.51.100.1"], "198.51.100.1"),
        ("203.0.113.9, 10.0.0.0/8", &["1.2.3.4", "198.51.100.1, 10.0.0.7"], "198.51.100.1"),
        ("203.0.113.9", &["2001:db8::1"], "2001:db8::1"),
        ("203.0.113.9", &[], "203.0.113.9"),
    ] {
        assert_eq!(seen(&behind(proxies).await, forwarded).await, expected, "{proxies} {forwarded:?}");
    }
}

#[tokio::test]
async fn the_server_passes_addresses_to_consumers_and_rest_handlers() {
    async fn peer(ConnectInfo(peer): ConnectInfo<SocketAddr>, ClientIp(ip): ClientIp) -> String {
        format!("{} {}", peer.ip(), ip.map_or_else(|| "nowhere".to_owned(), |ip| ip.to_string()))
    }
    let mut settings = settings();
    settings.trusted_proxies = "127.0.0.1".parse().expect("a list");
    let (app, _) = open(settings);
    let server = Server::start(app.routes(Router::new().route("/peer", get(peer)))).await;
    let mut client = Client::connect(&server, "/ws").await;
    assert_eq!(who(&mut client).await["ip"], "127.0.0.1");
    assert_eq!(tests::http::get(&server, "/peer").await.body, "127.0.0.1 127.0.0.1");
    let request = "GET /peer HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 198.51.100.7\r\n\r\n";
    assert_eq!(Raw::handshake(&server, request.as_bytes()).await.1.body, "127.0.0.1 198.51.100.7");
}

#[tokio::test]
async fn without_addresses_there_is_no_limit_and_one_warning() {
    let (log, _guard) = tests::log::Log::capture(tracing::Level::INFO);
    let mut settings = embedded();
    settings.max_connections_per_ip = 1;
    let server = Inside::of(open(settings).0).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut raw = Raw::over(server.reach(None));
        raw.send(handshake("/ws").as_bytes()).await;
        assert_eq!(raw.answer(b"").await.status, 101);
        held.push(raw);
    }
    let lines = log.lines_with("MAX_CONNECTIONS_PER_IP has no effect");
    assert!(lines.len() == 1 && lines[0].contains("into_make_service_with_connect_info"), "{lines:?}");
}
