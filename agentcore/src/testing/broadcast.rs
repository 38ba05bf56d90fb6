//! One message that several clients receive.

use serde_json::Value;

use super::client::TestClient;
use super::failing::Place;
use crate::message::Message;

/// The next message of each of these clients, which must be the same `M` for all of them, and come once.
///
/// # Panics
/// When a client is not sent an `M` next, when it is another one than the first client's, and when it comes again.
#[track_caller]
pub fn expect_broadcast<'c, M: Message>(
    clients: impl IntoIterator<Item = &'c mut TestClient>,
) -> impl Future<Output = M> {
    let (place, clients) = (Place::here("a broadcast"), clients.into_iter().collect::<Vec<_>>());
    async move {
        let data = everywhere::<M>(&place, clients, None).await;
        match serde_json::from_value(data) {
            Ok(message) => message,
            Err(error) => place.fail(format_args!("expected `{}`, but {error}", M::TYPE)),
        }
    }
}

/// Makes sure that the next message of each of these clients is `expected`, and comes once.
///
/// # Panics
/// When a client is sent something else, or nothing, or the same again.
#[track_caller]
pub fn assert_broadcast<'c, M: Message>(
    clients: impl IntoIterator<Item = &'c mut TestClient>,
    expected: &M,
) -> impl Future<Output = ()> {
    let (place, clients) = (Place::here("a broadcast"), clients.into_iter().collect::<Vec<_>>());
    let expected = match serde_json::to_value(expected) {
        Ok(expected) => expected,
        Err(error) => place.fail(format_args!("what is expected cannot be written as JSON: {error}")),
    };
    async move {
        everywhere::<M>(&place, clients, Some(expected)).await;
    }
}

/// The data that reached all of them.
async fn everywhere<M: Message>(place: &Place, clients: Vec<&mut TestClient>, expected: Option<Value>) -> Value {
    let mut expected = expected.map(|data| ("as asked for".to_owned(), data));
    let mut reached = Vec::new();
    for client in clients {
        let place = place.of(client.user().as_str());
        let received = client.take_kind(&place, M::TYPE).await;
        match &expected {
            None => expected = Some((format!("as {} received it", client.user()), received.data)),
            Some((_, data)) if *data == received.data => {}
            Some((whose, data)) => {
                place.fail(format_args!("expected `{}` {data}, {whose}, but {received} came", M::TYPE));
            }
        }
        reached.push((place, client));
    }
    let Some((_, data)) = expected else { place.fail("a broadcast to no client at all shows nothing") };
    for (place, client) in reached {
        client.settle_at(&place).await;
        let state = client.socket.state();
        if state.inbox.iter().any(|it| it.kind == M::TYPE && it.data == data) {
            place.fail(format_args!("expected `{}` {data} once, but it came again", M::TYPE));
        }
    }
    data
}
