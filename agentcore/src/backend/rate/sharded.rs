//! Books for many threads at once.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use super::{RateAsk, RateBook, RateDecision};

/// So many books: subjects that are asked about at the same time rarely meet.
const BOOKS: usize = 32;

/// What a node decides by itself. A decision concerns one subject, and so one book: its lock makes it one step.
#[derive(Debug)]
pub(crate) struct RateDesk {
    hasher: RandomState,
    books: Box<[Mutex<RateBook>]>,
}

impl Default for RateDesk {
    fn default() -> Self {
        let now = Instant::now();
        Self { hasher: RandomState::new(), books: (0..BOOKS).map(|_| Mutex::new(RateBook::new(now))).collect() }
    }
}

impl RateDesk {
    /// Decides now.
    pub(crate) fn take(&self, ask: &RateAsk<'_>) -> RateDecision {
        let count = self.books.len() as u64;
        let number = usize::try_from(self.hasher.hash_one(ask.subject) % count.max(1)).unwrap_or(0);
        match self.books.get(number) {
            // The clock is read under the lock, so that times never go back within a book.
            Some(book) => book.lock().unwrap_or_else(PoisonError::into_inner).take(ask, Instant::now()),
            None => RateDecision::Passed,
        }
    }
}
