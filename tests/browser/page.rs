//! One browser that shows the page of the chat.

use std::path::PathBuf;
use std::time::Duration;
use std::{env, fs};

use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tests::browser::Driver;
use tokio::time::{sleep, timeout};

/// A browser is slow on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The key that sends a message.
const ENTER: &str = "\u{e007}";

/// Wide enough for all parts of the page side by side.
pub(crate) const DESK: (u32, u32) = (1280, 800);
/// One part at a time.
pub(crate) const PHONE: (u32, u32) = (375, 700);

pub(crate) struct Page {
    client: Client,
    name: &'static str,
}

impl Page {
    /// Starts a browser of its own, with a new profile.
    pub(crate) async fn open(driver: &Driver, name: &'static str, size: (u32, u32), url: &str) -> Self {
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(driver.capabilities(name, size));
        let client = timeout(PATIENCE, builder.connect(&driver.url())).await;
        let client = client.expect("a browser starts").expect("a session");
        client.goto(url).await.unwrap();
        Self { client, name }
    }

    pub(crate) async fn reload(&self) {
        self.client.refresh().await.unwrap();
    }

    pub(crate) async fn click(&self, css: &str) {
        self.client.find(Locator::Css(css)).await.unwrap().click().await.unwrap();
    }

    pub(crate) async fn write(&self, css: &str, text: &str) {
        self.client.find(Locator::Css(css)).await.unwrap().send_keys(text).await.unwrap();
    }

    /// Types a message and presses Enter.
    pub(crate) async fn say(&self, text: &str) {
        self.write("#text", text).await;
        self.write("#text", ENTER).await;
    }

    /// Waits until the texts of all visible elements of this kind are these.
    pub(crate) async fn until(&self, css: &str, wanted: &[&str]) {
        let script = "return [...document.querySelectorAll(arguments[0])]
            .filter((element) => element.checkVisibility()).map((element) => element.textContent)";
        let mut shown = Value::Null;
        let asking = async {
            while shown != json!(wanted) {
                sleep(Duration::from_millis(50)).await;
                shown = self.client.execute(script, vec![css.into()]).await.unwrap();
            }
        };
        if timeout(PATIENCE, asking).await.is_err() {
            self.picture("failed").await;
            panic!("{}: {css} shows {shown} instead of {wanted:?}", self.name);
        }
    }

    /// Waits until there is an element of this kind.
    pub(crate) async fn until_there(&self, css: &str) {
        let found = self.client.wait().at_most(PATIENCE).for_element(Locator::Css(css)).await;
        assert!(found.is_ok(), "{}: there is no {css}", self.name);
    }

    pub(crate) async fn count(&self, css: &str) -> usize {
        self.client.find_all(Locator::Css(css)).await.unwrap().len()
    }

    /// Keeps a picture of the page, to be looked at; what moves has come to its end.
    pub(crate) async fn picture(&self, title: &str) {
        let folder = env::current_exe().unwrap().ancestors().nth(3).map(PathBuf::from).unwrap().join("screenshots");
        fs::create_dir_all(&folder).unwrap();
        let rest = "Promise.allSettled(document.getAnimations().map((each) => each.finished)).then(arguments[0])";
        self.client.execute_async(rest, Vec::new()).await.unwrap();
        let png = self.client.screenshot().await.unwrap();
        fs::write(folder.join(format!("{title}-{}.png", self.name)), png).unwrap();
    }

    /// What went wrong in the page so far: errors of scripts, files that are missing, what its policy forbids.
    pub(crate) async fn complaints(&self, driver: &Driver) -> Vec<Value> {
        let session = self.client.session_id().await.unwrap().expect("a session");
        driver.console(&session).await
    }

    pub(crate) async fn close(self) {
        self.client.close().await.unwrap();
    }
}
