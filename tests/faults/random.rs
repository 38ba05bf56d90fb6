//! Random faults of all kinds, overlapping.

use std::time::Duration;

use tests::proxy::{Links, Mode};
use tokio::time::{Instant, sleep};

use crate::application::now;
use crate::churn::Dice;
use crate::cluster::Cluster;
use crate::load::{Load, number};
use crate::poison::publish;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_faults_lose_nothing_silently() {
    let Some(mut cluster) = Cluster::talking(Load::some()).await else { return };
    cluster.churn();
    let seed = number("CLUSTER_SEED") as u64;
    let mut dice = Dice::new(seed + 7);
    let end = Instant::now() + Duration::from_secs(number("CLUSTER_SECONDS").max(10) as u64);
    let mut story = Vec::new();
    while Instant::now() < end {
        story.push(one_more(&cluster, &mut dice).await);
    }
    for node in &cluster.nodes {
        node.proxy.set(Links::All, Mode::Pass);
    }
    crate::say(&format!("seed {seed}: {}", story.join(", ")));
    let verdict = cluster.ends_well(now()).await;
    assert!(verdict.missed > 0, "the faults were felt");
}

/// Injects one fault for a while; some overlap the next one.
async fn one_more(cluster: &Cluster, dice: &mut Dice) -> String {
    let at = dice.below(cluster.nodes.len());
    let proxy = &cluster.nodes[at].proxy;
    let links = dice.one_of(&[Links::All, Links::Subscriptions, Links::Commands]);
    let time = Duration::from_millis(dice.below(1_500) as u64 + 20);
    match dice.below(12) {
        0..=6 => {
            let late = Mode::Late(Duration::from_millis(100));
            let mode = dice.one_of(&[Mode::Hang, Mode::Deaf, Mode::Mute, Mode::Refuse, late, Mode::Narrow(50_000)]);
            proxy.set(links, mode);
            sleep(time).await;
            if dice.below(4) > 0 {
                proxy.set(links, Mode::Pass);
            }
            format!("{mode:?} of {links:?} of {at} for {time:?}")
        }
        7 | 8 => {
            proxy.cut(links);
            sleep(time / 4).await;
            format!("cut of {links:?} of {at}")
        }
        9 => {
            cluster.redis.does::<()>(&["FLUSHALL"]);
            sleep(time / 4).await;
            "flush".to_owned()
        }
        10 => {
            publish(cluster, b"ws:group:g1", b"\xff");
            "poison".to_owned()
        }
        _ if dice.below(2) == 0 => {
            cluster.redis.freeze();
            sleep(time).await;
            cluster.redis.thaw();
            format!("freeze for {time:?}")
        }
        _ => {
            cluster.redis.kill();
            sleep(time / 2).await;
            cluster.redis.revive();
            format!("restart within {:?}", time / 2)
        }
    }
}
