//! A chat: rooms, private messages, history, and a page to use it with.
//!
//! `cargo run --release -p chat`, then open <http://127.0.0.1:8000> in two windows. Read on in `consumer`, which says
//! what happens to a message; `messages` are the messages themselves.

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

use agentcore::middleware::{Chain, Level, Logging, RateLimit, Validation};
use agentcore::prelude::*;

use consumer::Chat;
use http::{demo_tokens, page, publish, rest};
use settings::ChatSettings;

/// The whole application, on the settings of the environment or `.env`.
///
/// # Errors
/// Bad settings, a line each; a store that cannot be opened.
pub async fn from_env() -> Result<AgentCore> {
    let settings = ChatSettings::load()?;
    application(AgentCore::from_env()?, settings).await
}

/// The whole application, on the settings of its server and its own.
async fn application(app: AgentCore, settings: ChatSettings) -> Result<AgentCore> {
    let store = settings.store.open().await?;
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
    Ok(with_users(app, settings))
}

/// Who the users are: those whose tokens say so or, without a secret, whoever they say they are.
fn with_users(app: AgentCore, settings: ChatSettings) -> AgentCore {
    let Some(tokens) = settings.tokens else {
        tracing::warn!("open mode: whoever opens /ws/alice is alice; this is for trying out. CHAT_SECRET ends it");
        if settings.demo_tokens {
            tracing::warn!("CHAT_DEMO_TOKENS does nothing without CHAT_SECRET: there are no tokens to hand out");
        }
        return app;
    };
    let app = app.authenticator(tokens.clone());
    if !settings.demo_tokens {
        return app;
    }
    tracing::warn!("CHAT_DEMO_TOKENS: /api/token makes anybody whoever they ask to be; this is for trying out");
    app.state(tokens).routes(demo_tokens::routes())
}
