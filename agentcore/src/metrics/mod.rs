//! The metrics of one node, and their text for `/metrics`.
//!
//! Each node has its own [`Metrics`], so two nodes in one process do not mix. Per-message counters belong to the worker
//! that handles the message: only its thread writes them, and a scrape sums them. Label values come from the catalogue
//! of messages, so clients cannot add a series.

mod labels;
mod meter;
mod node;
#[cfg(feature = "metrics")]
mod prometheus;
#[cfg(all(test, feature = "metrics"))]
mod tests;
mod watchdog;
mod worker;

pub(crate) use labels::{ConsumerTypes, HandlerLabels, Labels};
pub(crate) use meter::{Meter, Metered};
pub(crate) use node::{Metrics, RefusalReason};
#[cfg(feature = "metrics")]
pub(crate) use prometheus::{Format, NodeMetrics, OutboxMetrics};
pub(crate) use watchdog::Watchdog;
