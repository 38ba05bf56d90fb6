//! Joins several middlewares into one.

use std::future::Future;
use std::ops::Shr;

use super::{Incoming, Middleware, Next, Reply, Start};
use crate::error::Result;

/// A sequence of middlewares, joined with `>>`. The first is the outermost: it sees each message first and its reply
/// last.
///
/// ```
/// # use agentcore::middleware::{Incoming, Middleware, Next, Reply};
/// # #[derive(Default)] struct Audit;
/// # impl Middleware for Audit {
/// #     async fn handle<N: Next>(&self, message: Incoming<'_>, next: N) -> agentcore::Result<Reply> {
/// #         next.run(message).await
/// #     }
/// # }
/// use agentcore::middleware::Chain;
///
/// let in_production: Option<Audit> = None;
/// let chain = Chain::new() >> Audit >> in_production;
/// ```
#[derive(Debug, Clone, Copy, Default)]
#[must_use = "a chain does nothing until `.middleware(..)` is given it"]
pub struct Chain<M = Passing>(M);

impl Chain {
    /// Creates an empty chain, which adds no cost per message.
    pub fn new() -> Self {
        Self(Passing)
    }
}

impl<M, N: Middleware> Shr<N> for Chain<M> {
    type Output = Chain<Stack<M, N>>;

    fn shr(self, inner: N) -> Self::Output {
        Chain(Stack { outer: self.0, inner })
    }
}

impl<M: Middleware> Middleware for Chain<M> {
    fn handle<N: Next>(&self, message: Incoming<'_>, next: N) -> impl Future<Output = Result<Reply>> + Send {
        self.0.handle(message, next)
    }

    fn check(&self, start: &mut Start<'_>) {
        self.0.check(start);
    }

    fn passes_all(&self) -> bool {
        self.0.passes_all()
    }
}

/// The empty [`Chain`], which passes every message on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Passing;

impl Middleware for Passing {
    fn handle<N: Next>(&self, message: Incoming<'_>, next: N) -> impl Future<Output = Result<Reply>> + Send {
        next.run(message)
    }

    fn passes_all(&self) -> bool {
        true
    }
}

/// Two middlewares, the outer around the inner.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stack<O, I> {
    outer: O,
    inner: I,
}

impl<O: Middleware, I: Middleware> Middleware for Stack<O, I> {
    fn handle<N: Next>(&self, message: Incoming<'_>, next: N) -> impl Future<Output = Result<Reply>> + Send {
        self.outer.handle(message, ChainRest { inner: &self.inner, next })
    }

    fn check(&self, start: &mut Start<'_>) {
        self.outer.check(start);
        self.inner.check(start);
    }

    fn passes_all(&self) -> bool {
        self.outer.passes_all() && self.inner.passes_all()
    }
}

/// The inner of two middlewares, then the rest of the chain.
#[derive(Debug)]
struct ChainRest<'a, I, N> {
    inner: &'a I,
    next: N,
}

impl<I: Middleware, N: Next> Next for ChainRest<'_, I, N> {
    fn run(self, message: Incoming<'_>) -> impl Future<Output = Result<Reply>> + Send {
        self.inner.handle(message, self.next)
    }
}
