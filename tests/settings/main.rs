//! Settings: which are read, which values are refused, and the messages about them.
#![expect(clippy::expect_used, reason = "a test stops where it fails")]

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use agentcore::settings::{BackendType, TrustedProxies};
use agentcore::{Env, Settings};

mod program;

fn read(values: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
    Settings::from_values(|name| values.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
        .map_err(|error| error.message().lines().skip(1).map(str::to_owned).collect())
}

#[test]
fn without_any_setting_the_documented_defaults_hold() {
    let settings = read(&[]).expect("defaults are good");
    assert_eq!((settings.host.to_string().as_str(), settings.port), ("127.0.0.1", 8000));
    assert_eq!(settings.backend_type, BackendType::Memory);
    assert_eq!(settings.redis_url.secret(), "redis://localhost:6379/0");
    assert_eq!(settings.redis_channel_prefix.as_str(), "ws:");
    let hour = Duration::from_secs(3600);
    assert_eq!((settings.redis_registry_expiry, settings.redis_group_expiry), (hour, hour));
    assert_eq!(settings.node_lease, Duration::from_secs(10));
    assert_eq!(settings.server_instance_id, None);
    assert_eq!((settings.ws_max_message_size, settings.ws_max_outbox_bytes), (10_485_760, 1_048_576));
    assert_eq!(settings.ws_message_timeout, Duration::from_secs(60));
    assert_eq!(settings.ws_write_timeout, Duration::from_secs(10));
    assert_eq!(settings.ws_handler_timeout, Duration::from_secs(30));
    assert!(settings.ws_enable_heartbeat && !settings.log_stats);
    assert_eq!(settings.ws_heartbeat_interval, Duration::from_secs(30));
    assert_eq!(settings.ws_heartbeat_timeout, Duration::from_secs(60));
    assert_eq!(settings.ws_max_groups_per_connection, 128);
    assert_eq!((settings.ws_reconnect_max_attempts, settings.ws_reconnect_delay), (5, Duration::from_secs(5)));
    assert_eq!((settings.max_connections_per_client, settings.max_total_connections), (1000, 200_000));
    assert_eq!((settings.max_connections_per_ip, settings.max_total_groups), (0, 5_000_000));
    assert!(settings.allowed_origins.is_same() && settings.trusted_proxies == TrustedProxies::default());
    assert_eq!(settings.shutdown_timeout, Duration::from_secs(10));
    assert_eq!(settings.log_level.to_string(), "INFO");
    assert!(settings.workers >= 1);
}

/// Each has a unique value, so that a variable that sets another field would show.
#[test]
fn every_variable_sets_its_own_field() {
    let settings = read(&[
        ("HOST", "127.0.0.7"),
        ("PORT", "8001"),
        ("BACKEND_TYPE", "redis"),
        ("REDIS_URL", "redis://:word@redis.example/2"),
        ("REDIS_CHANNEL_PREFIX", "chat:"),
        ("REDIS_REGISTRY_EXPIRY", "61"),
        ("REDIS_GROUP_EXPIRY", "62"),
        ("NODE_LEASE", "9"),
        ("SERVER_INSTANCE_ID", "node-7"),
        ("WORKERS", "3"),
        ("WS_MAX_MESSAGE_SIZE", "4001"),
        ("WS_MESSAGE_TIMEOUT", "10"),
        ("WS_MAX_OUTBOX_BYTES", "4002"),
        ("WS_WRITE_TIMEOUT", "11"),
        ("WS_HANDLER_TIMEOUT", "12"),
        ("WS_ENABLE_HEARTBEAT", "false"),
        ("WS_HEARTBEAT_INTERVAL", "13"),
        ("WS_HEARTBEAT_TIMEOUT", "14"),
        ("WS_MAX_GROUPS_PER_CONNECTION", "15"),
        ("WS_RECONNECT_MAX_ATTEMPTS", "16"),
        ("WS_RECONNECT_DELAY", "17"),
        ("MAX_CONNECTIONS_PER_CLIENT", "18"),
        ("MAX_TOTAL_CONNECTIONS", "19"),
        ("MAX_CONNECTIONS_PER_IP", "20"),
        ("MAX_TOTAL_GROUPS", "21"),
        ("ALLOWED_ORIGINS", "https://example.com"),
        ("TRUSTED_PROXIES", "10.0.0.0/8"),
        ("SHUTDOWN_TIMEOUT", "22"),
        ("LOG_STATS", "1"),
        ("LOG_LEVEL", "TRACE"),
    ])
    .expect("all are good");
    let seconds = Duration::from_secs;
    assert_eq!((settings.host.to_string().as_str(), settings.port), ("127.0.0.7", 8001));
    assert_eq!(settings.backend_type, BackendType::Redis);
    assert_eq!(settings.redis_url.secret(), "redis://:word@redis.example/2");
    assert_eq!(settings.redis_channel_prefix.as_str(), "chat:");
    assert_eq!((settings.redis_registry_expiry, settings.redis_group_expiry), (seconds(61), seconds(62)));
    assert_eq!(settings.node_lease, seconds(9));
    assert_eq!((settings.server_instance_id, settings.workers), ("node-7".parse().ok(), 3));
    assert_eq!((settings.ws_max_message_size, settings.ws_max_outbox_bytes), (4001, 4002));
    assert_eq!(settings.ws_message_timeout, seconds(10));
    assert_eq!((settings.ws_write_timeout, settings.ws_handler_timeout), (seconds(11), seconds(12)));
    assert!(!settings.ws_enable_heartbeat);
    assert_eq!((settings.ws_heartbeat_interval, settings.ws_heartbeat_timeout), (seconds(13), seconds(14)));
    assert_eq!(settings.ws_max_groups_per_connection, 15);
    assert_eq!((settings.ws_reconnect_max_attempts, settings.ws_reconnect_delay), (16, seconds(17)));
    assert_eq!((settings.max_connections_per_client, settings.max_total_connections), (18, 19));
    assert_eq!((settings.max_connections_per_ip, settings.max_total_groups), (20, 21));
    assert_eq!(settings.allowed_origins, "https://example.com".parse().expect("a list"));
    assert_eq!(settings.trusted_proxies, "10.0.0.0/8".parse().expect("a list"));
    assert_eq!((settings.shutdown_timeout, settings.log_stats), (seconds(22), true));
    assert_eq!(settings.log_level.to_string(), "TRACE");
}

/// Every setting that is read is documented, and every documented setting is read.
#[test]
fn the_page_on_settings_lists_what_is_read() {
    let asked = RefCell::new(BTreeSet::new());
    Settings::from_values(|name| {
        asked.borrow_mut().insert(name.to_owned());
        None
    })
    .expect("defaults are good");
    let page = include_str!("../../agentcore/src/docs/settings.md");
    let listed = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    assert_eq!(listed.map(str::to_owned).collect::<BTreeSet<_>>(), asked.into_inner());
}

#[test]
fn every_bad_setting_is_listed_with_its_value_and_what_is_allowed() {
    let bad = [
        ("HOST", "localhost", "an IP address"),
        ("PORT", "65536", "0 to 65535"),
        ("BACKEND_TYPE", "kafka", "one of: memory, redis"),
        ("REDIS_CHANNEL_PREFIX", "ws*", "ASCII letters"),
        ("REDIS_REGISTRY_EXPIRY", "59", "seconds from 60 to 604800"),
        ("REDIS_GROUP_EXPIRY", "a day", "seconds from 60 to 604800"),
        ("NODE_LEASE", "61", "seconds from 5 to 60"),
        ("SERVER_INSTANCE_ID", "a\u{7}b", "control character"),
        ("WS_MAX_MESSAGE_SIZE", "0", "from 1 to"),
        ("WS_MESSAGE_TIMEOUT", "0", "seconds from 1 to 86400"),
        ("WS_MAX_OUTBOX_BYTES", "10MB", "from 1024 to"),
        ("WS_WRITE_TIMEOUT", "0", "seconds from 1 to 3600"),
        ("WS_HANDLER_TIMEOUT", "30s", "seconds from 1 to 86400"),
        ("WS_ENABLE_HEARTBEAT", "on", "true"),
        ("WS_HEARTBEAT_INTERVAL", "0", "seconds from 1 to 3600"),
        ("WS_HEARTBEAT_TIMEOUT", "1h", "seconds from 1 to 86400"),
        ("WS_MAX_GROUPS_PER_CONNECTION", "-1", "from 1 to"),
        ("WS_RECONNECT_MAX_ATTEMPTS", "many", "from 0 to"),
        ("WS_RECONNECT_DELAY", "-1", "seconds from 0 to 3600"),
        ("MAX_CONNECTIONS_PER_CLIENT", "0", "from 1 to"),
        ("MAX_TOTAL_CONNECTIONS", "1e5", "from 1 to"),
        ("MAX_CONNECTIONS_PER_IP", "-1", "from 0 to"),
        ("MAX_TOTAL_GROUPS", "0", "from 1 to"),
        ("ALLOWED_ORIGINS", "https://a.com,b.com", "\"b.com\" is not an origin"),
        ("TRUSTED_PROXIES", "10.0.0.0/33", "\"10.0.0.0/33\" is neither"),
        ("SHUTDOWN_TIMEOUT", "nan", "seconds from 1 to 3600"),
        ("LOG_STATS", "yes", "true"),
        ("LOG_LEVEL", "LOUD", "one of: ERROR, WARN"),
        ("WORKERS", "1.5", "from 0 to 1024"),
    ];
    let values: Vec<_> = bad.iter().map(|(name, value, _)| (*name, *value)).collect();
    let lines = read(&values).expect_err("all are bad");
    assert_eq!(lines.len(), bad.len(), "a line each: {lines:#?}");
    for ((name, value, allowed), line) in bad.iter().zip(&lines) {
        assert!(line.starts_with(&format!("{name}={value:?}: must be ")), "{line}");
        assert!(line.contains(allowed), "{line}");
    }
}

#[test]
fn a_bad_url_of_redis_is_not_shown() {
    for url in ["http://ada:secret@host", "redis://ada:secret@host/x", "redis://host?password=secret", "secret"] {
        let lines = read(&[("REDIS_URL", url)]).expect_err("it is bad");
        assert!(matches!(&*lines, [line] if line.starts_with("REDIS_URL: must be redis://")), "{lines:?}");
        assert!(!lines.concat().contains("secret"), "{lines:?}");
    }
}

#[test]
fn an_application_reads_its_own_settings_in_the_same_way() {
    let values =
        [("SHOP_BASKET", "7"), ("SHOP_OPEN", "0"), ("SHOP_NAME", ""), ("SHOP_LIMIT", "many"), ("SHOP_KEY", "x")];
    let value = |name: &str| values.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    let mut env = Env::from_values(value);
    assert_eq!(env.number("SHOP_BASKET", 20, 1, 500), 7);
    assert!(!env.flag("SHOP_OPEN", true));
    assert_eq!(env.get("SHOP_NAME"), None, "an empty value counts as not set");
    assert_eq!(env.number("SHOP_LIMIT", 3, 1, 9), 3);
    env.reject("SHOP_KEY", "..", "at least 32 characters");
    let told = env.finish(()).expect_err("two are bad").to_string();
    let lines = ["invalid settings", "SHOP_LIMIT=\"many\": must be a whole number from 1 to 9"];
    let last = "SHOP_KEY=\"..\": must be at least 32 characters";
    assert_eq!(told.lines().collect::<Vec<_>>(), [&lines[..], &[last]].concat());
}

#[test]
fn seconds_beyond_what_a_duration_holds_are_refused() {
    let mut env = Env::from_values(|_| Some(u64::MAX.to_string()));
    assert_eq!(env.seconds("SHOP_OFFER", Duration::from_secs(7), 0, u64::MAX), Duration::from_secs(7));
    let told = env.finish(()).expect_err("it is bad").to_string();
    assert!(told.contains("SHOP_OFFER=\"18446744073709551615\": must be a number of seconds from 0"), "{told}");
}

#[test]
fn the_limits_themselves_are_allowed() {
    for (name, good, bad) in [
        ("PORT", &["0", "65535"][..], &["-1", "65536", "", " 80", "80 ", "0x50"][1..]),
        ("WORKERS", &["0", "1024"], &["1025", "-0.5"]),
        ("WS_MAX_OUTBOX_BYTES", &["1024", "1073741824"], &["1023", "1073741825", "99999999999999999999999"]),
        ("WS_HANDLER_TIMEOUT", &["1", "1.5", "86400"], &["0.99", "86400.1", "inf", "-inf", "NaN"]),
        ("WS_RECONNECT_DELAY", &["0", "0.25"], &["-0.1"]),
        ("LOG_LEVEL", &["debug", "Warning", "ERROR"], &["verbose"]),
        ("HOST", &["0.0.0.0", "::1", "::"], &["0.0.0", "example.org", "127.0.0.1:80"]),
        ("SERVER_INSTANCE_ID", &["node-1", "é"], &["a\nb"]),
        ("BACKEND_TYPE", &["memory", "MEMORY", "redis"], &["memory,redis", "none"]),
        ("NODE_LEASE", &["5", "60"], &["4.9", "60.1"]),
    ] {
        for value in good {
            assert!(read(&[(name, value)]).is_ok(), "{name}={value}");
        }
        for value in bad.iter().filter(|value| !value.is_empty()) {
            assert!(read(&[(name, value)]).is_err_and(|lines| lines.len() == 1), "{name}={value}");
        }
    }
}

#[test]
fn an_empty_value_counts_as_not_set() {
    let settings =
        read(&[("PORT", ""), ("HOST", ""), ("SERVER_INSTANCE_ID", ""), ("LOG_LEVEL", "")]).expect("defaults");
    assert_eq!((settings.port, settings.server_instance_id), (8000, None));
}

#[test]
fn a_value_is_shown_on_one_line_and_cut() {
    let long = format!("\u{1b}[31m\n{}", "x".repeat(10_000));
    let lines = read(&[("PORT", &long)]).expect_err("no port");
    assert_eq!(lines.len(), 1);
    assert!(lines.iter().all(|line| line.len() < 200 && !line.contains('\u{1b}')), "{lines:?}");
}
