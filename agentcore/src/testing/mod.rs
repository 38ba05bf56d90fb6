#![doc = include_str!("../docs/testing.md")]
#![expect(clippy::panic, reason = "a failed expectation ends its test")]

mod app;
mod broadcast;
mod call_site;
mod client;
mod clock;
mod connecting;
mod expect;
mod frame;
mod http;
mod pipe;
mod received;
#[cfg(feature = "redis")]
mod redis;
mod reply;
mod send;
mod socket;

pub use app::TestApp;
pub use broadcast::{assert_broadcast, expect_broadcast};
pub use client::TestClient;
pub use clock::{ClockGuard, hold_clock};
pub use connecting::Connecting;
pub use http::{TestRequest, TestResponse};
pub use received::{Closed, Received};
#[cfg(feature = "redis")]
pub use redis::StubRedis;
