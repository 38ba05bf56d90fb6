//! The check of a chain, at start.

use super::Handler;

/// What a middleware is shown when the application starts, and where it reports what is wrong with it.
#[derive(Debug)]
pub struct Start<'a> {
    consumers: &'a [(&'static str, &'static [Handler])],
    problems: Vec<String>,
    limits: u16,
}

impl<'a> Start<'a> {
    pub(crate) fn new(consumers: &'a [(&'static str, &'static [Handler])]) -> Self {
        Self { consumers, problems: Vec::new(), limits: 0 }
    }

    /// The handlers of all mounted consumers, each with the name of its consumer.
    pub fn handlers(&self) -> impl Iterator<Item = (&'static str, &'static Handler)> + 'a {
        self.consumers.iter().flat_map(|(consumer, handlers)| handlers.iter().map(|handler| (*consumer, handler)))
    }

    /// Reports what is wrong and how to mend it; the application does not start then. All problems are told at once, a
    /// line each.
    pub fn problem(&mut self, problem: impl Into<String>) {
        self.problems.push(problem.into());
    }

    /// Numbers the limits of a chain, in its order.
    pub(super) fn next_limit(&mut self) -> u16 {
        let number = self.limits;
        self.limits = self.limits.saturating_add(1);
        number
    }

    /// Whether the chain limits anything.
    pub(crate) fn has_limits(&self) -> bool {
        self.limits > 0
    }

    pub(crate) fn into_problems(self) -> Vec<String> {
        self.problems
    }
}
