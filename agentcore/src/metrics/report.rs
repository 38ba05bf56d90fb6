//! The figures of one moment, and their text for Prometheus.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, NoLabelSet, prometheus_text, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::cells::BOUNDS;
use super::{Bound, Metrics};

/// What others know at the moment of the report.
#[derive(Debug, Default)]
pub(crate) struct Gauges {
    pub(crate) node: String,
    pub(crate) connections: usize,
    pub(crate) users: usize,
    pub(crate) groups: usize,
    pub(crate) draining: bool,
    pub(crate) outgoing: Outgoing,
    /// What went wrong between the nodes, by name.
    pub(crate) backend: Vec<(&'static str, u64)>,
}

/// What the outboxes of a node hold and have lost.
#[derive(Debug, Default, Clone)]
pub(crate) struct Outgoing {
    /// Copies of messages put into outboxes, and their bytes, by type.
    pub(crate) sent: Vec<(String, u64, u64)>,
    /// What waits to be written.
    pub(crate) outbox_bytes: u64,
    /// Messages that were dropped, by the name of the policy.
    pub(crate) dropped: Vec<(&'static str, u64)>,
    /// Messages whose place a newer one of the same key took.
    pub(crate) replaced: u64,
    /// Connections that were closed because they read too slowly.
    pub(crate) slow_disconnects: u64,
    /// Connections that were closed because nothing came from them.
    pub(crate) heartbeat_reaps: u64,
}

/// In which form the figures are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// The text format of Prometheus, version 0.0.4.
    Prometheus,
    /// OpenMetrics 1.0, for those who ask for it.
    OpenMetrics,
}

impl Format {
    /// The form that an `Accept` header asks for.
    pub(crate) fn accepted(accept: Option<&str>) -> Self {
        match accept {
            Some(accept) if accept.contains("application/openmetrics-text") => Self::OpenMetrics,
            _ => Self::Prometheus,
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
    /// All figures as text.
    pub(crate) fn render(&self, gauges: Gauges, format: Format) -> String {
        let mut registry = Registry::with_prefix("agentcore");
        registry.register_collector(Box::new(self.report(gauges)));
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = match format {
            Format::Prometheus => prometheus_text::encode(&mut text, &registry),
            Format::OpenMetrics => text::encode(&mut text, &registry),
        };
        text
    }

    /// Sums the cells. Nothing stands still meanwhile, so a message may be counted and its bytes not yet.
    fn report(&self, gauges: Gauges) -> Report {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let mut report = Report {
            node: gauges.node,
            started: self.started_at.seconds(),
            figures: vec![
                Figure::gauge("connections", "Open connections", gauges.connections),
                Figure::gauge("users", "Users with an open connection", gauges.users),
                Figure::gauge("groups", "Groups with a connection of this node", gauges.groups),
                Figure::gauge("draining", "1 while the node is about to end", usize::from(gauges.draining)),
            ],
            ..Report::default()
        };
        let outgoing = gauges.outgoing;
        report.figures.push(Figure {
            kind: MetricType::Gauge,
            ..Figure::plain("outbox_bytes", "Bytes that wait to be written", outgoing.outbox_bytes)
        });
        report.figures.extend(self.by_type());
        report.figures.extend(self.sent(&outgoing.sent));
        report.figures.extend([
            Figure::plain("connections_opened", "Connections that were opened", load(&self.connections)),
            Figure::plain("messages_replaced", "Messages whose place a newer one of their key took", outgoing.replaced),
            Figure::plain("slow_disconnects", "Connections closed for reading too slowly", outgoing.slow_disconnects),
            Figure::plain("heartbeat_reaps", "Connections closed for being silent", outgoing.heartbeat_reaps),
            Figure::plain("rate_limited", "Messages that met a rate limit", load(&self.rate_limited)),
            Figure::by("messages_dropped", "Messages dropped from outboxes, by overflow policy", "policy", {
                outgoing.dropped.into_iter().map(|(policy, count)| (policy.to_owned(), count))
            }),
            Figure::by("backend_events", "What went wrong between the nodes, by kind", "event", {
                gauges.backend.into_iter().map(|(event, count)| (event.to_owned(), count))
            }),
            Figure::by("admissions_refused", "Connections and groups refused, by the bound they met", "bound", {
                Bound::ALL.iter().zip(&self.refused).map(|(bound, count)| (bound.label().to_owned(), load(count)))
            }),
            Figure::by("errors", "Errors told to clients, by code", "code", {
                let errors = self.errors.read().unwrap_or_else(PoisonError::into_inner);
                let sorted: BTreeMap<_, _> =
                    errors.iter().map(|(code, count)| (code.to_string(), load(count))).collect();
                sorted.into_iter()
            }),
            Figure::by("task_restarts", "Background tasks started again after a panic", "task", {
                self.supervisor.restarts().into_iter().map(|(task, count)| (task.into_owned(), count))
            }),
        ]);
        report.durations = self.durations();
        report
    }

    fn by_type(&self) -> [Figure; 3] {
        let mut received = Figure::new("messages_received", "Messages of clients");
        let mut received_bytes = Figure::new("received_bytes", "Payload bytes of clients' messages");
        let mut held = Figure::new("worker_held", "Handlers that held their worker for over 100 ms");
        for (at, labels) in self.labels.received.iter().enumerate() {
            let cells = self.workers.iter().filter_map(|cells| cells.of(at));
            let [messages, bytes, times] = cells.fold([0; 3], |[messages, bytes, times], cell| {
                [
                    messages + cell.messages.load(Ordering::Relaxed),
                    bytes + cell.bytes.load(Ordering::Relaxed),
                    times + cell.held.load(Ordering::Relaxed),
                ]
            });
            let of =
                |name: &'static str, value: &str| vec![("consumer", labels.consumer.clone()), (name, value.to_owned())];
            received.add(of("type", labels.message_type), messages);
            received_bytes.add(of("type", labels.message_type), bytes);
            if labels.handled {
                held.add(of("handler", labels.method), times);
            }
        }
        [received, received_bytes, held]
    }

    fn sent(&self, sent: &[(String, u64, u64)]) -> [Figure; 2] {
        let mut messages = Figure::new("messages_sent", "Copies of messages put into outboxes");
        let mut bytes = Figure::new("sent_bytes", "Bytes of messages put into outboxes");
        for (name, copies, size) in sent {
            let labels = vec![("type", self.labels.sent(name).to_owned())];
            messages.add(labels.clone(), *copies);
            bytes.add(labels, *size);
        }
        [messages, bytes]
    }

    fn durations(&self) -> BTreeMap<LabelSet, Durations> {
        let mut all: BTreeMap<LabelSet, Durations> = BTreeMap::new();
        for (at, labels) in self.labels.received.iter().enumerate().filter(|(_, labels)| labels.handled) {
            let set = LabelSet(vec![("consumer", labels.consumer.clone()), ("type", labels.message_type.to_owned())]);
            let durations = all.entry(set).or_default();
            for cell in self.workers.iter().filter_map(|cells| cells.of(at)) {
                durations.nanoseconds += cell.nanoseconds.load(Ordering::Relaxed);
                for (sum, bucket) in durations.buckets.iter_mut().zip(&cell.buckets) {
                    *sum += bucket.load(Ordering::Relaxed);
                }
            }
        }
        all
    }
}

/// The figures of one moment.
#[derive(Debug, Default)]
struct Report {
    node: String,
    started: f64,
    figures: Vec<Figure>,
    durations: BTreeMap<LabelSet, Durations>,
}

/// A gauge or a counter, by its labels.
#[derive(Debug)]
struct Figure {
    name: &'static str,
    help: &'static str,
    kind: MetricType,
    /// Two handlers of one name count together: a series may be there once only.
    values: BTreeMap<LabelSet, u64>,
}

impl Figure {
    fn new(name: &'static str, help: &'static str) -> Self {
        Self { name, help, kind: MetricType::Counter, values: BTreeMap::new() }
    }

    fn plain(name: &'static str, help: &'static str, value: u64) -> Self {
        let mut figure = Self::new(name, help);
        figure.add(Vec::new(), value);
        figure
    }

    fn gauge(name: &'static str, help: &'static str, value: usize) -> Self {
        Self { kind: MetricType::Gauge, ..Self::plain(name, help, value as u64) }
    }

    fn by(
        name: &'static str,
        help: &'static str,
        label: &'static str,
        values: impl Iterator<Item = (String, u64)>,
    ) -> Self {
        let mut figure = Self::new(name, help);
        for (value, count) in values {
            figure.add(vec![(label, value)], count);
        }
        figure
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

/// How long handlers took.
#[derive(Debug, Default)]
struct Durations {
    nanoseconds: u64,
    buckets: [u64; BOUNDS.len() + 1],
}

impl Collector for Report {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let build = LabelSet(vec![("version", env!("CARGO_PKG_VERSION").to_owned()), ("node", self.node.clone())]);
        let mut metric = encoder.encode_descriptor("build_info", "The framework's version", None, MetricType::Gauge)?;
        ConstGauge::new(1_i64).encode(metric.encode_family(&build)?)?;
        let help = "When the node started, in seconds since 1970";
        let metric = encoder.encode_descriptor("start_time_seconds", help, None, MetricType::Gauge)?;
        ConstGauge::new(self.started).encode(metric)?;
        for figure in &self.figures {
            let mut metric = encoder.encode_descriptor(figure.name, figure.help, None, figure.kind)?;
            for (labels, value) in &figure.values {
                let family = metric.encode_family(labels)?;
                match figure.kind {
                    MetricType::Gauge => ConstGauge::new(*value).encode(family)?,
                    _ => ConstCounter::new(*value).encode(family)?,
                }
            }
        }
        let help = "How long handlers took, waiting included";
        let mut metric = encoder.encode_descriptor("handler_duration_seconds", help, None, MetricType::Histogram)?;
        for (labels, durations) in &self.durations {
            let bounds = BOUNDS.iter().map(std::time::Duration::as_secs_f64).chain([f64::INFINITY]);
            let buckets: Vec<_> = bounds.zip(durations.buckets).collect();
            let seconds = std::time::Duration::from_nanos(durations.nanoseconds).as_secs_f64();
            let count = durations.buckets.iter().sum();
            metric.encode_family(labels)?.encode_histogram::<NoLabelSet>(seconds, count, &buckets, None)?;
        }
        Ok(())
    }
}
