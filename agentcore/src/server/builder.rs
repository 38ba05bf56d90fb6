//! The builder of an application.

use std::fmt;
use std::sync::Arc;

use axum::Router;

use super::app::App;
use super::catalogue::{build_catalogue, metric_labels};
use super::checks::{self, MiddlewareCheck};
use super::http::app_state::AppState;
use super::http::cors;
use super::http::identify::Identification;
use super::http::routing::{router, with_routes};
use crate::auth::{AnyAuthenticator, Authenticator};
#[cfg(feature = "redis")]
use crate::backend::RedisBackend;
use crate::backend::{Backend, MemoryBackend};
use crate::consumer::{Consumer, Mount, MountEntry};
use crate::env::warn_about_misspelt_names;
use crate::error::{Error, Result};
use crate::log_output::install_subscriber;
use crate::manager::ConnectionManager;
use crate::middleware::{Middleware, Pipeline};
use crate::schema::Catalogue;
use crate::settings::{BackendType, Settings};
use crate::state::States;

/// Collects the parts of an application.
///
/// ```no_run
/// # use agentcore::prelude::*;
/// # #[consumer(path = "/ws")] struct Chat {}
/// # #[consumer] impl Chat {}
/// #[agentcore::main]
/// async fn main() -> Result<()> {
///     AgentCore::from_env()?.consumer::<Chat>().serve().await
/// }
/// ```
#[must_use = "an application does nothing until it is served"]
pub struct AgentCore {
    settings: Settings,
    backend: Option<Arc<dyn Backend>>,
    authenticator: Option<Arc<dyn AnyAuthenticator>>,
    credentials: bool,
    states: States,
    mounts: Vec<Mount>,
    chain: Option<MiddlewareSetup>,
    routes: Router,
    status_routes: bool,
    /// Mistakes found so far; `build` reports all of them at once.
    problems: Vec<String>,
}

/// The middleware of an application.
struct MiddlewareSetup {
    check: Box<MiddlewareCheck>,
    /// `None` when it passes every message unchanged.
    pipeline: Option<Arc<dyn Pipeline>>,
}

impl fmt::Debug for AgentCore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentCore").field("mounts", &self.mounts).field("states", &self.states).finish_non_exhaustive()
    }
}

impl AgentCore {
    /// Creates an application with the settings of the environment.
    ///
    /// # Errors
    /// All invalid settings, a line each.
    pub fn from_env() -> Result<Self> {
        Settings::from_env().map(Self::new)
    }

    /// Creates an application with these settings.
    pub fn new(settings: Settings) -> Self {
        // Lines that are logged from here on have a reader.
        install_subscriber();
        Self {
            settings,
            backend: None,
            authenticator: None,
            credentials: false,
            states: States::default(),
            mounts: Vec::new(),
            chain: None,
            routes: Router::new(),
            status_routes: true,
            problems: Vec::new(),
        }
    }

    /// Returns the settings, to change them before the start.
    #[cfg(feature = "test-util")]
    pub(crate) fn settings_mut(&mut self) -> &mut Settings {
        &mut self.settings
    }

    /// Gives a value to the `#[state]` fields of its type, and to REST handlers as [`State<T>`](super::State).
    pub fn state<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        if !self.states.insert(value) {
            self.problems.push(format!("two states of type `{}` were given", std::any::type_name::<T>()));
        }
        self
    }

    /// Mounts a consumer at its path. Mounting the same consumer again has no effect.
    pub fn consumer<C: Consumer>(mut self) -> Self {
        self.mount(C::mount());
        self
    }

    /// Mounts every consumer of the program that is not generic, and logs each of them.
    ///
    /// The linker leaves out a library crate that the program never names: name it with `use plugin as _;`.
    pub fn discover(mut self) -> Self {
        let mut mounts: Vec<_> = inventory::iter::<MountEntry>().map(|entry| (entry.mount)()).collect();
        mounts.sort_unstable_by_key(|mount| (mount.name, mount.type_name));
        for mount in mounts {
            tracing::info!(consumer = mount.type_name, path = mount.path, "discovered");
            self.mount(mount);
        }
        self
    }

    fn mount(&mut self, mount: Mount) {
        if self.mounts.iter().all(|other| other.type_id != mount.type_id) {
            self.mounts.push(mount);
        }
    }

    /// Lets every message pass through `middleware` before its handler: one, or a
    /// [`Chain`](crate::middleware::Chain) of several. A second call is an error at start, because the order of
    /// middleware must be written in one place.
    pub fn middleware(mut self, middleware: impl Middleware) -> Self {
        if self.chain.is_some() {
            let problem = "`.middleware(..)` was called twice: join both, `Chain::new() >> first >> second`";
            self.problems.push(problem.to_owned());
        }
        let middleware = Arc::new(middleware);
        let checked = middleware.clone();
        self.chain = Some(MiddlewareSetup {
            check: Box::new(move |start| checked.check(start)),
            // Without middleware, messages go straight to their handlers.
            pipeline: (!middleware.passes_all()).then_some(middleware as Arc<dyn Pipeline>),
        });
        self
    }

    /// Adds HTTP routes: any axum router.
    pub fn routes(mut self, routes: Router) -> Self {
        match with_routes(std::mem::take(&mut self.routes), "of the application", |router| router.merge(routes)) {
            Ok(joined) => self.routes = joined,
            Err(error) => self.problems.push(error.message().to_owned()),
        }
        self
    }

    /// Uses this backend instead of the one that `BACKEND_TYPE` names.
    pub fn backend(mut self, backend: impl Backend) -> Self {
        self.backend = Some(Arc::new(backend));
        self
    }

    /// Asks this authenticator who each client is, before the upgrade.
    ///
    /// Without one, the field marked `#[user]` names the user, so any client can connect as any user.
    pub fn authenticator(mut self, authenticator: impl Authenticator) -> Self {
        if self.authenticator.replace(Arc::new(authenticator)).is_some() {
            self.problems.push("two authenticators were given; give only one".to_owned());
        }
        self
    }

    /// Lets pages of the origins that `ALLOWED_ORIGINS` lists call the application's routes with cookies and other
    /// credentials (`Access-Control-Allow-Credentials`). With `*`, it is an error at start.
    pub fn allow_credentials(mut self) -> Self {
        self.credentials = true;
        self
    }

    /// Leaves `/health`, `/ready` and `/metrics` to the application.
    pub fn without_status_routes(mut self) -> Self {
        self.status_routes = false;
        self
    }

    /// Returns the catalogue of the messages that the mounted consumers receive and send.
    ///
    /// # Errors
    /// When two types share a name in one direction of one consumer.
    pub fn catalogue(&self) -> Result<Catalogue> {
        build_catalogue(&self.mounts).map_err(|problems| Error::start(problems.join("\n")))
    }

    /// Checks everything and starts the workers and the backend.
    ///
    /// # Errors
    /// Everything that is missing or contradictory, a line each; and a failure to start the workers or the backend.
    pub async fn build(mut self) -> Result<App> {
        let mut problems = std::mem::take(&mut self.problems);
        problems.extend(checks::missing_states(&self.mounts, &self.states));
        problems.extend(checks::path_conflicts(&self.mounts, self.status_routes));
        problems.extend(cors::contradiction(&self.settings.allowed_origins, self.credentials));
        problems.extend(checks::rule_problems());
        let middleware_check = self.chain.as_ref().map(|setup| &*setup.check);
        problems.extend(checks::middleware_problems(&self.mounts, middleware_check));
        let catalogue = match build_catalogue(&self.mounts) {
            Ok(catalogue) => catalogue,
            Err(found) => {
                problems.extend(found);
                Catalogue::default()
            }
        };
        if !problems.is_empty() {
            return Err(Error::start(problems.join("\n")));
        }
        let (backend_name, backend): (_, Arc<dyn Backend>) = match (self.backend.take(), self.settings.backend_type) {
            (Some(backend), _) => ("of the application", backend),
            (None, BackendType::Memory) => ("memory", Arc::new(MemoryBackend::new())),
            #[cfg(feature = "redis")]
            (None, BackendType::Redis) => ("redis", Arc::new(RedisBackend::new(&self.settings)?)),
            #[cfg(not(feature = "redis"))]
            (None, BackendType::Redis) => {
                return Err(Error::start(
                    "BACKEND_TYPE=redis needs the feature `redis` of the crate `agentcore`, which this build lacks; \
                     add it to the dependency, or set BACKEND_TYPE=memory",
                ));
            }
        };
        let routes = cors::layer(self.routes, &self.settings.allowed_origins, self.credentials);
        let settings = Arc::new(self.settings);
        for (number, mount) in self.mounts.iter_mut().enumerate() {
            mount.number = number;
        }
        let labels = metric_labels(&self.mounts, &catalogue);
        warn_about_misspelt_names();
        let manager = ConnectionManager::start(settings, backend, labels).await?;
        log_start(&manager, backend_name);
        self.states.insert(manager.clone());
        let chain = self.chain.and_then(|setup| setup.pipeline);
        let state = Arc::new(AppState::new(manager, self.states, chain, Identification::new(self.authenticator)));
        match router(&state, &self.mounts, routes, self.status_routes) {
            Ok(router) => Ok(App { state, router, catalogue }),
            Err(error) => {
                // The backend has started, so other nodes would wait for this node's answers until its lease ends.
                state.manager().shutdown().await;
                Err(error)
            }
        }
    }

    /// Builds and serves until Ctrl-C or SIGTERM.
    ///
    /// # Errors
    /// See [`build`](Self::build) and [`App::serve`].
    pub async fn serve(self) -> Result<()> {
        self.build().await?.serve().await
    }
}

/// Logs what a node consists of. The address of Redis is without user and password.
fn log_start(manager: &ConnectionManager, backend: &str) {
    let settings = manager.settings();
    let redis = (backend == "redis").then(|| tracing::field::display(&settings.redis_url));
    tracing::info!(
        node = %manager.node(),
        backend,
        redis,
        workers = settings.workers,
        max_total_connections = settings.max_total_connections,
        max_connections_per_client = settings.max_connections_per_client,
        max_connections_per_ip = settings.max_connections_per_ip,
        max_total_groups = settings.max_total_groups,
        "the node has started"
    );
}
