//! Many nodes joined by Redis.

#![expect(dead_code, reason = "the parts come before the whole")]

mod driver;
mod names;
