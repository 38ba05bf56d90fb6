//! Nodes that share a Redis, while it or the way to it fails: what the delivery contract promises then.
//!
//! Every test has a `redis-server` of its own, two nodes behind proxies that can fail, and clients in groups that talk all
//! the time. An oracle looks at what each client has seen: no number twice or out of order, every hole told by a resync,
//! nobody disconnected; and afterwards counts, limits and keys are what they would be without the fault.
//!
//! For long runs by hand: `CLUSTER_CLIENTS=1000` raises the clients of every test, `CLUSTER_SECONDS=600` how long the test
//! without a fault (`tests/load/faultless.sh`) and that of faults at random go on, `CLUSTER_SEED` gives other faults. `--nocapture` shows the figures.
#![expect(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test stops where it fails")]

mod churn;
mod cluster;
mod death;
mod hall;
mod judge;
mod load;
mod member;
mod memory;
mod outage;
mod partition;
mod poison;
mod process;
mod quiet;
mod rough;
mod seen;
mod storm;

/// Says a figure.
#[expect(clippy::print_stderr, reason = "it is shown with `--nocapture` only")]
fn say(line: &str) {
    eprintln!("{line}");
}
