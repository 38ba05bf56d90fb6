//! A snapshot of the metrics, and its text for Prometheus.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, NoLabelSet, prometheus_text, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::labels::SeriesIndex;
use super::node::{Metrics, RefusalReason};
use super::worker::BUCKET_BOUNDS;
use crate::header_list::elements;
use crate::log_output::dropped_lines;
use crate::sync::read;

/// The values that other parts of the node keep, read at the time of the scrape.
#[derive(Debug, Default)]
pub(crate) struct NodeMetrics {
    pub(crate) node: String,
    pub(crate) connections: usize,
    pub(crate) users: usize,
    pub(crate) groups: usize,
    pub(crate) draining: bool,
    pub(crate) outboxes: OutboxMetrics,
    /// Faults between the nodes, by name.
    pub(crate) backend: Vec<(&'static str, u64)>,
}

/// Contents and losses of the outboxes of a node.
#[derive(Debug, Default, Clone)]
pub(crate) struct OutboxMetrics {
    /// Copies of messages put into outboxes, and their bytes, by message type.
    pub(crate) sent: Vec<(String, u64, u64)>,
    /// Bytes waiting to be written.
    pub(crate) outbox_bytes: u64,
    /// Dropped messages, by the name of the overflow policy.
    pub(crate) dropped: Vec<(&'static str, u64)>,
    /// Messages that a newer message with the same key replaced.
    pub(crate) replaced: u64,
    /// Connections closed for reading too slowly.
    pub(crate) slow_disconnects: u64,
    /// Connections closed for being silent.
    pub(crate) heartbeat_reaps: u64,
}

/// A text format for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// The text format of Prometheus, version 0.0.4.
    Prometheus,
    /// OpenMetrics 1.0, for clients that accept it.
    OpenMetrics,
}

impl Format {
    /// Returns the format that the `Accept` header asks for.
    pub(crate) fn accepted(headers: &HeaderMap) -> Self {
        match elements(headers, ACCEPT).any(|range| range.starts_with(b"application/openmetrics-text")) {
            true => Self::OpenMetrics,
            false => Self::Prometheus,
        }
    }

    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => prometheus_text::CONTENT_TYPE,
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

impl Metrics {
    /// Writes all metrics as text.
    pub(crate) fn render(&self, node: NodeMetrics, format: Format) -> String {
        let mut registry = Registry::with_prefix("agentcore");
        registry.register_collector(Box::new(self.snapshot(node)));
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = match format {
            Format::Prometheus => prometheus_text::encode(&mut text, &registry),
            Format::OpenMetrics => text::encode(&mut text, &registry),
        };
        text
    }

    /// Sums the counters of all workers. They go on counting meanwhile, so related counters may differ slightly.
    fn snapshot(&self, node: NodeMetrics) -> MetricsSnapshot {
        let outboxes = node.outboxes;
        let mut families = vec![
            MetricFamily::gauge("connections", "Open connections", node.connections as u64),
            MetricFamily::gauge("users", "Users with an open connection", node.users as u64),
            MetricFamily::gauge("groups", "Groups with a connection of this node", node.groups as u64),
            MetricFamily::gauge("draining", "1 while the node drains", node.draining.into()),
            MetricFamily::gauge("outbox_bytes", "Bytes waiting to be written", outboxes.outbox_bytes),
        ];
        families.extend(self.received_families());
        families.extend(self.sent_families(&outboxes.sent));
        families.extend([
            MetricFamily::counter("connections_opened", "Opened connections", load(&self.connections)),
            MetricFamily::counter(
                "messages_replaced",
                "Messages that a newer message with the same key replaced",
                outboxes.replaced,
            ),
            MetricFamily::counter(
                "slow_disconnects",
                "Connections closed for reading too slowly",
                outboxes.slow_disconnects,
            ),
            MetricFamily::counter("heartbeat_reaps", "Connections closed for being silent", outboxes.heartbeat_reaps),
            MetricFamily::counter("rate_limited", "Messages refused by a rate limit", load(&self.rate_limited)),
            MetricFamily::counter(
                "log_lines_dropped",
                "Log lines of the process that nobody read or that could not be written",
                dropped_lines(),
            ),
            MetricFamily::labeled(
                "messages_dropped",
                "Messages dropped from outboxes, by overflow policy",
                "policy",
                outboxes.dropped.into_iter().map(|(policy, count)| (policy.to_owned(), count)),
            ),
            MetricFamily::labeled("backend_events", "Faults between the nodes, by kind", "event", {
                node.backend.into_iter().map(|(event, count)| (event.to_owned(), count))
            }),
            MetricFamily::labeled("admissions_refused", "Refused connections and groups, by limit", "bound", {
                let counts = RefusalReason::ALL.iter().zip(&self.refused);
                counts.map(|(reason, count)| (reason.label().to_owned(), load(count)))
            }),
            MetricFamily::labeled("errors", "Errors sent to clients, by code", "code", {
                let errors = read(&self.errors);
                let sorted: BTreeMap<_, _> =
                    errors.iter().map(|(code, count)| (code.to_string(), load(count))).collect();
                sorted.into_iter()
            }),
            MetricFamily::labeled("task_restarts", "Background tasks restarted after a panic", "task", {
                self.supervisor.restarts().into_iter().map(|(task, count)| (task.into_owned(), count))
            }),
        ]);
        MetricsSnapshot {
            node: node.node,
            started: self.started_at.seconds(),
            families,
            durations: self.handler_durations(),
        }
    }

    fn received_families(&self) -> [MetricFamily; 3] {
        let mut messages = MetricFamily::new("messages_received", "Messages from clients", MetricType::Counter);
        let mut bytes =
            MetricFamily::new("received_bytes", "Payload bytes of messages from clients", MetricType::Counter);
        let mut blocked = MetricFamily::new(
            "worker_blocked",
            "Handlers that blocked their worker for over 100 ms",
            MetricType::Counter,
        );
        for (series, labels) in self.series() {
            let mut sums = [0; 3];
            for counters in self.workers.iter().filter_map(|worker| worker.counters(series)) {
                let values = [&counters.messages, &counters.bytes, &counters.blocked];
                sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += load(value));
            }
            let with = |name, value: &str| vec![("consumer", labels.consumer.clone()), (name, value.to_owned())];
            messages.add(with("type", labels.message_type), sums[0]);
            bytes.add(with("type", labels.message_type), sums[1]);
            if labels.runs_handler {
                blocked.add(with("handler", labels.method), sums[2]);
            }
        }
        [messages, bytes, blocked]
    }

    fn sent_families(&self, sent: &[(String, u64, u64)]) -> [MetricFamily; 2] {
        let mut messages =
            MetricFamily::new("messages_sent", "Copies of messages put into outboxes", MetricType::Counter);
        let mut bytes = MetricFamily::new("sent_bytes", "Bytes of messages put into outboxes", MetricType::Counter);
        for (name, copies, size) in sent {
            let labels = vec![("type", self.labels.sent(name).to_owned())];
            messages.add(labels.clone(), *copies);
            bytes.add(labels, *size);
        }
        [messages, bytes]
    }

    fn handler_durations(&self) -> BTreeMap<LabelSet, DurationHistogram> {
        let mut all: BTreeMap<LabelSet, DurationHistogram> = BTreeMap::new();
        for (series, labels) in self.series().filter(|(_, labels)| labels.runs_handler) {
            let set = LabelSet(vec![("consumer", labels.consumer.clone()), ("type", labels.message_type.to_owned())]);
            let histogram = all.entry(set).or_default();
            for counters in self.workers.iter().filter_map(|worker| worker.counters(series)) {
                histogram.nanoseconds += load(&counters.nanoseconds);
                for (sum, bucket) in histogram.buckets.iter_mut().zip(&counters.buckets) {
                    *sum += load(bucket);
                }
            }
        }
        all
    }

    fn series(&self) -> impl Iterator<Item = (SeriesIndex, &super::labels::SeriesLabels)> {
        (0..).map(SeriesIndex).zip(&self.labels.received)
    }
}

fn load(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

/// All metrics of a node at one time.
#[derive(Debug)]
struct MetricsSnapshot {
    node: String,
    started: f64,
    families: Vec<MetricFamily>,
    durations: BTreeMap<LabelSet, DurationHistogram>,
}

/// A gauge or a counter, by its labels.
#[derive(Debug)]
struct MetricFamily {
    name: &'static str,
    help: &'static str,
    kind: MetricType,
    /// Handlers with equal labels are summed: a series may occur once only.
    values: BTreeMap<LabelSet, u64>,
}

impl MetricFamily {
    fn new(name: &'static str, help: &'static str, kind: MetricType) -> Self {
        Self { name, help, kind, values: BTreeMap::new() }
    }

    fn counter(name: &'static str, help: &'static str, value: u64) -> Self {
        let mut family = Self::new(name, help, MetricType::Counter);
        family.add(Vec::new(), value);
        family
    }

    fn gauge(name: &'static str, help: &'static str, value: u64) -> Self {
        let mut family = Self::new(name, help, MetricType::Gauge);
        family.add(Vec::new(), value);
        family
    }

    /// Creates a counter with one label.
    fn labeled(
        name: &'static str,
        help: &'static str,
        label: &'static str,
        values: impl Iterator<Item = (String, u64)>,
    ) -> Self {
        let mut family = Self::new(name, help, MetricType::Counter);
        for (value, count) in values {
            family.add(vec![(label, value)], count);
        }
        family
    }

    fn add(&mut self, labels: Vec<(&'static str, String)>, count: u64) {
        *self.values.entry(LabelSet(labels)).or_default() += count;
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct LabelSet(Vec<(&'static str, String)>);

impl EncodeLabelSet for LabelSet {
    fn encode(&self, encoder: &mut prometheus_client::encoding::LabelSetEncoder<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(name, value)| {
            use prometheus_client::encoding::EncodeLabel;
            (*name, value.as_str()).encode(encoder.encode_label())
        })
    }
}

/// The durations of a handler's runs.
#[derive(Debug, Default)]
struct DurationHistogram {
    nanoseconds: u64,
    buckets: [u64; BUCKET_BOUNDS.len() + 1],
}

impl Collector for MetricsSnapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let build = LabelSet(vec![("version", env!("CARGO_PKG_VERSION").to_owned()), ("node", self.node.clone())]);
        let mut metric = encoder.encode_descriptor("build_info", "The framework's version", None, MetricType::Gauge)?;
        ConstGauge::new(1_i64).encode(metric.encode_family(&build)?)?;
        let help = "Start of the node, in seconds since 1970";
        let metric = encoder.encode_descriptor("start_time_seconds", help, None, MetricType::Gauge)?;
        ConstGauge::new(self.started).encode(metric)?;
        for family in &self.families {
            let mut metric = encoder.encode_descriptor(family.name, family.help, None, family.kind)?;
            for (labels, value) in &family.values {
                let encoder = metric.encode_family(labels)?;
                match family.kind {
                    MetricType::Gauge => ConstGauge::new(*value).encode(encoder)?,
                    _ => ConstCounter::new(*value).encode(encoder)?,
                }
            }
        }
        let help = "Duration of handler runs, including the time they wait";
        let mut metric = encoder.encode_descriptor("handler_duration_seconds", help, None, MetricType::Histogram)?;
        for (labels, histogram) in &self.durations {
            let bounds = BUCKET_BOUNDS.iter().map(Duration::as_secs_f64).chain([f64::INFINITY]);
            let buckets: Vec<_> = bounds.zip(histogram.buckets).collect();
            let seconds = Duration::from_nanos(histogram.nanoseconds).as_secs_f64();
            let count = histogram.buckets.iter().sum();
            metric.encode_family(labels)?.encode_histogram::<NoLabelSet>(seconds, count, &buckets, None)?;
        }
        Ok(())
    }
}
