//! One browser that shows the page of the chat.

use std::path::PathBuf;
use std::time::Duration;
use std::{env, fs};

use fantoccini::key::Key;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tests::browser::Driver;
use tokio::time::{sleep, timeout};

/// A browser is slow on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Wide enough for all parts of the page side by side.
pub(crate) const DESK: (u32, u32) = (1280, 800);
/// One part at a time.
pub(crate) const PHONE: (u32, u32) = (375, 700);

/// What the page must not do is noticed there, in every page of every test.
const TRAP: &str = include_str!("watch.js");

/// The texts of the visible elements of a kind.
const SHOWN: &str = "return [...document.querySelectorAll(arguments[0])]
    .filter((element) => element.checkVisibility({ visibilityProperty: true })).map((element) => element.textContent)";

/// Ends when nothing moves any more.
const REST: &str = "Promise.allSettled(document.getAnimations().map((each) => each.finished)).then(arguments[0])";

pub(crate) struct Page<'a> {
    driver: &'a Driver,
    client: Client,
    session: String,
    name: &'static str,
}

impl<'a> Page<'a> {
    /// Starts a browser of its own, with a new profile.
    pub(crate) async fn open(driver: &'a Driver, name: &'static str, size: (u32, u32), url: &str) -> Self {
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(driver.capabilities(name, size));
        let client = timeout(PATIENCE, builder.connect(&driver.url())).await;
        let client = client.expect("a browser starts").expect("a session");
        let session = client.session_id().await.unwrap().expect("a session");
        driver.devtools(&session, "Page.addScriptToEvaluateOnNewDocument", json!({ "source": TRAP })).await;
        client.goto(url).await.unwrap();
        Self { driver, client, session, name }
    }

    pub(crate) async fn go(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    pub(crate) async fn reload(&self) {
        self.client.refresh().await.unwrap();
    }

    pub(crate) async fn click(&self, css: &str) {
        // What slides in is not where it was a moment ago.
        self.client.execute_async(REST, Vec::new()).await.unwrap();
        self.client.find(Locator::Css(css)).await.unwrap().click().await.unwrap();
    }

    pub(crate) async fn write(&self, css: &str, text: &str) {
        self.client.find(Locator::Css(css)).await.unwrap().send_keys(text).await.unwrap();
    }

    /// Presses keys, wherever the focus is.
    pub(crate) async fn press(&self, keys: &str) {
        self.client.active_element().await.unwrap().send_keys(keys).await.unwrap();
    }

    /// Presses Tab until the focus is on this element: fails if Tab never gets there.
    pub(crate) async fn tab_to(&self, css: &str) {
        for _ in 0..40 {
            if self.run("return document.activeElement?.matches(arguments[0])", vec![css.into()]).await == true {
                return;
            }
            self.press(&Key::Tab).await;
        }
        self.fail(&format!("the keyboard does not get to {css}")).await;
    }

    /// Types a message and presses Enter.
    pub(crate) async fn say(&self, text: &str) {
        self.write("#text", text).await;
        self.write("#text", &Key::Enter).await;
    }

    /// Runs a script in the page; its result.
    pub(crate) async fn run(&self, script: &str, values: Vec<Value>) -> Value {
        self.client.execute(script, values).await.unwrap()
    }

    /// Waits until a script returns this.
    pub(crate) async fn until_run(&self, script: &str, values: Vec<Value>, wanted: Value) {
        let mut found = Value::Null;
        let asking = async {
            loop {
                found = self.run(script, values.clone()).await;
                if found == wanted {
                    return;
                }
                sleep(Duration::from_millis(30)).await;
            }
        };
        if timeout(PATIENCE, asking).await.is_err() {
            self.fail(&format!("{values:?} shows {found} instead of {wanted}")).await;
        }
    }

    /// Waits until the texts of all visible elements of this kind are these.
    pub(crate) async fn until(&self, css: &str, wanted: &[&str]) {
        self.until_run(SHOWN, vec![css.into()], json!(wanted)).await;
    }

    /// Waits until there is an element of this kind.
    pub(crate) async fn until_there(&self, css: &str) {
        let script = "return document.querySelector(arguments[0]) !== null";
        self.until_run(script, vec![css.into()], json!(true)).await;
    }

    /// The texts of the visible elements of this kind.
    pub(crate) async fn texts(&self, css: &str) -> Value {
        self.run(SHOWN, vec![css.into()]).await
    }

    /// Turns the colours to light or dark.
    pub(crate) async fn colours(&self, scheme: &str) {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.driver.devtools(&self.session, "Emulation.setEmulatedMedia", features).await;
    }

    /// Keeps a picture of the page, to be looked at; what moves has come to its end.
    pub(crate) async fn picture(&self, title: &str) {
        let folder = env::current_exe().unwrap().ancestors().nth(3).map(PathBuf::from).unwrap().join("screenshots");
        fs::create_dir_all(&folder).unwrap();
        self.client.execute_async(REST, Vec::new()).await.unwrap();
        let png = self.client.screenshot().await.unwrap();
        fs::write(folder.join(format!("{title}.png")), png).unwrap();
    }

    /// As [`picture`](Self::picture), in light and in dark.
    pub(crate) async fn pictures(&self, title: &str) {
        for scheme in ["dark", "light"] {
            self.colours(scheme).await;
            self.picture(&format!("{title}-{scheme}")).await;
        }
    }

    /// What the page should not have done since it was loaded: foreign code, foreign elements, errors.
    pub(crate) async fn heard(&self) -> Value {
        // What waits to happen happens first.
        self.client.execute_async("setTimeout(arguments[0], 50)", Vec::new()).await.unwrap();
        self.run("return window.__heard", Vec::new()).await
    }

    /// What went wrong in the page so far: errors of scripts, files that are missing, what its policy forbids.
    pub(crate) async fn complaints(&self) -> Vec<Value> {
        self.driver.console(&self.session).await
    }

    /// Nothing has gone wrong.
    pub(crate) async fn is_clean(&self) {
        assert_eq!(self.heard().await, json!([]), "{}", self.name);
        assert_eq!(self.complaints().await, Vec::<Value>::new(), "{}", self.name);
    }

    pub(crate) async fn close(self) {
        self.client.close().await.unwrap();
    }

    async fn fail(&self, why: &str) {
        self.picture("failed").await;
        panic!("{}: {why}; heard: {}; told: {:?}", self.name, self.heard().await, self.complaints().await);
    }
}
