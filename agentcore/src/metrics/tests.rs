use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::supervise::Supervisor;

fn labels() -> Labels {
    let handlers = vec![
        HandlerLabels { message_type: "say", method: "on_say" },
        HandlerLabels { message_type: "unknown", method: "on_unknown" },
    ];
    Labels::new(&[ConsumerTypes { consumer: "Chat".to_owned(), handlers }], ["said"])
}

fn text(metrics: &Metrics) -> String {
    metrics.render(NodeMetrics::default(), Format::Prometheus)
}

#[track_caller]
fn assert_line(text: &str, line: &str) {
    assert!(text.lines().any(|other| other == line), "`{line}` is not in:\n{text}");
}

#[test]
fn the_counters_of_all_workers_are_summed() {
    let metrics = Arc::new(Metrics::new(labels(), 2, Supervisor::new()));
    for worker in [0, 1] {
        let meter = metrics.meter(worker, 0);
        meter.opened();
        meter.received(Metered::Handler(0), 100);
        meter.handled(Metered::Handler(0), Duration::from_millis(3));
    }
    let text = text(&metrics);
    assert_line(&text, "agentcore_connections_opened_total 2");
    assert_line(&text, r#"agentcore_messages_received_total{consumer="Chat",type="say"} 2"#);
    assert_line(&text, r#"agentcore_received_bytes_total{consumer="Chat",type="say"} 200"#);
    assert_line(&text, r#"agentcore_handler_duration_seconds_bucket{consumer="Chat",type="say",le="0.001"} 0"#);
    assert_line(&text, r#"agentcore_handler_duration_seconds_bucket{consumer="Chat",type="say",le="0.005"} 2"#);
    assert_line(&text, r#"agentcore_handler_duration_seconds_bucket{consumer="Chat",type="say",le="+Inf"} 2"#);
    assert_line(&text, r#"agentcore_handler_duration_seconds_sum{consumer="Chat",type="say"} 0.006"#);
    assert_line(&text, r#"agentcore_handler_duration_seconds_count{consumer="Chat",type="say"} 2"#);
}

#[test]
fn a_message_type_named_unknown_counts_with_unknown_types() {
    let metrics = Arc::new(Metrics::new(labels(), 1, Supervisor::new()));
    let meter = metrics.meter(0, 0);
    for metered in [Metered::Handler(1), Metered::Unknown, Metered::Handler(77)] {
        meter.received(metered, 1);
    }
    let sent = ["said", "error", "foreign", "other"].map(|name| (name.to_owned(), 2, 20)).to_vec();
    let outboxes = OutboxMetrics { sent, ..OutboxMetrics::default() };
    let text = metrics.render(NodeMetrics { outboxes, ..NodeMetrics::default() }, Format::Prometheus);
    assert_line(&text, r#"agentcore_messages_received_total{consumer="Chat",type="unknown"} 3"#);
    assert_line(&text, r#"agentcore_messages_sent_total{type="said"} 2"#);
    assert_line(&text, r#"agentcore_messages_sent_total{type="error"} 2"#);
    assert_line(&text, r#"agentcore_messages_sent_total{type="unknown"} 4"#);
    assert_line(&text, r#"agentcore_sent_bytes_total{type="unknown"} 40"#);
    assert!(!text.contains("foreign"));
}

#[test]
fn the_first_two_hundred_error_codes_have_their_own_series() {
    let metrics = Metrics::new(Labels::default(), 1, Supervisor::new());
    for code in 0..1000 {
        metrics.error(&format!("CODE_{code}"));
        metrics.error("CODE_7");
    }
    let text = text(&metrics);
    assert_eq!(text.lines().filter(|line| line.starts_with("agentcore_errors_total{")).count(), 201);
    assert_line(&text, r#"agentcore_errors_total{code="CODE_7"} 1001"#);
    assert_line(&text, r#"agentcore_errors_total{code="other"} 800"#);
}

/// Scrapers refuse a page that repeats a series or a metric type.
#[test]
fn every_series_occurs_once() {
    let metrics = Metrics::new(labels(), 3, Supervisor::new());
    for reason in RefusalReason::ALL {
        metrics.refused(reason);
    }
    for format in [Format::Prometheus, Format::OpenMetrics] {
        let text = metrics.render(NodeMetrics::default(), format);
        let mut series: Vec<_> =
            text.lines().map(|line| line.rsplit_once(' ').map_or(line, |(series, _)| series)).collect();
        let all = series.len();
        series.sort_unstable();
        series.dedup();
        assert_eq!(series.len(), all, "{text}");
        assert_eq!(text.ends_with("# EOF\n"), format == Format::OpenMetrics);
    }
}

#[test]
fn label_values_are_escaped() {
    let metrics = Metrics::new(Labels::default(), 1, Supervisor::new());
    metrics.error("A\"B\\C\nD");
    assert_line(&text(&metrics), r#"agentcore_errors_total{code="A\"B\\C\nD"} 1"#);
}
