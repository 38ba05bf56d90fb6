use std::time::Duration;

use super::*;

fn labels() -> Labels {
    let handlers =
        vec![Named { message_type: "say", method: "on_say" }, Named { message_type: "unknown", method: "on_unknown" }];
    Labels::new(&[ConsumerTypes { consumer: "Chat".to_owned(), handlers }], ["said"])
}

fn text(metrics: &Metrics) -> String {
    metrics.render(Gauges::default(), Format::Prometheus)
}

#[track_caller]
fn says(text: &str, line: &str) {
    assert!(text.lines().any(|other| other == line), "`{line}` is not in:\n{text}");
}

#[test]
fn the_cells_of_all_workers_are_summed() {
    let metrics = Arc::new(Metrics::new(labels(), 2, Supervisor::new()));
    for worker in [0, 1] {
        let meter = metrics.meter(worker, 0);
        meter.opened();
        meter.received(Kind::Handler(0), 100);
        meter.handled(Kind::Handler(0), Duration::from_millis(3));
    }
    let text = text(&metrics);
    says(&text, "agentcore_connections_opened_total 2");
    says(&text, r#"agentcore_messages_received_total{consumer="Chat",type="say"} 2"#);
    says(&text, r#"agentcore_received_bytes_total{consumer="Chat",type="say"} 200"#);
    says(&text, r#"agentcore_handler_duration_seconds_bucket{consumer="Chat",type="say",le="0.001"} 0"#);
    says(&text, r#"agentcore_handler_duration_seconds_bucket{consumer="Chat",type="say",le="0.005"} 2"#);
    says(&text, r#"agentcore_handler_duration_seconds_bucket{consumer="Chat",type="say",le="+Inf"} 2"#);
    says(&text, r#"agentcore_handler_duration_seconds_sum{consumer="Chat",type="say"} 0.006"#);
    says(&text, r#"agentcore_handler_duration_seconds_count{consumer="Chat",type="say"} 2"#);
}

#[test]
fn a_type_that_is_called_unknown_counts_with_those_that_are() {
    let metrics = Arc::new(Metrics::new(labels(), 1, Supervisor::new()));
    let meter = metrics.meter(0, 0);
    for kind in [Kind::Handler(1), Kind::Unknown, Kind::Handler(77)] {
        meter.received(kind, 1);
    }
    let sent = ["said", "error", "planted", "other"].map(|name| (name.to_owned(), 2, 20)).to_vec();
    let outgoing = Outgoing { sent, ..Outgoing::default() };
    let text = metrics.render(Gauges { outgoing, ..Gauges::default() }, Format::Prometheus);
    says(&text, r#"agentcore_messages_received_total{consumer="Chat",type="unknown"} 3"#);
    says(&text, r#"agentcore_messages_sent_total{type="said"} 2"#);
    says(&text, r#"agentcore_messages_sent_total{type="error"} 2"#);
    says(&text, r#"agentcore_messages_sent_total{type="unknown"} 4"#);
    says(&text, r#"agentcore_sent_bytes_total{type="unknown"} 40"#);
    assert!(!text.contains("planted"));
}

#[test]
fn the_first_two_hundred_codes_are_told_apart() {
    let metrics = Metrics::new(Labels::default(), 1, Supervisor::new());
    for code in 0..1000 {
        metrics.error(&format!("CODE_{code}"));
        metrics.error("CODE_7");
    }
    let text = text(&metrics);
    assert_eq!(text.lines().filter(|line| line.starts_with("agentcore_errors_total{")).count(), 201);
    says(&text, r#"agentcore_errors_total{code="CODE_7"} 1001"#);
    says(&text, r#"agentcore_errors_total{code="other"} 800"#);
}

/// Scrapers refuse a page with a series twice, or with a type of figure named twice.
#[test]
fn every_series_is_there_once() {
    let metrics = Metrics::new(labels(), 3, Supervisor::new());
    for bound in Bound::ALL {
        metrics.refused(bound);
    }
    for format in [Format::Prometheus, Format::OpenMetrics] {
        let text = metrics.render(Gauges::default(), format);
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
    says(&text(&metrics), r#"agentcore_errors_total{code="A\"B\\C\nD"} 1"#);
}
