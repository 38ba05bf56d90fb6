//! Rate limits over nodes: a user's messages count together, whichever nodes they reach.

use std::time::Duration;

use agentcore::middleware::RateLimit;
use serde_json::json;
use tests::client::Client;
use tests::hub::Hub;
use tests::server::settings;

use crate::Nodes;

const HOUR: Duration = Duration::from_secs(3600);

async fn passes(client: &mut Client) -> bool {
    retry_after(client).await.is_none()
}

/// Sends a message. Returns `None` if it passes, otherwise the time after which another one does, in milliseconds.
async fn retry_after(client: &mut Client) -> Option<u64> {
    let answer = client.ask("me", json!({})).await;
    if answer["type"] == "reply" {
        return None;
    }
    assert_eq!(answer["data"]["code"], "RATE_LIMIT_EXCEEDED", "{answer}");
    Some(answer["data"]["retry_after_ms"].as_u64().expect("a hint"))
}

on_every_backend! {
    async fn of_many_simultaneous_messages_exactly_the_quota_passes(cluster) {
        let nodes = Nodes::through(cluster, settings(), |app| app.middleware(RateLimit::per_user(25, HOUR))).await;
        let mut sending = Vec::new();
        for number in 0..8 {
            let mut client = nodes.connect(number, "ada").await;
            sending.push(tokio::spawn(async move {
                let mut passed = 0;
                for _ in 0..10 {
                    passed += usize::from(passes(&mut client).await);
                }
                passed
            }));
        }
        let mut passed = 0;
        for task in sending {
            passed += task.await.expect("no panic");
        }
        assert_eq!(passed, 25);
        assert!(passes(&mut nodes.connect(0, "bob").await).await, "others are not concerned");
        assert!(!passes(&mut nodes.connect(1, "ada").await).await, "nor does another connection help");
    }

    async fn a_message_counts_in_all_windows_or_in_none(cluster) {
        let short = Duration::from_millis(1_500);
        let limit = || RateLimit::per_user(4, HOUR).and(2, short);
        let nodes = Nodes::through(cluster, settings(), |app| app.middleware(limit())).await;
        let (mut one, mut other) = (nodes.connect(0, "ada").await, nodes.connect(1, "ada").await);
        let (mut passed, mut refused) = (0, 0);
        // The short window refuses several; only messages that passed count for the hour.
        let sending = async {
            while passed < 4 {
                let client = if (passed + refused) % 2 == 0 { &mut one } else { &mut other };
                match passes(client).await {
                    true => passed += 1,
                    false => refused += 1,
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tests::wait::soon("four messages", sending).await;
        for client in [&mut one, &mut other] {
            let hint = Duration::from_millis(retry_after(client).await.expect("four are the most in an hour"));
            assert!(hint > short, "it is the hour that refuses: {hint:?}");
        }
    }
}

/// No message passes because the backend cannot answer.
#[tokio::test]
async fn while_the_backend_does_not_answer_each_node_limits_on_its_own() {
    let hub = Hub::default();
    let nodes = Nodes::through(&hub, settings(), |app| app.middleware(RateLimit::per_user(5, HOUR))).await;
    let (mut one, mut other) = (nodes.connect(0, "ada").await, nodes.connect(1, "ada").await);
    hub.set_broken(true);
    for client in [&mut one, &mut other] {
        let mut passed = 0;
        for _ in 0..10 {
            passed += usize::from(passes(client).await);
        }
        assert_eq!(passed, 5);
    }
}
