//! The check of a chain when the application starts.

use super::Handler;

/// The start of an application, as [`Middleware::check`](super::Middleware::check) sees it: the handlers of the
/// application, and a list for problems.
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

    /// Returns the handlers of all mounted consumers, each with the name of its consumer.
    pub fn handlers(&self) -> impl Iterator<Item = (&'static str, &'static Handler)> + 'a {
        self.consumers.iter().flat_map(|(consumer, handlers)| handlers.iter().map(|handler| (*consumer, handler)))
    }

    /// Reports a problem, which prevents the start. The error of the start lists all problems, one in each line.
    pub fn problem(&mut self, problem: impl Into<String>) {
        self.problems.push(problem.into());
    }

    /// Returns the index of the next rate limit of the chain.
    pub(super) fn next_limit(&mut self) -> u16 {
        let number = self.limits;
        self.limits = self.limits.saturating_add(1);
        number
    }

    /// Returns whether the chain has a rate limit.
    pub(crate) fn has_limits(&self) -> bool {
        self.limits > 0
    }

    pub(crate) fn into_problems(self) -> Vec<String> {
        self.problems
    }
}
