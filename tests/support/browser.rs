//! Headless Chromium, controlled through chromedriver.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::{env, fs, thread};

use serde_json::{Map, Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::chat::TempFolder;
use crate::http::read_answer;
use crate::transport::Stream;
use crate::wait::{PATIENCE, soon};

const BROWSER: &str = "chromium";
const DRIVER: &str = "chromedriver";

/// Returns the programs that are not installed and that the browser tests need; `None` if all are.
#[must_use]
pub fn missing() -> Option<String> {
    let missing: Vec<_> = [BROWSER, DRIVER].into_iter().filter(|name| find(name).is_none()).collect();
    (!missing.is_empty()).then(|| format!("not installed: {}", missing.join(", ")))
}

fn find(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// A running chromedriver; dropping it kills it and all browsers that it started.
#[derive(Debug)]
pub struct Driver {
    process: Child,
    port: u16,
    /// Has a folder for the profile of each browser.
    profiles: TempFolder,
}

impl Driver {
    /// Starts chromedriver on a free port.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start() -> Self {
        let profiles = TempFolder::new();
        let mut command = Command::new(DRIVER);
        // Temporary files of Chromium go into the folder that is removed at the end.
        command.arg("--port=0").env("TMPDIR", profiles.path()).stdin(Stdio::null()).stderr(Stdio::null());
        let mut process = command.stdout(Stdio::piped()).spawn().expect("chromedriver can be started");
        let output = process.stdout.take().expect("stdout is piped");
        let mut driver = Self { process, port: 0, profiles };
        let (line_read, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                drop(line_read.send(line));
            }
        });
        while driver.port == 0 {
            let line = lines.recv_timeout(PATIENCE).expect("chromedriver prints its port");
            let port = line.split_once("started successfully on port ").map(|(_, port)| port.trim_end_matches('.'));
            driver.port = port.map_or(0, |port| port.parse().expect("a port"));
        }
        driver
    }

    /// Returns the URL of the driver.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Returns the capabilities for a new browser with the profile `name` and a page of this size.
    #[must_use]
    pub fn capabilities(&self, name: &str, (width, height): (u32, u32)) -> Map<String, Value> {
        let profile = format!("--user-data-dir={}", self.profiles.path().join(name).display());
        let is_phone = width < 500;
        let options = json!({
            "binary": find(BROWSER),
            "mobileEmulation": {
                "deviceMetrics": {
                    "width": width, "height": height, "pixelRatio": 1, "mobile": is_phone, "touch": is_phone,
                },
            },
            "args": [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync", profile,
            ],
        });
        let capabilities = [
            ("browserName", json!("chrome")),
            ("goog:chromeOptions", options),
            ("goog:loggingPrefs", json!({ "browser": "ALL" })),
        ];
        capabilities.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

impl Driver {
    /// Returns the messages of a session's console since the last call: errors of scripts, missing files, violations of the
    /// page's policy.
    ///
    /// # Panics
    /// If the driver does not answer.
    pub async fn console(&self, session: &str) -> Vec<Value> {
        let answer = self.post(session, "se/log", &json!({ "type": "browser" })).await;
        answer.as_array().unwrap_or_else(|| panic!("no log: {answer}")).clone()
    }

    /// Sends a command of the Chrome DevTools Protocol, for functions that `WebDriver` does not have.
    ///
    /// # Panics
    /// If the driver does not answer.
    pub async fn devtools(&self, session: &str, command: &str, parameters: Value) -> Value {
        self.post(session, "goog/cdp/execute", &json!({ "cmd": command, "params": parameters })).await
    }

    async fn post(&self, session: &str, path: &str, body: &Value) -> Value {
        let body = body.to_string();
        let request = format!(
            "POST /session/{session}/{path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let stream = soon("a connection", TcpStream::connect(("127.0.0.1", self.port))).await;
        let mut stream: Box<dyn Stream> = Box::new(stream.expect("the driver listens"));
        soon("sending", stream.write_all(request.as_bytes())).await.expect("the driver reads");
        let answer = read_answer(&mut stream, &mut Vec::new()).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json()["value"].clone()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
        // A browser survives its driver. Its profile, which is in its arguments, identifies it.
        for process in with_argument(self.profiles.path()) {
            drop(Command::new("kill").args(["-KILL", &process]).stderr(Stdio::null()).status());
        }
    }
}

/// Returns the ids of the processes that have `folder` in an argument.
fn with_argument(folder: &Path) -> Vec<String> {
    let folder = folder.as_os_str().as_encoded_bytes();
    let has_argument = |process: &OsStr| {
        let arguments = fs::read(Path::new("/proc").join(process).join("cmdline")).unwrap_or_default();
        arguments.windows(folder.len()).any(|part| part == folder)
    };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.file_name());
    let is_number = |name: &OsStr| name.to_str().is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    let found = processes.filter(|name| is_number(name) && has_argument(name));
    found.filter_map(|name| name.into_string().ok()).collect()
}
