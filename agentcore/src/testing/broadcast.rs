//! One message that several clients receive.

use serde_json::Value;

use super::call_site::CallSite;
use super::client::TestClient;
use crate::message::Message;

/// Returns the next message of each client, which must be an equal `M` for all of them and must arrive once.
///
/// # Panics
/// A client receives another message, none, or the same message twice.
#[track_caller]
pub fn expect_broadcast<'c, M: Message>(
    clients: impl IntoIterator<Item = &'c mut TestClient>,
) -> impl Future<Output = M> {
    let (site, clients) = (CallSite::here("a broadcast"), clients.into_iter().collect::<Vec<_>>());
    async move {
        let data = receive_everywhere::<M>(&site, clients, None).await;
        match serde_json::from_value(data) {
            Ok(message) => message,
            Err(error) => site.fail(format_args!("expected `{}`, but {error}", M::TYPE)),
        }
    }
}

/// Asserts that the next message of each client is `expected` and arrives once.
///
/// # Panics
/// A client receives another message, none, or the same message twice.
#[track_caller]
pub fn assert_broadcast<'c, M: Message>(
    clients: impl IntoIterator<Item = &'c mut TestClient>,
    expected: &M,
) -> impl Future<Output = ()> {
    let (site, clients) = (CallSite::here("a broadcast"), clients.into_iter().collect::<Vec<_>>());
    let expected = match serde_json::to_value(expected) {
        Ok(expected) => expected,
        Err(error) => site.fail(format_args!("the expected message cannot be written as JSON: {error}")),
    };
    async move {
        receive_everywhere::<M>(&site, clients, Some(expected)).await;
    }
}

/// Returns the data that all clients received.
async fn receive_everywhere<M: Message>(
    site: &CallSite,
    clients: Vec<&mut TestClient>,
    expected: Option<Value>,
) -> Value {
    let mut expected = expected.map(|data| ("as given".to_owned(), data));
    let mut receivers = Vec::new();
    for client in clients {
        let site = site.with_subject(client.user().as_str());
        let received = client.take_kind(&site, M::TYPE).await;
        match &expected {
            None => expected = Some((format!("as {} received it", client.user()), received.data)),
            Some((_, data)) if *data == received.data => {}
            Some((origin, data)) => {
                site.fail(format_args!("expected `{}` {data}, {origin}, but {received} came", M::TYPE));
            }
        }
        receivers.push((site, client));
    }
    let Some((_, data)) = expected else { site.fail("a broadcast needs at least one client") };
    for (site, client) in receivers {
        client.settle_at(&site).await;
        let state = client.socket.state();
        if state.inbox.iter().any(|it| it.kind == M::TYPE && it.data == data) {
            site.fail(format_args!("expected `{}` {data} once, but it came again", M::TYPE));
        }
    }
    data
}
