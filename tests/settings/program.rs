//! Settings of a running program: the environment, `.env`, and what they change.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::ffi::OsStrExt;
use std::process::{Child, Command, Stdio};

use tests::chat::{TempFolder, program, set_environment};
use tests::wait::block_until;

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
