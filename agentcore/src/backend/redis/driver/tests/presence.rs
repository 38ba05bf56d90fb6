//! Presence over nodes: each join and leave is announced once.

use super::super::*;
use super::fixture::*;

async fn two(redis: &TestRedis) -> (TestNode, TestNode, Receiver, Arc<dyn Subscription>) {
    let (one, two) = (redis.node("one").await, redis.node("two").await);
    let (receiver, subscription) = Receiver::on(redis, vec![Channel::Group(group("g"))]).await;
    (one, two, receiver, subscription)
}

async fn present(node: &TestNode) -> usize {
    node.commands.present_counts(vec![group("nobody"), group("g")]).await.unwrap()[1]
}

async fn only_the_first_enter_and_the_last_exit_are_announced(redis: TestRedis) {
    let (one, two, receiver, _subscription) = two(&redis).await;
    one.write(enter("g", "ada")).await;
    one.write(enter("g", "ada")).await;
    two.write(enter("g", "ada")).await;
    assert_eq!(present(&one).await, 1);
    one.write(exit("g", "ada", false)).await;
    one.write(exit("g", "ada", false)).await;
    assert_eq!(present(&one).await, 1);
    two.write(exit("g", "ada", false)).await;
    assert_eq!(present(&one).await, 0);
    two.write(enter("g", "ada")).await;
    assert_eq!(receiver.wait_for(3).await, ["ada joined", "ada left", "ada joined"]);
}

async fn a_lost_presence_is_announced_once_after_its_grace_period(redis: TestRedis) {
    let (one, two, receiver, _subscription) = two(&redis).await;
    one.write(enter("g", "ada")).await;
    one.write(exit("g", "ada", true)).await;
    assert_eq!(present(&two).await, 0);
    let next = two.renew().await.unwrap().next_leave.unwrap();
    assert!(next <= GRACE && next > GRACE / 2, "{next:?}");
    assert!(two.commands.announce_left().await.unwrap().unwrap() <= GRACE);
    let renewing = [one.renewing(), two.renewing()];
    tokio::time::sleep(GRACE + Duration::from_millis(2)).await;
    let (first, second) = tokio::join!(one.commands.announce_left(), two.commands.announce_left());
    assert_eq!((first.unwrap(), second.unwrap()), (None, None));
    one.write(enter("g", "ada")).await;
    assert_eq!(receiver.wait_for(3).await, ["ada joined", "ada left", "ada joined"]);
    renewing.iter().for_each(tokio::task::AbortHandle::abort);
}

async fn a_user_who_returns_within_the_grace_period_is_not_announced(redis: TestRedis) {
    let (one, two, receiver, _subscription) = two(&redis).await;
    one.write(enter("g", "ada")).await;
    one.write(exit("g", "ada", true)).await;
    two.write(enter("g", "ada")).await;
    assert_eq!(present(&one).await, 1);
    let renewing = [one.renewing(), two.renewing()];
    tokio::time::sleep(GRACE + Duration::from_millis(2)).await;
    assert_eq!(one.commands.announce_left().await.unwrap(), None);
    two.write(enter("g", "bob")).await;
    assert_eq!(receiver.wait_for(2).await, ["ada joined", "bob joined"]);
    renewing.iter().for_each(tokio::task::AbortHandle::abort);
}

async fn more_grace_periods_end_at_once_than_fit_in_one_step(redis: TestRedis) {
    let (one, _two, receiver, _subscription) = two(&redis).await;
    let names: Vec<_> = (0..1_200).map(|number| format!("u{number}")).collect();
    for each in [|name: &str| enter("g", name), |name: &str| exit("g", name, true)] {
        let changes = names.iter().map(|name| each(name)).collect();
        one.commands.write(one.lease, changes).await.unwrap().unwrap();
    }
    let renewing = one.renewing();
    tokio::time::sleep(GRACE + Duration::from_millis(2)).await;
    assert_eq!(one.commands.announce_left().await.unwrap(), None);
    assert_eq!(receiver.wait_for(2_400).await.iter().filter(|text| text.ends_with("left")).count(), 1_200);
    renewing.abort();
}

async fn the_latest_leave_message_is_published(redis: TestRedis) {
    let (one, two, receiver, _subscription) = two(&redis).await;
    one.write(enter("g", "ada")).await;
    let Change::Enter(ada) = enter("g", "ada") else { unreachable!() };
    one.write(Change::Enter(EnterPresence { left: Bytes::from_static(b"ada has left"), ..ada })).await;
    two.commands.remove(one.lease.lease, false).await.unwrap();
    assert_eq!(present(&two).await, 1, "a live lease is not removed");
    one.write(exit("g", "ada", false)).await;
    assert_eq!(receiver.wait_for(2).await, ["ada joined", "ada has left"]);
}

on_both!(
    only_the_first_enter_and_the_last_exit_are_announced,
    a_lost_presence_is_announced_once_after_its_grace_period,
    a_user_who_returns_within_the_grace_period_is_not_announced,
    more_grace_periods_end_at_once_than_fit_in_one_step,
    the_latest_leave_message_is_published,
);
