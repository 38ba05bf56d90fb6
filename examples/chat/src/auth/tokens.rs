//! Tokens say who one is, signed with a secret that only the server knows.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use agentcore::auth::JwtAuthenticator;
use agentcore::axum::http::request::Parts;
use agentcore::{Authenticator, Identity, Internal, Result, UserId, message};
use jsonwebtoken::{EncodingKey, Header, encode};

/// How long a token is good for.
pub(crate) const LIFETIME: Duration = Duration::from_secs(3600);

/// Reads tokens, and makes them for trying out; a cheap clone.
#[derive(Clone)]
pub(crate) struct Tokens(Arc<Inner>);

struct Inner {
    reader: JwtAuthenticator,
    key: EncodingKey,
}

/// What a token says. A login of one's own may add `name`: what others see instead of the id.
#[message]
struct Claims {
    sub: UserId,
    exp: u64,
}

impl Tokens {
    /// Tokens of this secret.
    ///
    /// # Errors
    /// When the secret could be guessed.
    pub(crate) fn new(secret: &str) -> Result<Self> {
        // Made and read by the same clock: an hour is an hour.
        let reader = JwtAuthenticator::hs256(secret)?.leeway(Duration::ZERO);
        Ok(Self(Arc::new(Inner { reader, key: EncodingKey::from_secret(secret.as_bytes()) })))
    }

    /// A token for this user: whoever gets it is the user.
    pub(crate) fn issue(&self, user: &UserId) -> Result<String> {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).internal()?;
        let claims = Claims { sub: user.clone(), exp: (since_1970 + LIFETIME).as_secs() };
        encode(&Header::default(), &claims, &self.0.key).internal()
    }
}

/// The framework asks this before each upgrade, and again when a client sends a fresh token.
impl Authenticator for Tokens {
    async fn authenticate(&self, request: &Parts) -> Result<Identity> {
        self.0.reader.authenticate(request).await
    }

    async fn refresh(&self, identity: &Identity, token: &str) -> Result<Identity> {
        self.0.reader.refresh(identity, token).await
    }
}
