//! One message for several clients.

use agentcore::testing::{assert_broadcast, expect_broadcast};

use crate::{Said, enter, said, say, start};

#[tokio::test]
async fn a_broadcast_is_the_same_for_all() {
    let app = start().await;
    let mut alice = app.connect("/room/alice").await;
    let mut bob = app.connect("/room/bob").await;
    for client in [&mut alice, &mut bob] {
        client.ignore("entered");
        client.request::<()>(&enter()).await;
    }
    alice.send(&say("one")).await;
    assert_broadcast([&mut alice, &mut bob], &said("alice", "one")).await;
    bob.send(&say("two")).await;
    assert_eq!(expect_broadcast::<Said>([&mut alice, &mut bob]).await, said("bob", "two"));
    alice.expect_nothing().await;
    bob.expect_nothing().await;
}
