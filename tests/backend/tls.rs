//! Redis over TLS.

use std::process::Command;

use agentcore::Settings;
use agentcore::backend::{Backend, RedisBackend};
use tests::bare::{Bare, no_limits};
use tests::chat::TempFolder;
use tests::redis::{Redis, free_port};

/// The variable with the address of Redis for the child.
const URL: &str = "TLS_TEST_REDIS_URL";

/// Trusted certificates come from a variable of the whole process, so the test runs in a process of its own.
#[tokio::test]
async fn a_node_accepts_only_tls_servers_that_the_system_trusts() {
    if let Ok(url) = std::env::var(URL) {
        return meet(&url).await;
    }
    let folder = TempFolder::new();
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&cert, certified.cert.pem()).expect("a file");
    std::fs::write(&key, certified.signing_key.serialize_pem()).expect("a file");
    let (cert, key) = (cert.to_string_lossy().into_owned(), key.to_string_lossy().into_owned());
    let port = free_port().to_string();
    let options = ["--tls-port", &port, "--tls-cert-file", &cert, "--tls-key-file", &key, "--tls-auth-clients", "no"];
    let Some(_redis) = Redis::with(&[&options[..], &["--tls-ca-cert-file", &cert]].concat()) else { return };
    let url = format!("rediss://localhost:{port}/0");
    let child = |trusted: &str| {
        let mut child = Command::new(std::env::current_exe().expect("this program"));
        child.args(["--exact", "tls::a_node_accepts_only_tls_servers_that_the_system_trusts", "--nocapture"]);
        child.env("SSL_CERT_FILE", trusted).env(URL, &url).output().expect("it runs")
    };
    let good = child(&cert);
    assert!(good.status.success(), "{}", String::from_utf8_lossy(&good.stderr));
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let stranger = folder.path().join("other.pem");
    std::fs::write(&stranger, other.cert.pem()).expect("a file");
    let bad = child(&stranger.to_string_lossy());
    assert!(!bad.status.success(), "a stranger was trusted");
}

/// The child's part of the test.
async fn meet(url: &str) {
    let mut settings = Settings::default();
    settings.redis_url = url.parse().expect("a URL");
    let backend = RedisBackend::new(&settings).expect("a build with TLS");
    Bare::new().0.start(&backend, "a", no_limits()).await;
    assert_eq!(backend.online_count().await.expect("a count"), 0);
    backend.stop().await;
}
