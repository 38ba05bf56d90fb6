//! A node that cannot start leaves no trace.

use agentcore::AgentCore;
use agentcore::axum::Router;
use agentcore::axum::routing::get;
use tests::redis::Redis;
use tests::server::{Server, settings};

use crate::room;

#[tokio::test]
async fn a_node_that_cannot_listen_leaves_the_cluster() {
    let Some(redis) = Redis::start() else { return };
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let mut occupied = settings();
    occupied.port = taken.local_addr().expect("an address").port();
    let app = || room(occupied.clone()).0.backend(redis.backend());
    let other_twice = Router::new().route("/room/{other}", get(async || "mine"));

    app().serve().await.expect_err("the port is taken");
    assert_eq!(redis.keys(), Vec::<String>::new());
    app().routes(other_twice.clone()).build().await.expect_err("the path is taken");
    assert_eq!(redis.keys(), Vec::<String>::new());

    let lives = Server::start(node(&redis)).await;
    app().serve().await.expect_err("the port is taken");
    app().routes(other_twice).build().await.expect_err("the path is taken");
    assert!(lives.manager.group_members("g").await.expect("a list").complete, "nobody else is asked");
    lives.stop().await;
    assert_eq!(redis.keys(), Vec::<String>::new());
}

fn node(redis: &Redis) -> AgentCore {
    room(settings()).0.backend(redis.backend())
}
