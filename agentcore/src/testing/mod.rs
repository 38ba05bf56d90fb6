#![doc = include_str!("../docs/testing.md")]
#![expect(clippy::panic, reason = "an expectation that is not met ends its test")]

mod app;
mod asking;
mod broadcast;
mod client;
mod clock;
mod connecting;
mod dial;
mod expect;
mod failing;
mod frame;
mod pipe;
mod received;
#[cfg(feature = "redis")]
mod redis;
mod request;
mod sending;
mod socket;

pub use app::TestApp;
pub use broadcast::{assert_broadcast, expect_broadcast};
pub use client::TestClient;
pub use clock::{ClockGuard, hold_clock};
pub use connecting::Connecting;
pub use dial::TestResponse;
pub use expect::Closed;
pub use received::Received;
#[cfg(feature = "redis")]
pub use redis::StubRedis;
pub use request::TestRequest;
