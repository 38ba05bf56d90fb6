//! The parts of an application that all of its routes share, and its states in REST handlers.

use std::fmt;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::identify::Identification;
use crate::error::Error;
use crate::manager::ConnectionManager;
use crate::middleware::Pipeline;
use crate::state::States;
use crate::wire::DecoderLimits;

/// Frames that one message may consist of. Empty fragments cost no bytes, but time.
const MAX_FRAMES: u32 = 16_384;

/// The shared parts of an application, an extension of every request.
pub(in crate::server) struct AppState {
    manager: ConnectionManager,
    states: States,
    chain: Option<Arc<dyn Pipeline>>,
    identification: Identification,
    decoder_limits: Arc<DecoderLimits>,
}

impl fmt::Debug for AppState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppState").field("manager", &self.manager).field("states", &self.states).finish_non_exhaustive()
    }
}

impl AppState {
    pub(in crate::server) fn new(
        manager: ConnectionManager,
        states: States,
        chain: Option<Arc<dyn Pipeline>>,
        identification: Identification,
    ) -> Self {
        let settings = manager.settings();
        let decoder_limits =
            Arc::new(DecoderLimits::new(settings.ws_max_message_size, MAX_FRAMES, settings.ws_max_unfinished_bytes));
        Self { manager, states, chain, identification, decoder_limits }
    }

    pub(in crate::server) fn manager(&self) -> &ConnectionManager {
        &self.manager
    }

    pub(super) fn states(&self) -> &States {
        &self.states
    }

    /// Returns the middleware chain; `None` when messages go straight to their handlers.
    pub(super) fn chain(&self) -> Option<&Arc<dyn Pipeline>> {
        self.chain.as_ref()
    }

    /// Returns the limits of the messages of all clients.
    pub(super) fn decoder_limits(&self) -> &Arc<DecoderLimits> {
        &self.decoder_limits
    }

    pub(super) fn identification(&self) -> &Identification {
        &self.identification
    }
}

/// A state of the application in a REST handler: any value that `.state(..)` was given, or the [`ConnectionManager`].
///
/// ```
/// use agentcore::{ConnectionManager, State, axum::Router, axum::routing::get};
///
/// async fn status(State(manager): State<ConnectionManager>) -> String {
///     manager.stats().connections.to_string()
/// }
/// let routes: Router = Router::new().route("/status", get(status));
/// ```
#[derive(Debug, Clone)]
pub struct State<T>(pub T);

impl<S, T> FromRequestParts<S> for State<T>
where
    S: Send + Sync,
    T: Clone + Send + Sync + 'static,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let state = parts.extensions.get::<Arc<AppState>>();
        state.and_then(|state| state.states().get::<T>()).map(Self).ok_or_else(|| {
            Error::internal(format!("no state of type `{}` was given to the application", std::any::type_name::<T>()))
        })
    }
}
