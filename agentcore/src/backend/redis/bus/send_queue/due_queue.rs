//! Channels by the time at which something is due for them.

use std::collections::VecDeque;

use tokio::time::Instant;

use crate::backend::redis::keys::Channel;

/// A queue of channels with ascending due times. The caller adds each channel at most once.
#[derive(Debug, Default)]
pub(super) struct DueQueue(VecDeque<(Instant, Channel)>);

impl DueQueue {
    /// Adds a channel; `due` is not before the due time of the last one.
    pub(super) fn push(&mut self, due: Instant, channel: Channel) {
        self.0.push_back((due, channel));
    }

    /// Takes the first channel if it is due.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<Channel> {
        self.0.pop_front_if(|(due, _)| *due <= now).map(|(_, channel)| channel)
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.0.front().map(|(due, _)| *due)
    }

    /// Makes the selected channels due now and moves them to the front.
    pub(super) fn advance(&mut self, now: Instant, is_selected: impl Fn(&Channel) -> bool) {
        let (selected, others): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut self.0).into_iter().partition(|(_, channel)| is_selected(channel));
        self.0 = selected.into_iter().map(|(_, channel)| (now, channel)).chain(others).collect();
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
