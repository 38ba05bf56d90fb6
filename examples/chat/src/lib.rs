//! A chat: rooms, private messages, history, and a page to use it with.
//!
//! Run `cargo run --release -p chat` and open <http://127.0.0.1:8000> in two windows. Start reading in `consumer`,
//! which handles the messages that `messages` defines.

mod auth;
mod consumer;
mod errors;
mod http;
mod messages;
mod names;
mod rooms;
mod settings;
mod store;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use agentcore::App;
use agentcore::middleware::{Chain, Level, Logging, RateLimit, Validation};
use agentcore::prelude::*;

use consumer::Chat;
use http::{demo_tokens, page, publish, rest};
use settings::ChatSettings;
use store::Store;

/// Builds the application from the settings of the environment or `.env`.
///
/// # Errors
/// Invalid settings, one line each; a store or a backend that cannot be reached.
pub async fn from_env() -> Result<App> {
    let settings = ChatSettings::load()?;
    let server = AgentCore::new(settings::server_settings()?);
    let store = settings.store.open().await?;
    // A state of the application lives as long as the application.
    let lock = settings.store.lock(settings.is_single_node);
    let app = application(server.state(Arc::new(lock)), store.clone(), settings).build().await?;
    store.supervise(app.manager().supervisor());
    rooms::start_removal(store, app.manager());
    Ok(app)
}

/// Builds the application from a server, the store and the chat's own settings.
fn application(app: AgentCore, store: Store, settings: ChatSettings) -> AgentCore {
    let chain = Chain::new()
        >> Logging::default().level(Level::DEBUG)
        >> Validation::default()
        >> RateLimit::per_user(settings.rate_messages, settings.rate_window).ceiling(settings.exempt_ceiling());
    let app = app
        .state(store)
        .state(settings.tokens.clone())
        .middleware(chain)
        .consumer::<Chat>()
        .routes(page::routes())
        .routes(rest::routes());
    let app = match settings.publish_key.clone() {
        Some(key) => app.state(key).routes(publish::routes()),
        None => app,
    };
    with_authentication(app, settings)
}

/// Requires a token of every user; without a secret, any client may be any user.
fn with_authentication(app: AgentCore, settings: ChatSettings) -> AgentCore {
    let Some(tokens) = settings.tokens else {
        tracing::warn!(
            "open mode: any client that opens /ws/alice is alice. This is for trying out; set CHAT_SECRET to require tokens"
        );
        if settings.demo_tokens {
            tracing::warn!("CHAT_DEMO_TOKENS has no effect without CHAT_SECRET");
        }
        return app;
    };
    let app = app.authenticator(tokens.clone());
    if !settings.demo_tokens {
        return app;
    }
    tracing::warn!("CHAT_DEMO_TOKENS: /api/token gives anyone a token for any user. This is for trying out");
    app.state(tokens).routes(demo_tokens::routes())
}
