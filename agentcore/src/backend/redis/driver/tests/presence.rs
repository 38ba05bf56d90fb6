//! Presence over nodes: announced once, by whoever it is.

use super::super::*;
use super::fixture::*;

async fn two(redis: &TestRedis) -> (TestNode, TestNode, Receiver, Arc<dyn Subscription>) {
    let (one, two) = (redis.node("one").await, redis.node("two").await);
    let (receiver, subscription) = Receiver::on(redis, vec![Channel::Group(group("g"))]).await;
    (one, two, receiver, subscription)
}

async fn present(node: &TestNode) -> usize {
    node.commands.present(vec![group("nobody"), group("g")]).await.unwrap()[1]
}

async fn the_first_node_announces_and_the_last(redis: TestRedis) {
    let (one, two, receiver, _subscription) = two(&redis).await;
    one.write(entering("g", "ada")).await;
    one.write(entering("g", "ada")).await;
    two.write(entering("g", "ada")).await;
    assert_eq!(present(&one).await, 1);
    one.write(exiting("g", "ada", false)).await;
    one.write(exiting("g", "ada", false)).await;
    assert_eq!(present(&one).await, 1);
    two.write(exiting("g", "ada", false)).await;
    assert_eq!(present(&one).await, 0);
    two.write(entering("g", "ada")).await;
    assert_eq!(receiver.wait_for(3).await, ["ada joined", "ada left", "ada joined"]);
}

async fn a_lost_one_is_announced_when_its_grace_is_over_by_one_of_all(redis: TestRedis) {
    let (one, two, receiver, _subscription) = two(&redis).await;
    one.write(entering("g", "ada")).await;
    one.write(exiting("g", "ada", true)).await;
    assert_eq!(present(&two).await, 0);
    let next = two.renew().await.unwrap().next_left.unwrap();
    assert!(next <= GRACE && next > GRACE / 2, "{next:?}");
    assert!(two.commands.announce_left().await.unwrap().unwrap() <= GRACE);
    let renewing = [one.renewing(), two.renewing()];
    tokio::time::sleep(GRACE + Duration::from_millis(2)).await;
    let (first, second) = tokio::join!(one.commands.announce_left(), two.commands.announce_left());
    assert_eq!((first.unwrap(), second.unwrap()), (None, None));
    one.write(entering("g", "ada")).await;
    assert_eq!(receiver.wait_for(3).await, ["ada joined", "ada left", "ada joined"]);
    renewing.iter().for_each(tokio::task::AbortHandle::abort);
}

async fn who_comes_back_within_the_grace_was_never_gone(redis: TestRedis) {
    let (one, two, receiver, _subscription) = two(&redis).await;
    one.write(entering("g", "ada")).await;
    one.write(exiting("g", "ada", true)).await;
    two.write(entering("g", "ada")).await;
    assert_eq!(present(&one).await, 1);
    let renewing = [one.renewing(), two.renewing()];
    tokio::time::sleep(GRACE + Duration::from_millis(2)).await;
    assert_eq!(one.commands.announce_left().await.unwrap(), None);
    two.write(entering("g", "bob")).await;
    assert_eq!(receiver.wait_for(2).await, ["ada joined", "bob joined"]);
    renewing.iter().for_each(tokio::task::AbortHandle::abort);
}

async fn more_graces_end_at_once_than_one_step_takes(redis: TestRedis) {
    let (one, _two, receiver, _subscription) = two(&redis).await;
    let names: Vec<_> = (0..1_200).map(|number| format!("u{number}")).collect();
    for each in [|name: &str| entering("g", name), |name: &str| exiting("g", name, true)] {
        let changes = names.iter().map(|name| each(name)).collect();
        one.commands.write(one.writer, changes).await.unwrap().unwrap();
    }
    let renewing = one.renewing();
    tokio::time::sleep(GRACE + Duration::from_millis(2)).await;
    assert_eq!(one.commands.announce_left().await.unwrap(), None);
    assert_eq!(receiver.wait_for(2_400).await.iter().filter(|text| text.ends_with("left")).count(), 1_200);
    renewing.abort();
}

async fn the_last_left_message_is_the_one_that_counts(redis: TestRedis) {
    let (one, two, receiver, _subscription) = two(&redis).await;
    one.write(entering("g", "ada")).await;
    let Change::Enter(ada) = entering("g", "ada") else { unreachable!() };
    one.write(Change::Enter(EnterPresence { left: Bytes::from_static(b"ada has left"), ..ada })).await;
    two.commands.remove(one.writer.lease, false).await.unwrap();
    assert_eq!(present(&two).await, 1, "a live lease is not removed");
    one.write(exiting("g", "ada", false)).await;
    assert_eq!(receiver.wait_for(2).await, ["ada joined", "ada has left"]);
}

on_both!(
    the_first_node_announces_and_the_last,
    a_lost_one_is_announced_when_its_grace_is_over_by_one_of_all,
    who_comes_back_within_the_grace_was_never_gone,
    more_graces_end_at_once_than_one_step_takes,
    the_last_left_message_is_the_one_that_counts,
);
