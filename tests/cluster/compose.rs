//! `compose.yaml` and its `Dockerfile`: no test runs them, but everything that they name must exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn text_of(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn compose() -> Value {
    serde_saphyr::from_str(&text_of("examples/cluster/compose.yaml")).unwrap()
}

fn nodes(compose: &Value) -> impl Iterator<Item = (&String, &Value)> {
    compose["services"].as_object().unwrap().iter().filter(|(_, service)| service["build"].is_object())
}

#[test]
fn every_variable_that_compose_sets_is_a_setting() {
    let first = |row: &str| row.strip_prefix("| `").and_then(|rest| Some(rest.split_once('`')?.0.to_owned()));
    let pages = [text_of("agentcore/src/docs/settings.md"), text_of("examples/chat/README.md")];
    let known: BTreeSet<_> = pages.iter().flat_map(|page| page.lines().filter_map(first)).collect();
    let compose = compose();
    let mut names = BTreeSet::new();
    for (node, service) in nodes(&compose) {
        for (name, value) in service["environment"].as_object().unwrap() {
            assert!(known.contains(name), "{node}: there is no setting {name}");
            assert!(value.is_string(), "{node}: {name} must be a string, it is {value}");
        }
        let settings = &service["environment"];
        assert_eq!((&settings["BACKEND_TYPE"], &settings["CHAT_STORE"]), (&"redis".into(), &"redis".into()), "{node}");
        assert!(
            names.insert(settings["SERVER_INSTANCE_ID"].as_str().unwrap().to_owned()),
            "{node} has the id of another node"
        );
    }
    assert_eq!(names.len(), 2);
}

#[test]
fn addresses_and_ports_of_the_services_match() {
    let compose = compose();
    let mut ports = BTreeSet::new();
    for (node, service) in nodes(&compose) {
        let settings = &service["environment"];
        let redis = settings["REDIS_URL"].as_str().unwrap().strip_prefix("redis://").unwrap();
        let host = redis.split_once(':').unwrap().0;
        assert!(compose["services"][host].is_object(), "{node}: there is no service {host}");
        assert_eq!(service["depends_on"][host]["condition"], "service_healthy", "{node}");
        let port = service["ports"][0].as_str().unwrap();
        let (outside, inside) = port.rsplit_once(':').unwrap();
        assert_eq!(settings["PORT"], inside, "{node}");
        assert!(ports.insert(outside.to_owned()), "{node}: {outside} is taken");
        let build = &service["build"];
        assert_eq!(build["context"], "../..", "{node}: the Dockerfile's paths are relative to the repository");
        assert!(root().join(build["dockerfile"].as_str().unwrap()).is_file(), "{node}");
    }
    for service in compose["services"].as_object().unwrap().values() {
        for volume in service["volumes"].as_array().into_iter().flatten() {
            let name = volume.as_str().unwrap().split_once(':').unwrap().0;
            assert!(compose["volumes"].as_object().unwrap().contains_key(name), "there is no volume {name}");
        }
    }
}

#[test]
fn the_image_uses_the_pinned_toolchain_and_runs_the_chat() {
    let dockerfile = text_of("examples/cluster/Dockerfile");
    let toolchain = text_of("rust-toolchain.toml");
    let channel = toolchain.lines().find_map(|line| line.strip_prefix("channel = ")).unwrap().trim_matches('"');
    let image = dockerfile.lines().find_map(|line| line.strip_prefix("FROM rust:")).unwrap();
    let version = image.split_once('-').unwrap().0;
    assert!(channel.starts_with(version), "the image has Rust {version}, this repository {channel}");
    let package = dockerfile.lines().find_map(|line| line.rsplit_once("--package ")).unwrap().1;
    let manifest = text_of(&format!("examples/{package}/Cargo.toml"));
    assert!(manifest.contains(&format!("name = \"{package}\"")));
    assert!(dockerfile.contains(&format!("/src/target/dist/{package} /usr/local/bin/{package}")));
    assert!(dockerfile.ends_with(&format!("CMD [\"{package}\"]\n")));
}
