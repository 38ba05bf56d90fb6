//! Applications that cannot start: each gives one clear error.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use agentcore::axum::Router;
use agentcore::axum::routing::get;
use agentcore::prelude::*;
use tests::server::settings;

#[derive(Clone)]
struct History;

#[derive(Clone)]
struct Mailer;

#[consumer(path = "/with/{room}")]
struct WithState {
    #[path]
    #[expect(dead_code, reason = "only its place in the path matters")]
    room: String,
    #[state]
    #[expect(dead_code, reason = "only its type matters")]
    history: History,
}

#[consumer]
impl WithState {}

#[consumer(path = "/same")]
struct First;

#[consumer]
impl First {}

#[consumer(path = "/same")]
struct Second;

#[consumer]
impl Second {}

#[consumer(path = "/over/{a}")]
struct OverlapsOne {
    #[path]
    #[expect(dead_code, reason = "only its place in the path matters")]
    a: String,
}

#[consumer]
impl OverlapsOne {}

#[consumer(path = "/over/{b}")]
struct OverlapsOther {
    #[path]
    #[expect(dead_code, reason = "only its place in the path matters")]
    b: String,
}

#[consumer]
impl OverlapsOther {}

#[consumer(path = "/health")]
struct Health;

#[consumer]
impl Health {}

async fn error_of(app: AgentCore) -> String {
    match app.build().await {
        Ok(_) => panic!("the application was built"),
        Err(error) => format!("{error:?}"),
    }
}

fn says(error: &str, parts: &[&str]) {
    for part in parts {
        assert!(error.contains(part), "`{part}` is not in: {error}");
    }
}

fn app() -> AgentCore {
    AgentCore::new(settings())
}

#[tokio::test]
async fn a_missing_state_names_its_type_its_consumer_and_what_is_there() {
    let error = error_of(app().consumer::<WithState>()).await;
    says(&error, &["WithState", "History", "none is", ".state("]);
    let error = error_of(app().state(Mailer).state(7_u8).consumer::<WithState>()).await;
    says(&error, &["WithState", "History", "Mailer", "u8"]);
    assert!(app().state(History).consumer::<WithState>().build().await.is_ok());
}

#[tokio::test]
async fn two_states_of_one_type_are_an_error() {
    says(&error_of(app().state(History).state(History)).await, &["two states", "History"]);
}

#[tokio::test]
async fn two_consumers_on_one_path_are_an_error_that_names_both() {
    says(&error_of(app().consumer::<First>().consumer::<Second>()).await, &["First", "Second", "`/same`"]);
    let error = error_of(app().consumer::<OverlapsOne>().consumer::<OverlapsOther>()).await;
    says(&error, &["/over/{b}", "/over/{a}"]);
    assert!(app().consumer::<First>().consumer::<First>().build().await.is_ok(), "mounting twice is mounting once");
}

#[tokio::test]
async fn a_route_of_the_framework_cannot_be_replaced() {
    let error = error_of(app().consumer::<Health>()).await;
    says(&error, &["Health", "`/health`", "status route", ".without_status_routes()"]);
    assert!(app().consumer::<Health>().without_status_routes().build().await.is_ok());
    for path in ["/health", "/ready", "/metrics"] {
        let routes = Router::new().route(path, get(async || "mine"));
        says(&error_of(app().routes(routes.clone())).await, &[path]);
        assert!(app().routes(routes).without_status_routes().build().await.is_ok());
    }
    let routes = Router::new().route("/same", get(async || "mine"));
    says(&error_of(app().consumer::<First>().routes(routes)).await, &["/same"]);
}

#[tokio::test]
async fn all_problems_are_reported_at_once() {
    let error =
        error_of(app().state(7_u8).state(8_u8).consumer::<WithState>().consumer::<First>().consumer::<Second>()).await;
    assert_eq!(error.lines().count(), 3, "a line each: {error}");
}

#[test]
fn without_a_runtime_the_error_names_the_macros_that_create_one() {
    let mut build = pin!(error_of(app()));
    let Poll::Ready(error) = build.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("nothing drives a future that waits");
    };
    says(&error, &["tokio runtime", "#[agentcore::main]", "#[tokio::main]"]);
}

#[tokio::test]
async fn a_taken_port_is_an_error_that_names_it() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let mut settings = settings();
    settings.port = taken.local_addr().expect("an address").port();
    let port = settings.port.to_string();
    let error = AgentCore::new(settings).consumer::<First>().serve().await.expect_err("the port is taken");
    says(&format!("{error:?}"), &[&port, "taken", "PORT"]);
    let mut settings = tests::server::settings();
    settings.host = "192.0.2.1".parse().expect("an address");
    let error = AgentCore::new(settings).serve().await.expect_err("the address is not ours");
    says(&format!("{error:?}"), &["192.0.2.1", "HOST"]);
}

/// A build that fails reports through its error, and does not hide the panics of other threads.
#[test]
fn builds_on_many_threads_leave_the_panic_hook_alone() {
    static HEARD: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    const OURS: &str = "the hook must hear this";
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| match info.payload().downcast_ref::<&str>() {
        Some(&OURS) => drop(HEARD.fetch_add(1, std::sync::atomic::Ordering::Relaxed)),
        _ => before(info),
    }));
    let building: Vec<_> = (0..8)
        .map(|_| {
            std::thread::spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                for _ in 0..50 {
                    let mut settings = settings();
                    settings.workers = 0;
                    let app = AgentCore::new(settings).consumer::<First>().consumer::<OverlapsOne>();
                    runtime.block_on(app.build()).expect("an application");
                }
            })
        })
        .collect();
    building.into_iter().for_each(|thread| thread.join().expect("no panic"));
    assert!(std::panic::catch_unwind(|| std::panic::panic_any(OURS)).is_err());
    assert_eq!(HEARD.load(std::sync::atomic::Ordering::Relaxed), 1);
}
