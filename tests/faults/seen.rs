//! What one client has seen: every number of every sender, every gap that it was told of, every end.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Deserialize;

use crate::hall::now;

/// The clock of these tests, in microseconds.
pub(crate) type Time = u64;

/// A client's record.
#[derive(Debug)]
pub(crate) struct Seen {
    /// The user's name.
    pub(crate) name: String,
    /// On which node it is.
    pub(crate) node: usize,
    log: Mutex<Log>,
}

/// What is in a record.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// When it was surely in which group.
    pub(crate) stays: Vec<Stay>,
    /// What it heard of each sender in each group.
    pub(crate) heard: HashMap<(String, String), Heard>,
    /// What it was told to load again.
    pub(crate) resyncs: Vec<Resync>,
    /// Who came (`true`) and went.
    pub(crate) presences: Vec<(bool, String, Time)>,
    /// How it ended.
    pub(crate) end: Option<(Time, String)>,
    /// Its end is no fault: the test wanted it.
    pub(crate) may_end: bool,
    /// Its node stood still: its own messages may have waited for that.
    pub(crate) may_stall: bool,
    /// What no client may ever see.
    pub(crate) wrong: Vec<String>,
}

/// A time in a group.
#[derive(Debug, Clone)]
pub(crate) struct Stay {
    /// Which one.
    pub(crate) group: String,
    /// When joining had returned.
    pub(crate) from: Time,
    /// When leaving began.
    pub(crate) to: Option<Time>,
}

/// What was heard of one sender in one group.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// Numbers without a hole, first and last.
    pub(crate) runs: Vec<(u64, u64)>,
    /// When the last one was sent.
    pub(crate) last_at: Time,
    /// When each was sent: of the sender itself, who hears all it says.
    pub(crate) sent: Vec<Time>,
    /// The longest way, in microseconds.
    pub(crate) slowest: Time,
}

/// A resync.
#[derive(Debug, Clone)]
pub(crate) struct Resync {
    /// When it came.
    pub(crate) at: Time,
    /// Which groups; `None`: all.
    pub(crate) groups: Option<Vec<String>>,
    /// Why.
    pub(crate) reason: String,
}

impl Resync {
    /// Whether it is about a group.
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
    /// Whether a number was heard.
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
    /// An empty record.
    pub(crate) fn new(name: String, node: usize) -> Self {
        Self { name, node, log: Mutex::default() }
    }

    /// What is in it.
    pub(crate) fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether its connection is open.
    pub(crate) fn is_open(&self) -> bool {
        self.log().end.is_none()
    }

    /// Notes a text that came and is no answer.
    pub(crate) fn note(&self, text: &[u8]) {
        if let Err(why) = self.read(text) {
            let shown = String::from_utf8_lossy(&text[..text.len().min(300)]).into_owned();
            self.log().wrong.push(format!("{why}: {shown}"));
        }
    }

    fn read(&self, text: &[u8]) -> Result<(), String> {
        let bad = |error: serde_json::Error| error.to_string();
        let mut log = self.log();
        // Most are of this kind, and a thousand clients read many.
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

    /// Notes the end of the connection.
    pub(crate) fn end(&self, how: String) {
        let mut log = self.log();
        let at = now();
        if log.end.is_none() {
            log.end = Some((at, how));
        }
        log.stays.iter_mut().for_each(|stay| _ = stay.to.get_or_insert(at));
    }
}
