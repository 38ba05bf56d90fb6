//! Checks the structure that `docs/architecture.md` describes: levels, no import cycles, one meaning for each type name.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test stops where it fails")]

mod cycles;
mod levels;
mod names;
mod paths;
mod sources;
