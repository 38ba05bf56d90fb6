//! Delivery guarantees of nodes that share a Redis, while Redis or the path to it fails.
//!
//! Every test has its own `redis-server`, two nodes behind proxies that can fail, and clients in groups that send all the
//! time. An oracle checks the record of each client: no number twice or out of order, every gap signalled by a resync, no
//! client disconnected. Afterwards counts, limits and keys are what they would be without the fault.
//!
//! For long runs by hand: `CLUSTER_CLIENTS=1000` sets the number of clients of every test, `CLUSTER_SECONDS=600` the
//! duration of the faultless test (`tests/load/faultless.sh`) and of the random faults, `CLUSTER_SEED` the random faults.
#![expect(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test stops where it fails")]

mod application;
mod bad_network;
mod churn;
mod cluster;
mod failover;
mod faultless;
mod load;
mod member;
mod memory;
mod node_death;
mod oracle;
mod outage;
mod partition;
mod poison;
mod process;
mod random;
mod record;

/// Prints a measured value; `--nocapture` shows it.
#[expect(clippy::print_stderr, reason = "it is shown with `--nocapture` only")]
fn say(line: &str) {
    eprintln!("{line}");
}
