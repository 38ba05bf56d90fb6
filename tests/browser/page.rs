//! A browser that shows the page of the chat.

use std::path::PathBuf;
use std::time::Duration;
use std::{env, fs};

use fantoccini::key::Key;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tests::browser::Driver;
use tests::wait::holds_within;
use tokio::time::timeout;

/// The longest that one wait may take; generous, because a browser is slow on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// Time between two questions to a page, each of which costs the browser some work.
const PAUSE: Duration = Duration::from_millis(30);

/// Wide enough to show all parts of the page side by side.
pub(crate) const DESKTOP: (u32, u32) = (1280, 800);
/// So narrow that the side panels slide over the conversation.
pub(crate) const PHONE: (u32, u32) = (375, 700);

/// A script that runs before those of the page and records what the page must not do.
const WATCH: &str = include_str!("watch.js");

/// Returns the texts of all visible elements that match a selector.
const VISIBLE_TEXTS: &str = "return [...document.querySelectorAll(arguments[0])]
    .filter((element) => element.checkVisibility({ visibilityProperty: true })).map((element) => element.textContent)";

/// Resolves when all animations have finished.
const ANIMATIONS_END: &str =
    "Promise.allSettled(document.getAnimations().map((each) => each.finished)).then(arguments[0])";

/// Resolves when the page has processed all its pending events. It draws a frame, which lets observers of the layout run;
/// then it handles a message, after the events that were queued before.
const EVENTS_END: &str = "const done = arguments[0];
    requestAnimationFrame(() => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => done();
        port2.postMessage(null);
    })";

pub(crate) struct Page<'a> {
    driver: &'a Driver,
    client: Client,
    session: String,
    name: &'static str,
}

impl<'a> Page<'a> {
    /// Starts a browser with a new profile, and opens `url`.
    pub(crate) async fn open(driver: &'a Driver, name: &'static str, size: (u32, u32), url: &str) -> Self {
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(driver.capabilities(name, size));
        let client = timeout(PATIENCE, builder.connect(&driver.url())).await;
        let client = client.expect("a browser starts").expect("a session");
        let session = client.session_id().await.unwrap().expect("a session");
        driver.devtools(&session, "Page.addScriptToEvaluateOnNewDocument", json!({ "source": WATCH })).await;
        client.goto(url).await.unwrap();
        Self { driver, client, session, name }
    }

    /// Runs a script before those of every page that is opened later.
    pub(crate) async fn before_scripts(&self, script: &str) {
        let method = "Page.addScriptToEvaluateOnNewDocument";
        self.driver.devtools(&self.session, method, json!({ "source": script })).await;
    }

    pub(crate) async fn go(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    pub(crate) async fn reload(&self) {
        self.client.refresh().await.unwrap();
    }

    pub(crate) async fn click(&self, css: &str) {
        // A panel that slides in has not reached its position yet.
        self.client.execute_async(ANIMATIONS_END, Vec::new()).await.unwrap();
        self.client.find(Locator::Css(css)).await.unwrap().click().await.unwrap();
    }

    pub(crate) async fn write(&self, css: &str, text: &str) {
        self.client.find(Locator::Css(css)).await.unwrap().send_keys(text).await.unwrap();
    }

    /// Types keys into the focused element.
    pub(crate) async fn press(&self, keys: &str) {
        self.client.active_element().await.unwrap().send_keys(keys).await.unwrap();
    }

    /// Presses Tab until this element has the focus.
    pub(crate) async fn tab_to(&self, css: &str) {
        for _ in 0..40 {
            if self.run("return document.activeElement?.matches(arguments[0])", vec![css.into()]).await == true {
                return;
            }
            self.press(&Key::Tab).await;
        }
        self.fail(&format!("Tab does not reach {css}")).await;
    }

    /// Types a message and presses Enter.
    pub(crate) async fn post(&self, text: &str) {
        self.write("#text", text).await;
        self.write("#text", &Key::Enter).await;
    }

    /// Runs a script in the page and returns its result.
    pub(crate) async fn run(&self, script: &str, values: Vec<Value>) -> Value {
        self.client.execute(script, values).await.unwrap()
    }

    /// Waits until a script returns `wanted`.
    pub(crate) async fn until_run(&self, script: &str, values: Vec<Value>, wanted: Value) {
        let mut found = Value::Null;
        let holds = async || {
            found = self.run(script, values.clone()).await;
            found == wanted
        };
        if !holds_within(PATIENCE, PAUSE, holds).await {
            self.fail(&format!("{values:?} shows {found} instead of {wanted}")).await;
        }
    }

    /// Waits until the texts of all visible elements that match a selector are `wanted`.
    pub(crate) async fn until(&self, css: &str, wanted: &[&str]) {
        self.until_run(VISIBLE_TEXTS, vec![css.into()], json!(wanted)).await;
    }

    /// Waits until an element matches a selector.
    pub(crate) async fn until_exists(&self, css: &str) {
        let script = "return document.querySelector(arguments[0]) !== null";
        self.until_run(script, vec![css.into()], json!(true)).await;
    }

    /// Returns the texts of all visible elements that match a selector.
    pub(crate) async fn texts(&self, css: &str) -> Value {
        self.run(VISIBLE_TEXTS, vec![css.into()]).await
    }

    /// Switches to the `light` or `dark` colours.
    pub(crate) async fn set_colours(&self, scheme: &str) {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.driver.devtools(&self.session, "Emulation.setEmulatedMedia", features).await;
    }

    /// Saves a screenshot for people to look at, after all animations have finished.
    pub(crate) async fn screenshot(&self, title: &str) {
        let folder = env::current_exe().unwrap().ancestors().nth(3).map(PathBuf::from).unwrap().join("screenshots");
        fs::create_dir_all(&folder).unwrap();
        self.client.execute_async(ANIMATIONS_END, Vec::new()).await.unwrap();
        let png = self.client.screenshot().await.unwrap();
        fs::write(folder.join(format!("{title}.png")), png).unwrap();
    }

    /// Saves two screenshots, one in light and one in dark colours.
    pub(crate) async fn screenshots(&self, title: &str) {
        for scheme in ["dark", "light"] {
            self.set_colours(scheme).await;
            self.screenshot(&format!("{title}-{scheme}")).await;
        }
    }

    /// Returns what `watch.js` has recorded since the page was loaded: foreign code, foreign elements, errors.
    pub(crate) async fn violations(&self) -> Value {
        self.client.execute_async(EVENTS_END, Vec::new()).await.unwrap();
        self.run("return window.__violations", Vec::new()).await
    }

    /// Returns new messages of the page's console: errors of scripts, missing files, violations of its policy.
    pub(crate) async fn console(&self) -> Vec<Value> {
        self.driver.console(&self.session).await
    }

    /// Checks that the page has violated nothing and that its console is empty.
    pub(crate) async fn assert_clean(&self) {
        assert_eq!(self.violations().await, json!([]), "{}", self.name);
        assert_eq!(self.console().await, Vec::<Value>::new(), "{}", self.name);
    }

    pub(crate) async fn close(self) {
        self.client.close().await.unwrap();
    }

    async fn fail(&self, reason: &str) {
        self.screenshot("failed").await;
        panic!("{}: {reason}; violations: {}; console: {:?}", self.name, self.violations().await, self.console().await);
    }
}
