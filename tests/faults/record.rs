//! The record of one client: every number of every sender, every resync, every close.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Deserialize;

use crate::application::now;

/// The clock of these tests, in microseconds.
pub(crate) type Time = u64;

/// A client's record.
#[derive(Debug)]
pub(crate) struct Seen {
    /// The user id.
    pub(crate) name: String,
    /// The index of its node.
    pub(crate) node: usize,
    log: Mutex<Log>,
}

/// The content of a record.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// The times in which the client was certainly in a group.
    pub(crate) stays: Vec<Stay>,
    /// The numbers received from each sender in each group.
    pub(crate) heard: HashMap<(String, String), Heard>,
    /// The resyncs that the client received.
    pub(crate) resyncs: Vec<Resync>,
    /// Joins (`true`) and leaves of users.
    pub(crate) presences: Vec<(bool, String, Time)>,
    /// How the connection ended.
    pub(crate) end: Option<(Time, String)>,
    /// The test ended the connection on purpose.
    pub(crate) may_end: bool,
    /// Its node was frozen, which may have delayed its own messages.
    pub(crate) may_stall: bool,
    /// Observations that no client may ever make.
    pub(crate) wrong: Vec<String>,
}

/// A time span in a group.
#[derive(Debug, Clone)]
pub(crate) struct Stay {
    /// The group.
    pub(crate) group: String,
    /// When the join returned.
    pub(crate) from: Time,
    /// When the leave began.
    pub(crate) to: Option<Time>,
}

/// The numbers received from one sender in one group.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// Ranges of numbers without a gap, first and last.
    pub(crate) runs: Vec<(u64, u64)>,
    /// When the last one was sent.
    pub(crate) last_at: Time,
    /// When each was sent; kept for the sender itself, which receives all its messages.
    pub(crate) sent: Vec<Time>,
    /// The longest delay, in microseconds.
    pub(crate) slowest: Time,
}

/// A resync.
#[derive(Debug, Clone)]
pub(crate) struct Resync {
    /// When it arrived.
    pub(crate) at: Time,
    /// The affected groups; `None`: all.
    pub(crate) groups: Option<Vec<String>>,
    /// The reason.
    pub(crate) reason: String,
}

impl Resync {
    /// Returns whether the resync covers a group.
    pub(crate) fn covers(&self, group: &str) -> bool {
        self.groups.as_ref().is_none_or(|groups| groups.iter().any(|name| name == group))
    }
}

#[derive(Deserialize)]
struct Envelope<'a, T> {
    #[serde(rename = "type")]
    kind: &'a str,
    data: T,
}

#[derive(Deserialize)]
struct Said<'a> {
    from: &'a str,
    group: &'a str,
    number: u64,
    at: Time,
}

#[derive(Deserialize)]
struct Gaps {
    groups: Option<Vec<String>>,
    reason: String,
    spread_ms: u64,
}

#[derive(Deserialize)]
struct Passing<'a> {
    user: &'a str,
}

impl Heard {
    /// Returns whether a number was received.
    pub(crate) fn has(&self, number: u64) -> bool {
        let after = self.runs.partition_point(|(first, _)| *first <= number);
        after > 0 && self.runs[after - 1].1 >= number
    }

    fn note(&mut self, number: u64, at: Time, is_own: bool) -> Result<(), String> {
        match self.runs.last_mut() {
            Some((_, last)) if number <= *last => return Err(format!("{number} after {last}")),
            Some((_, last)) if number == *last + 1 => *last = number,
            _ => self.runs.push((number, number)),
        }
        self.last_at = at;
        self.slowest = self.slowest.max(now().saturating_sub(at));
        if is_own {
            if number != self.sent.len() as u64 {
                return Err(format!("its own {number} after {} others", self.sent.len()));
            }
            self.sent.push(at);
        }
        Ok(())
    }
}

impl Seen {
    /// Returns an empty record.
    pub(crate) fn new(name: String, node: usize) -> Self {
        Self { name, node, log: Mutex::default() }
    }

    /// Locks the content.
    pub(crate) fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether the connection is open.
    pub(crate) fn is_open(&self) -> bool {
        self.log().end.is_none()
    }

    /// Records a received text that is not an answer to a request.
    pub(crate) fn note(&self, text: &[u8]) {
        if let Err(why) = self.read(text) {
            let shown = String::from_utf8_lossy(&text[..text.len().min(300)]).into_owned();
            self.log().wrong.push(format!("{why}: {shown}"));
        }
    }

    fn read(&self, text: &[u8]) -> Result<(), String> {
        let bad = |error: serde_json::Error| error.to_string();
        let mut log = self.log();
        // The common case first: a thousand clients read many of these.
        if text.starts_with(br#"{"type":"said""#) {
            let Said { from, group, number, at } = serde_json::from_slice::<Envelope<'_, _>>(text).map_err(bad)?.data;
            let heard = log.heard.entry((from.to_owned(), group.to_owned())).or_default();
            return heard.note(number, at, from == self.name).map_err(|why| format!("{from} in {group}: {why}"));
        }
        let Envelope { kind, data } =
            serde_json::from_slice::<Envelope<'_, &serde_json::value::RawValue>>(text).map_err(bad)?;
        match kind {
            "agentcore.resync" => {
                let Gaps { groups, reason, spread_ms } = serde_json::from_str(data.get()).map_err(bad)?;
                if spread_ms == 0 {
                    return Err("no spread".to_owned());
                }
                log.resyncs.push(Resync { at: now(), groups, reason });
            }
            "came" | "went" => {
                let Passing { user } = serde_json::from_str(data.get()).map_err(bad)?;
                log.presences.push((kind == "came", user.to_owned(), now()));
            }
            _ => return Err("nobody asked for this".to_owned()),
        }
        Ok(())
    }

    /// Records the end of the connection.
    pub(crate) fn end(&self, how: String) {
        let mut log = self.log();
        let at = now();
        if log.end.is_none() {
            log.end = Some((at, how));
        }
        log.stays.iter_mut().for_each(|stay| _ = stay.to.get_or_insert(at));
    }
}
