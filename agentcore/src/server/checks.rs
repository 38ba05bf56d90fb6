//! Checks of an application before it starts. Each returns its problems, so that all of them are reported at once.

use std::any::TypeId;
use std::collections::HashMap;

use super::http::status::STATUS_PATHS;
use crate::consumer::{MessageEntry, Mount};
use crate::manager::ConnectionManager;
use crate::middleware::Start;
use crate::state::States;

/// The check that a middleware chain makes of its own configuration.
pub(super) type MiddlewareCheck = dyn Fn(&mut Start<'_>) + Send + Sync;

/// Finds `#[state]` fields whose type was not given to the builder.
pub(super) fn missing_states(mounts: &[Mount], states: &States) -> Vec<String> {
    let registered = match states.names() {
        names if names.is_empty() => "none is".to_owned(),
        names => format!("registered are: {}", names.join(", ")),
    };
    // The builder adds the manager itself.
    let is_registered = |type_id: TypeId| type_id == TypeId::of::<ConnectionManager>() || states.contains(type_id);
    let mut problems = Vec::new();
    for mount in mounts {
        for required in (mount.required)().into_iter().filter(|required| !is_registered(required.type_id)) {
            problems.push(format!(
                "consumer `{}` needs a state of type `{}`, and {registered}; add `.state(..)` with one",
                mount.name, required.type_name
            ));
        }
    }
    problems
}

/// Finds consumers that share a path with each other or with a status route.
pub(super) fn path_conflicts(mounts: &[Mount], status_routes: bool) -> Vec<String> {
    let mut paths: HashMap<&str, &Mount> = HashMap::new();
    let mut problems = Vec::new();
    for mount in mounts {
        if let Some(other) = paths.insert(mount.path, mount) {
            problems.push(format!(
                "consumers `{}` and `{}` have the same path `{}`",
                other.type_name, mount.type_name, mount.path
            ));
        }
        if status_routes && STATUS_PATHS.contains(&mount.path) {
            problems.push(format!(
                "consumer `{}` has the path `{}`, which is a status route; choose another one, or leave the status \
                 routes out with `.without_status_routes()`",
                mount.type_name, mount.path
            ));
        }
    }
    problems
}

/// Lets the middleware check its own configuration.
pub(super) fn middleware_problems(mounts: &[Mount], check: Option<&MiddlewareCheck>) -> Vec<String> {
    let consumers: Vec<_> = mounts.iter().map(|mount| (mount.name, mount.handlers)).collect();
    let mut start = Start::new(&consumers);
    if let Some(check) = check {
        check(&mut start);
    }
    if !start.has_limits() {
        // A warning and not a problem, because a test of a single consumer needs no middleware.
        for (consumer, handler) in start.handlers().filter(|(_, handler)| handler.is_limited()) {
            let (message_type, method) = (handler.message_type, handler.method);
            tracing::warn!(
                consumer,
                message_type,
                method,
                "`rate_limit` has no effect, because the application's middleware has no `RateLimit`"
            );
        }
    }
    start.into_problems()
}

/// Finds patterns that are not regular expressions, in all messages: a received message may contain any of them.
pub(super) fn rule_problems() -> Vec<String> {
    let messages = inventory::iter::<MessageEntry>();
    let mut problems: Vec<_> = messages.filter_map(|entry| (entry.description.check_rules)().err()).flatten().collect();
    problems.sort_unstable();
    problems.dedup();
    problems
}
