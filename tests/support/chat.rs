//! The chat as a process of its own, and a client that knows nothing but its protocol.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{OnceLock, mpsc};
use std::{env, fs, process, thread};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::http::{Answer, read_answer};
use crate::transport::Stream;
use crate::wait::{PATIENCE, soon, until_equal};

/// The chat's program, built once for each run, in the profile of the tests.
///
/// # Panics
/// When it cannot be built.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        // This test is `<target>/<profile>/deps/<name>`.
        let test = env::current_exe().expect("a test has a file");
        let folder = test.ancestors().nth(2).expect("the folder of the profile");
        let target = folder.parent().expect("the folder of all profiles");
        let profile = match folder.file_name().and_then(|name| name.to_str()) {
            Some("debug") | None => "dev",
            Some(profile) => profile,
        };
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into()));
        cargo.args(["build", "--package", "chat", "--profile", profile, "--message-format", "json-render-diagnostics"]);
        cargo.arg("--target-dir").arg(target).current_dir(env!("CARGO_MANIFEST_DIR"));
        let built = cargo.stderr(Stdio::piped()).output().expect("cargo runs");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let messages = String::from_utf8(built.stdout).expect("UTF-8");
        let mut messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let program = messages.find_map(|message| message["executable"].as_str().map(PathBuf::from));
        program.expect("the package has a program")
    })
}

/// A new folder, removed with all that is in it when this is dropped.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Makes the folder.
    ///
    /// # Panics
    /// When the system's folder for such things cannot be written.
    #[must_use]
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("agentcore-test-{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = env::temp_dir().join(name);
        // A process that had this number before may not have come to its end.
        drop(fs::remove_dir_all(&folder));
        fs::create_dir(&folder).expect("a new folder");
        Self(folder)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// A running chat; dropping it kills the process.
#[derive(Debug)]
pub struct ChatServer {
    process: Child,
    port: u16,
    folder: Folder,
}

impl ChatServer {
    /// Starts a chat with a new database, on a free port.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::run(Command::new(program()))
    }

    /// Starts a chat that can write no file beyond `blocks` of 512 bytes.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn with_small_files(blocks: u32) -> Self {
        let mut shell = Command::new("sh");
        // Ignored, the signal leaves an error of the write: the program sees what it would on a full disk.
        shell.arg("-c").arg(format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\"")).arg(program());
        Self::run(shell)
    }

    fn run(mut command: Command) -> Self {
        let folder = Folder::new();
        let (process, port) = launch(&mut command, folder.path(), 0);
        Self { process, port, folder }
    }

    /// Kills the process as a crash would, and starts it again at the same place with the same database.
    ///
    /// # Panics
    /// When it does not start.
    pub fn crash_and_start(&mut self) {
        self.kill();
        self.start_again();
    }

    /// Asks the process to end, as an operator does, and waits for that.
    ///
    /// # Panics
    /// When it does not end.
    pub fn stop(&mut self) -> ExitStatus {
        let told = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status();
        assert!(told.expect("`kill` runs").success());
        let begun = std::time::Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().expect("a child can be waited for") {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "the chat did not end within {PATIENCE:?}");
            thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    /// Starts a chat that has ended, at the same place with the same database.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_again(&mut self) {
        (self.process, self.port) = launch(&mut Command::new(program()), self.folder.path(), self.port);
    }

    fn kill(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }

    /// Where it listens, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address of `path`, for browsers.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Asks for `path` over HTTP.
    ///
    /// # Panics
    /// When no answer comes.
    pub async fn get(&self, path: &str) -> Answer {
        self.request(path, "Connection: close").await
    }

    /// Asks for a WebSocket at `path`, and reads what HTTP says to that.
    ///
    /// # Panics
    /// When no answer comes.
    pub async fn ask_for_upgrade(&self, path: &str) -> Answer {
        let key = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
        self.request(path, key).await
    }

    async fn request(&self, path: &str, headers: &str) -> Answer {
        let stream = soon("a connection", TcpStream::connect(("127.0.0.1", self.port))).await;
        let mut stream: Box<dyn Stream> = Box::new(stream.expect("the chat listens"));
        let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n{headers}\r\n\r\n", self.port);
        soon("sending", stream.write_all(request.as_bytes())).await.expect("the chat reads");
        read_answer(&mut stream, &mut Vec::new()).await
    }

    /// Waits until the chat has so many connections.
    ///
    /// # Panics
    /// When it still has another number after a long time.
    pub async fn until_connections(&self, count: u32) {
        let ask = async || self.get("/api/status").await.json()["connections"].clone();
        until_equal("connections", json!(count), ask).await;
    }
}

impl Drop for ChatServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The surroundings of a chat of a test: nothing but what is set here.
pub fn surroundings(command: &mut Command, folder: &Path, port: u16) {
    command.env_clear().env("HOST", "127.0.0.1").env("PORT", port.to_string()).env("LOG_LEVEL", "ERROR");
    command.env("CHAT_DB", folder.join("chat.db")).current_dir(folder).stdin(Stdio::null());
}

fn launch(command: &mut Command, folder: &Path, port: u16) -> (Child, u16) {
    surroundings(command, folder, port);
    let mut process = command.stdout(Stdio::piped()).spawn().expect("the chat can be started");
    let output = process.stdout.take().expect("its output is read here");
    let (line_read, lines) = mpsc::channel();
    thread::spawn(move || {
        // Reads to the end, so that the chat can always write.
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            drop(line_read.send(line));
        }
    });
    loop {
        let Ok(line) = lines.recv_timeout(PATIENCE) else {
            drop(process.kill());
            panic!("the chat does not say where it listens; {:?}", process.wait());
        };
        if let Some(address) = line.strip_prefix("listening on http://127.0.0.1:") {
            return (process, address.parse().expect("a port"));
        }
    }
}

/// A user's connection to the chat.
#[derive(Debug)]
pub struct Talker {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    last_ref: u64,
    /// The data of the `welcome`.
    pub welcome: Value,
}

impl Talker {
    /// Connects as `user` and is welcomed.
    ///
    /// # Panics
    /// When that fails.
    pub async fn connect(chat: &ChatServer, user: &str) -> Self {
        let url = format!("ws://127.0.0.1:{}/ws/{user}", chat.port);
        let (socket, _) = soon("a handshake", connect_async(url)).await.expect("the handshake succeeds");
        let mut talker = Self { socket, last_ref: 0, welcome: Value::Null };
        talker.welcome = talker.expect("welcome").await;
        talker
    }

    /// Connects as `user` and joins `room`.
    ///
    /// # Panics
    /// When that fails.
    pub async fn in_room(chat: &ChatServer, user: &str, room: &str) -> Self {
        let mut talker = Self::connect(chat, user).await;
        talker.join(room).await;
        talker
    }

    /// Sends a text as it is.
    ///
    /// # Panics
    /// When the connection is gone.
    pub async fn text(&mut self, text: impl Into<String>) {
        soon("sending", self.socket.send(Message::text(text.into()))).await.expect("the connection is open");
    }

    /// Sends a message without a `ref`.
    ///
    /// # Panics
    /// When the connection is gone.
    pub async fn say(&mut self, kind: &str, data: Value) {
        self.text(json!({ "type": kind, "data": data }).to_string()).await;
    }

    /// Sends a message with a `ref`, and reads to its answer: the data of the reply, and what came before.
    ///
    /// # Panics
    /// When an error is answered.
    pub async fn ask(&mut self, kind: &str, data: Value) -> (Vec<Value>, Value) {
        let (before, answer) = self.answered(kind, data).await;
        assert_eq!(answer["type"], "reply", "{answer}");
        (before, answer["data"].clone())
    }

    /// As [`ask`](Self::ask), where the reply comes first.
    ///
    /// # Panics
    /// When something else does.
    pub async fn reply(&mut self, kind: &str, data: Value) -> Value {
        let (before, reply) = self.ask(kind, data).await;
        assert_eq!(before, Vec::<Value>::new());
        reply
    }

    /// Sends a message with a `ref` that is refused, and reads the data of the error, which comes first.
    ///
    /// # Panics
    /// When it is not refused.
    pub async fn refused(&mut self, kind: &str, data: Value) -> Value {
        let (before, answer) = self.answered(kind, data).await;
        assert_eq!((before, &answer["type"]), (vec![], &json!("error")), "{answer}");
        assert_eq!(answer["data"]["message_type"], kind, "{answer}");
        answer["data"].clone()
    }

    async fn answered(&mut self, kind: &str, data: Value) -> (Vec<Value>, Value) {
        self.last_ref += 1;
        let reference = self.last_ref;
        self.text(json!({ "type": kind, "data": data, "ref": reference }).to_string()).await;
        let mut before = Vec::new();
        loop {
            let message = self.next().await;
            if message["ref"] == reference {
                return (before, message);
            }
            before.push(message);
        }
    }

    /// The next message.
    ///
    /// # Panics
    /// When the connection ends.
    pub async fn next(&mut self) -> Value {
        loop {
            match soon("a message", self.socket.next()).await {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).expect("JSON"),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("{other:?} instead of a message"),
            }
        }
    }

    /// The data of the next message, which is of this kind.
    ///
    /// # Panics
    /// When it is of another.
    pub async fn expect(&mut self, kind: &str) -> Value {
        let message = self.next().await;
        assert_eq!(message["type"], kind, "{message}");
        message["data"].clone()
    }

    /// Makes sure that nothing has come that was not read.
    ///
    /// # Panics
    /// When something has.
    pub async fn hears_nothing(&mut self) {
        self.text(r#"{"type":"ping"}"#).await;
        assert_eq!(self.next().await, json!({ "type": "pong" }));
    }

    /// Joins a room and reads all that answers it; the messages of its history come back.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn join(&mut self, room: &str) -> Vec<Value> {
        assert_eq!(self.reply("join_room", json!({ "room": room })).await["room"], room);
        assert_eq!(self.expect("room_info").await["room"], room);
        let history = self.expect("message_history").await;
        assert_eq!(history["room"], room);
        history["messages"].as_array().expect("a list").clone()
    }

    /// Posts a line in a room that this connection is in, and reads its own copy.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn post(&mut self, room: &str, text: &str) -> Value {
        let (before, reply) = self.ask("chat_message", json!({ "room": room, "text": text })).await;
        assert_eq!(reply, Value::Null);
        assert_eq!((before.len(), &before[0]["type"]), (1, &json!("chat_message")), "{before:?}");
        before[0]["data"].clone()
    }

    /// Posts a line, and reads to the answer, whatever it is: the answer, and what came before.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn try_to_post(&mut self, room: &str, text: &str) -> (Vec<Value>, Value) {
        self.answered("chat_message", json!({ "room": room, "text": text })).await
    }

    /// Closes the connection and waits for the server's end of it.
    ///
    /// # Panics
    /// When that does not come.
    pub async fn close(mut self) {
        drop(soon("closing", self.socket.close(None)).await);
        soon("the end", async { while let Some(Ok(_)) = self.socket.next().await {} }).await;
    }
}
