//! Settings: which are read, which values are refused, and the messages about them.
#![expect(clippy::expect_used, reason = "a test stops where it fails")]

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::ffi::OsStrExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use agentcore::settings::{BackendType, TrustedProxies};
use agentcore::{Env, Settings};
use tests::chat::{TempFolder, program, set_environment};
use tests::wait::block_until;

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
    let page = include_str!("../agentcore/src/docs/settings.md");
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

/// Runs the program in a folder, without this test's environment.
fn in_folder(folder: &TempFolder, dot_env: &str) -> Command {
    fs::write(folder.path().join(".env"), dot_env).expect("a file");
    let mut command = Command::new(program());
    set_environment(&mut command, folder.path(), 0);
    command.env_remove("PORT").stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs a program that must refuse to start.
fn refusal(command: &mut Command) -> (Option<i32>, String) {
    let mut child = Stopped(command.spawn().expect("the program is there"));
    block_until("it refuses to start", || child.0.try_wait().expect("a child can be waited for").is_some());
    let (mut said, mut announced) = (String::new(), String::new());
    child.0.stderr.take().expect("its errors").read_to_string(&mut said).expect("UTF-8");
    child.0.stdout.take().expect("its output").read_to_string(&mut announced).expect("UTF-8");
    assert_eq!(announced, "");
    (child.0.wait().expect("a status").code(), said)
}

/// A child process that does not outlive its test.
struct Stopped(Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a program, and returns the address it listens on.
fn started(command: &mut Command) -> (Stopped, String) {
    let mut child = Stopped(command.spawn().expect("the program is there"));
    let mut line = String::new();
    BufReader::new(child.0.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
    (child, line)
}

/// Returns the address that a started program prints.
fn listens(command: &mut Command) -> String {
    started(command).1
}

#[test]
fn a_program_with_invalid_settings_lists_all_of_them_and_exits_with_2() {
    let folder = TempFolder::new();
    let mut command = in_folder(&folder, "WS_HANDLER_TIMEOUT=never\n");
    let (code, said) = refusal(command.env("PORT", "http").env("LOG_LEVEL", "LOUD"));
    assert_eq!(code, Some(2), "{said}");
    for part in ["PORT=\"http\"", "LOG_LEVEL=\"LOUD\"", "WS_HANDLER_TIMEOUT=\"never\""] {
        assert_eq!(said.matches(part).count(), 1, "`{part}` in: {said}");
    }
}

#[test]
fn the_environment_overrides_the_file_and_the_file_the_defaults() {
    let folder = TempFolder::new();
    let mut command = in_folder(&folder, "PORT=http\nSERVER_INSTANCE_ID=from-file\n");
    assert!(listens(command.env("PORT", "0")).starts_with("listening on http://127.0.0.1:"));
    let (code, said) = refusal(&mut in_folder(&folder, "PORT=http\n"));
    assert!(code == Some(2) && said.contains("PORT=\"http\""), "{said}");
    // An empty value counts as not set, in the environment too.
    let (code, said) = refusal(in_folder(&folder, "PORT=http\n").env("PORT", ""));
    assert!(code == Some(2) && said.contains("PORT=\"http\""), "{said}");
    let quoted = "# a comment\nexport PORT=\"0\"  # any\n\nHOST='127.0.0.1'\n";
    assert!(listens(&mut in_folder(&folder, quoted)).starts_with("listening on http://127.0.0.1:"));
}

#[test]
fn an_unreadable_file_is_an_error_and_a_missing_one_is_not() {
    let folder = TempFolder::new();
    let (code, said) = refusal(&mut in_folder(&folder, "PORT 8000\n"));
    assert!(code == Some(2) && said.contains("`.env`"), "{said}");
    let mut command = in_folder(&folder, "");
    fs::remove_file(folder.path().join(".env")).expect("the file was there");
    assert!(listens(command.env("PORT", "0")).starts_with("listening on"));
}

#[test]
fn an_error_in_the_file_names_the_line_and_shows_no_secret() {
    let folder = TempFolder::new();
    for (file, told) in [
        ("PORT=0\nREDIS_URL=redis://:swordfish two@h\n", "line 2, the value of REDIS_URL,"),
        ("# swordfish\nCHAT_SECRET=\"swordfish\n", "line 2, the value of CHAT_SECRET,"),
        ("swordfish\n", "line 1 is not NAME=value"),
    ] {
        let (code, said) = refusal(&mut in_folder(&folder, file));
        assert!(code == Some(2) && said.contains(told) && !said.contains("swordfish"), "{said}");
        assert_eq!(said.trim_end().lines().count(), 1, "{said}");
    }
}

#[test]
fn a_dollar_in_the_file_is_kept() {
    let folder = TempFolder::new();
    let (code, said) = refusal(&mut in_folder(&folder, "PORT=80$HOME\nWORKERS=\"${HOME}\"\n"));
    assert!(code == Some(2) && said.contains("PORT=\"80$HOME\"") && said.contains("WORKERS=\"${HOME}\""), "{said}");
}

#[test]
fn misspelt_variables_are_one_warning_with_the_intended_names() {
    // The address is taken, so that the program ends by itself.
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let folder = TempFolder::new();
    let mut command = in_folder(&folder, "REDIS_URI=redis://elsewhere\nCHAT_RATE_MESAGES=7\n");
    command
        .env("PORT", &port)
        .env("LOG_LEVEL", "WARN")
        .env("WS_HEARTBEAT_INTERVALL", "3")
        .env("NODE_ENV", "production");
    let (_, said) = refusal(&mut command);
    let lines: Vec<_> = said.lines().filter(|line| line.contains("have no effect")).collect();
    assert_eq!(lines.len(), 1, "{said}");
    let misspelt = "CHAT_RATE_MESAGES (did you mean CHAT_RATE_MESSAGES?), REDIS_URI (did you mean REDIS_URL?), \
                    WS_HEARTBEAT_INTERVALL (did you mean WS_HEARTBEAT_INTERVAL?)";
    assert!(lines.iter().all(|line| line.contains("WARN") && line.ends_with(misspelt)), "{lines:?}");
    let (_, said) = refusal(in_folder(&folder, "").env("PORT", &port).env("LOG_LEVEL", "WARN"));
    assert!(!said.contains("have no effect"), "{said}");
}

#[test]
fn a_value_that_is_not_utf8_is_refused_and_not_ignored() {
    let folder = TempFolder::new();
    let mut command = in_folder(&folder, "");
    let (code, said) = refusal(command.env("PORT", std::ffi::OsStr::from_bytes(b"80\xFF")));
    assert!(code == Some(2) && said.contains("PORT="), "{said}");
}

#[test]
fn a_program_listens_on_the_configured_address_and_port_only() {
    let folder = TempFolder::new();
    // A port that was free a moment ago; no other test uses this address.
    let port = TcpListener::bind("127.0.0.2:0").and_then(|free| free.local_addr()).expect("a port").port();
    let mut command = in_folder(&folder, "HOST=127.0.0.2\n");
    let (_child, line) = started(command.env_remove("HOST").env("PORT", port.to_string()));
    let address = SocketAddr::from(([127, 0, 0, 2], port));
    assert_eq!(line.trim(), format!("listening on http://{address}"));
    TcpStream::connect(address).expect("it listens there");
    // The same port of another address is free.
    TcpListener::bind(("127.0.0.3", port)).expect("it listens nowhere else");
}

/// Returns the names of a process's worker threads.
fn worker_threads(process: u32) -> BTreeSet<String> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).expect("its threads");
    let names = threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("comm")).ok());
    let worker = |name: &str| name.strip_prefix("agentcore-").is_some_and(|rest| rest.parse::<usize>().is_ok());
    names.map(|name| name.trim().to_owned()).filter(|name| worker(name)).collect()
}

/// Returns the `/health` response of a program that prints `line`.
fn health(line: &str) -> String {
    let address = line.trim().strip_prefix("listening on http://").expect("an address");
    let mut socket = TcpStream::connect(address).expect("it listens there");
    let request = format!("GET /health HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("UTF-8");
    answer
}

#[test]
fn the_configured_number_of_worker_threads_runs() {
    let folder = TempFolder::new();
    for (set, threads) in [("1", 1), ("3", 3), ("0", 0)] {
        let (child, line) = started(in_folder(&folder, "").env("PORT", "0").env("WORKERS", set));
        // One shard per worker, or one on the program's own runtime if there is no worker.
        assert_eq!(health(&line).matches("\"writer.").count(), threads.max(1), "WORKERS={set}");
        // A thread sets its own name, possibly after the program listens.
        let names: BTreeSet<_> = (0..threads).map(|index| format!("agentcore-{index}")).collect();
        block_until(&format!("WORKERS={set}: {names:?}"), || worker_threads(child.0.id()) == names);
    }
}

#[test]
fn the_log_has_the_configured_level_and_above() {
    // The address is taken, so that the program ends by itself.
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let folder = TempFolder::new();
    for (level, shows) in [("ERROR", false), ("warn", true), ("WARNING", true), ("INFO", true), ("TRACE", true)] {
        let (code, said) = refusal(in_folder(&folder, "").env("PORT", &port).env("LOG_LEVEL", level));
        assert_eq!((code, said.contains("open mode")), (Some(2), shows), "LOG_LEVEL={level}: {said}");
    }
}

/// A log on a full disk costs its lines and nothing else.
#[test]
fn a_program_whose_log_cannot_be_written_runs_and_ends_as_any_other() {
    let full = || fs::OpenOptions::new().write(true).open("/dev/full").expect("a device");
    let folder = TempFolder::new();
    let mut command = in_folder(&folder, "");
    let (_child, line) = started(command.env("PORT", "0").env("LOG_LEVEL", "INFO").stderr(full()));
    assert!(health(&line).starts_with("HTTP/1.1 200"), "{line}");
    let port = line.trim().rsplit(':').next().expect("a port");
    let status = command.env("PORT", port).stderr(full()).status().expect("it ends");
    assert_eq!(status.code(), Some(2), "the port is taken");
}
