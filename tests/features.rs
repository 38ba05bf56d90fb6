//! Builds without default features: what is left out is not compiled, and asking for it names the feature.

#![expect(clippy::expect_used, reason = "a test stops where it fails")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, process};

/// The most packages that the smallest application may consist of, itself included.
const MAX_PACKAGES: usize = 120;

#[test]
fn without_redis_a_server_that_is_told_to_use_it_names_the_missing_feature() {
    let built = cargo(root(), &["build", "--package", "echo", "--no-default-features"]);
    assert!(built.status.success(), "{}", errors(&built));
    let echo = target().join("debug/echo");
    let refused = Command::new(echo).env("BACKEND_TYPE", "redis").env("PORT", "0").output().expect("it runs");
    assert_eq!(refused.status.code(), Some(2));
    let said = errors(&refused);
    assert!(said.contains("BACKEND_TYPE=redis needs the feature `redis`"), "{said}");
    assert_eq!(said.trim_end().lines().count(), 1, "{said}");
}

#[test]
fn without_the_feature_url_the_rule_is_an_error_that_names_it() {
    let folder = Folder::new("url-rule");
    folder.write_package("}\n");
    let source = "use agentcore::prelude::*;\n#[message(\"link\")]\npub struct Link {\n    #[validate(url)]\n    pub target: String,\n}\n";
    fs::write(folder.0.join("src/lib.rs"), source).expect("a file");
    let checked = cargo(&folder.0, &["build", "--offline"]);
    let said = errors(&checked);
    assert!(!checked.status.success());
    assert_eq!(
        said.matches("\nerror").count() + usize::from(said.starts_with("error")),
        2,
        "one, and cargo's own: {said}"
    );
    assert!(said.contains("`#[validate(url)]` needs the feature `url` of the crate `agentcore`"), "{said}");
}

#[test]
fn numbers_stay_numbers_when_another_crate_turns_on_arbitrary_precision() {
    let folder = Folder::new("arbitrary-precision");
    folder.write_package(
        "features = [\"test-util\"] }\nserde_json = { version = \"1\", features = [\"arbitrary_precision\"] }\n\
         tokio = { version = \"1\", features = [\"macros\", \"rt\"] }\n",
    );
    fs::write(folder.0.join("src/main.rs"), include_str!("arbitrary_precision/main.rs")).expect("a file");
    let run = cargo(&folder.0, &["run", "--offline"]);
    assert!(run.status.success(), "{}", errors(&run));
}

#[test]
fn the_smallest_application_consists_of_few_packages() {
    let host = ["tree", "--package", "echo", "--no-default-features", "--edges", "normal,build", "--prefix", "none"];
    let listed = cargo(root(), &[&host[..], &["--target", "x86_64-unknown-linux-gnu"]].concat());
    assert!(listed.status.success(), "{}", errors(&listed));
    let listed = String::from_utf8(listed.stdout).expect("UTF-8");
    let packages: BTreeSet<_> = listed.lines().map(|line| line.split(" (").next().unwrap_or(line)).collect();
    assert!(packages.len() > 50, "{packages:?}");
    assert!(packages.len() <= MAX_PACKAGES, "{} packages: {packages:?}", packages.len());
    let left_out = ["redis ", "prometheus-client ", "url ", "h2 "];
    let found: Vec<_> =
        packages.iter().filter(|package| left_out.iter().any(|name| package.starts_with(name))).collect();
    assert!(found.is_empty(), "{found:?}");
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace")
}

/// A folder for these builds inside the target folder, which other builds do not lock.
fn target() -> PathBuf {
    let test = env::current_exe().expect("a test has a file");
    test.ancestors().nth(3).expect("the target folder").join("features")
}

fn cargo(folder: &Path, arguments: &[&str]) -> Output {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into()));
    cargo.args(arguments).current_dir(folder).env("CARGO_TARGET_DIR", target()).output().expect("cargo runs")
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A folder that is removed with its test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("agentcore-{name}-{}", process::id()));
        fs::create_dir_all(path.join("src")).expect("a folder");
        Self(path)
    }

    /// Writes the manifest of an application; `rest` follows the path of its dependency on `agentcore`.
    fn write_package(&self, rest: &str) {
        let agentcore = root().join("agentcore");
        let manifest = format!(
            "[package]\nname = \"application\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n[dependencies]\n\
             agentcore = {{ path = {agentcore:?}, default-features = false, {rest}"
        );
        fs::write(self.0.join("Cargo.toml"), manifest).expect("a file");
        fs::copy(root().join("Cargo.lock"), self.0.join("Cargo.lock")).expect("a file");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
