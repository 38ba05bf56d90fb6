//! The builder of an application.

use std::any::TypeId;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use axum::Router;

use super::app::App;
use super::http::cors;
use super::http::identify::Identification;
use super::http::routing::{router, with_route};
use super::http::state::AppState;
use super::http::status::STATUS_PATHS;
use crate::auth::{AnyAuthenticator, Authenticator};
#[cfg(feature = "redis")]
use crate::backend::RedisBackend;
use crate::backend::{Backend, MemoryBackend};
use crate::consumer::{Consumer, MessageEntry, Mount, MountEntry};
use crate::error::{Error, Result};
use crate::manager::ConnectionManager;
use crate::message::Description;
use crate::metrics::{ConsumerTypes, Labels, Named};
use crate::middleware::{Middleware, Pipeline, Start};
use crate::schema::{Catalogue, Direction};
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
    /// What is wrong so far; told at the start, all at once.
    problems: Vec<String>,
}

/// A chain that was given.
struct MiddlewareSetup {
    check: Box<dyn Fn(&mut Start<'_>) + Send + Sync>,
    /// `None` when it passes everything.
    pipeline: Option<Arc<dyn Pipeline>>,
}

impl fmt::Debug for AgentCore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentCore").field("mounts", &self.mounts).field("states", &self.states).finish_non_exhaustive()
    }
}

impl AgentCore {
    /// An application with the settings of the environment.
    ///
    /// # Errors
    /// All bad settings, a line each.
    pub fn from_env() -> Result<Self> {
        Settings::from_env().map(Self::new)
    }

    /// An application with these settings.
    pub fn new(settings: Settings) -> Self {
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

    /// The settings, to change them before the start.
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

    /// Mounts a consumer at its path; mounting one twice is mounting it once.
    pub fn consumer<C: Consumer>(mut self) -> Self {
        self.mount(C::mount());
        self
    }

    /// Mounts every consumer of the program that is not generic, and logs which they are.
    ///
    /// A library crate that the program never names is left out by the linker: name it with `use plugin as _;`.
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
    /// [`Chain`](crate::middleware::Chain) of several. A second call is an error at start, so that the order stands in
    /// one place.
    pub fn middleware(mut self, middleware: impl Middleware) -> Self {
        if self.chain.is_some() {
            let problem = "`.middleware(..)` was called twice: join both, `Chain::new() >> first >> second`";
            self.problems.push(problem.to_owned());
        }
        let middleware = Arc::new(middleware);
        let checked = middleware.clone();
        self.chain = Some(MiddlewareSetup {
            check: Box::new(move |start| checked.check(start)),
            // Nothing in it: the messages go straight to their handlers.
            pipeline: (!middleware.passes_all()).then_some(middleware as Arc<dyn Pipeline>),
        });
        self
    }

    /// Adds HTTP routes; any axum router.
    pub fn routes(mut self, routes: Router) -> Self {
        match with_route(std::mem::take(&mut self.routes), "of the application", |router| router.merge(routes)) {
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
    /// Without one, the field marked `#[user]` names the user: whoever connects may then be anybody.
    pub fn authenticator(mut self, authenticator: impl Authenticator) -> Self {
        if self.authenticator.replace(Arc::new(authenticator)).is_some() {
            self.problems.push("two authenticators were given; one decides".to_owned());
        }
        self
    }

    /// Lets pages of the origins that `ALLOWED_ORIGINS` lists call the application's routes with cookies and other
    /// credentials (`Access-Control-Allow-Credentials`). With `*` it is refused at the start.
    pub fn allow_credentials(mut self) -> Self {
        self.credentials = true;
        self
    }

    /// Leaves `/health`, `/ready` and `/metrics` to the application.
    pub fn without_status_routes(mut self) -> Self {
        self.status_routes = false;
        self
    }

    /// The catalogue of what the mounted consumers receive and send.
    ///
    /// # Errors
    /// When two types share a name in one direction of one consumer.
    pub fn catalogue(&self) -> Result<Catalogue> {
        catalogue(&self.mounts).map_err(|problems| Error::start(problems.join("\n")))
    }

    /// Checks everything and starts the workers and the backend.
    ///
    /// # Errors
    /// Whatever is missing or contradictory, a line each.
    pub async fn build(mut self) -> Result<App> {
        let mut problems = std::mem::take(&mut self.problems);
        problems.extend(self.missing_states());
        problems.extend(self.shared_paths());
        problems.extend(cors::contradiction(&self.settings.allowed_origins, self.credentials));
        problems.extend(Self::bad_rules());
        problems.extend(self.bad_middleware());
        let catalogue = match catalogue(&self.mounts) {
            Ok(catalogue) => catalogue,
            Err(found) => {
                problems.extend(found);
                Catalogue::default()
            }
        };
        if !problems.is_empty() {
            return Err(Error::start(problems.join("\n")));
        }
        let backend = match (self.backend.take(), self.settings.backend_type) {
            (Some(backend), _) => backend,
            (None, BackendType::Memory) => Arc::new(MemoryBackend::new()),
            #[cfg(feature = "redis")]
            (None, BackendType::Redis) => Arc::new(RedisBackend::new(&self.settings)?),
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
        let labels = labels(&self.mounts, &catalogue);
        let manager = ConnectionManager::start(settings, backend, labels).await?;
        self.states.insert(manager.clone());
        let chain = self.chain.and_then(|set| set.pipeline);
        let state = Arc::new(AppState::new(manager, self.states, chain, Identification::new(self.authenticator)));
        match router(&state, &self.mounts, routes, self.status_routes) {
            Ok(router) => Ok(App { state, router, catalogue }),
            Err(error) => {
                // The backend has started: the others would wait for this node until its lease ends.
                state.manager().shutdown().await;
                Err(error)
            }
        }
    }

    /// Builds and serves until Ctrl-C or SIGTERM.
    ///
    /// # Errors
    /// As [`build`](Self::build), and when the address cannot be listened on.
    pub async fn serve(self) -> Result<()> {
        self.build().await?.serve().await
    }

    fn missing_states(&self) -> Vec<String> {
        let registered = match self.states.names() {
            names if names.is_empty() => "none is".to_owned(),
            names => format!("registered are: {}", names.join(", ")),
        };
        let missing = |mount: &Mount| {
            let required = (mount.required)().into_iter();
            let missing = required.filter(|required| !self.is_registered(required.type_id));
            let name = mount.name;
            missing
                .map(|required| {
                    format!(
                        "consumer `{name}` needs a state of type `{}`, and {registered}; add `.state(..)` with one",
                        required.type_name
                    )
                })
                .collect::<Vec<_>>()
        };
        self.mounts.iter().flat_map(missing).collect()
    }

    fn is_registered(&self, type_id: TypeId) -> bool {
        type_id == TypeId::of::<ConnectionManager>() || self.states.contains(type_id)
    }

    fn shared_paths(&self) -> Vec<String> {
        let mut paths: HashMap<&str, &Mount> = HashMap::new();
        let mut problems = Vec::new();
        for mount in &self.mounts {
            if let Some(other) = paths.insert(mount.path, mount) {
                problems.push(format!(
                    "consumers `{}` and `{}` have the same path `{}`",
                    other.type_name, mount.type_name, mount.path
                ));
            }
            if self.status_routes && STATUS_PATHS.contains(&mount.path) {
                problems.push(format!(
                    "consumer `{}` has the path `{}`, which is a status route; choose another one, or leave the status \
                     routes out with `.without_status_routes()`",
                    mount.type_name, mount.path
                ));
            }
        }
        problems
    }

    /// What the middlewares say of their own set-up.
    fn bad_middleware(&self) -> Vec<String> {
        let consumers: Vec<_> = self.mounts.iter().map(|mount| (mount.name, mount.handlers)).collect();
        let mut start = Start::new(&consumers);
        if let Some(set) = &self.chain {
            (set.check)(&mut start);
        }
        if !start.has_limits() {
            // No error: a test of the consumer alone has no chain.
            for (consumer, handler) in start.handlers().filter(|(_, handler)| handler.is_limited()) {
                let (message_type, method) = (handler.message_type, handler.method);
                tracing::warn!(
                    consumer,
                    message_type,
                    method,
                    "`rate_limit` has no effect: no `RateLimit` is in the middleware of the application"
                );
            }
        }
        start.into_problems()
    }

    /// Patterns that are no regular expression, of all messages: a received one may have others inside.
    fn bad_rules() -> Vec<String> {
        let messages = inventory::iter::<MessageEntry>();
        let mut problems: Vec<_> =
            messages.filter_map(|entry| (entry.description.check_rules)().err()).flatten().collect();
        problems.sort_unstable();
        problems.dedup();
        problems
    }
}

fn catalogue(mounts: &[Mount]) -> Result<Catalogue, Vec<String>> {
    let mut builder = Catalogue::builder();
    for mount in mounts {
        let consumer = consumer_name(mounts, mount);
        for handler in mount.handlers {
            match handler.receives {
                None => {
                    builder.add_without_data(consumer, handler.message_type);
                }
                // A payload without a name of its own is known by the name it is received under.
                Some(payload) => {
                    let payload = Description { name: Some(handler.message_type), ..payload };
                    builder.add(consumer, Direction::Receives, payload);
                }
            }
            if let Some(returned) = handler.returns {
                builder.add(consumer, Direction::Sends, returned);
            }
        }
        for sent in (mount.sends)() {
            builder.add(consumer, Direction::Sends, sent);
        }
    }
    builder.build()
}

/// The names that figures are kept by.
fn labels(mounts: &[Mount], catalogue: &Catalogue) -> Labels {
    let consumers: Vec<_> = mounts
        .iter()
        .map(|mount| ConsumerTypes {
            consumer: consumer_name(mounts, mount).to_owned(),
            handlers: mount
                .handlers
                .iter()
                .map(|handler| Named { message_type: handler.message_type, method: handler.method })
                .collect(),
        })
        .collect();
    // The manager sends any message of the program, also one that no consumer lists.
    let any = inventory::iter::<MessageEntry>().filter_map(|entry| entry.description.name);
    Labels::new(&consumers, catalogue.sent_types().chain(any))
}

/// Two consumers of one name, in different modules, are told apart by their paths.
fn consumer_name(mounts: &[Mount], mount: &Mount) -> &'static str {
    let namesake = mounts.iter().any(|other| other.name == mount.name && other.type_id != mount.type_id);
    if namesake { mount.type_name } else { mount.name }
}
