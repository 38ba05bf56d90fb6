//! Tokens that prove who a user is, signed with a secret of the server.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use agentcore::auth::JwtAuthenticator;
use agentcore::axum::http::request::Parts;
use agentcore::{Authenticator, Identity, Internal, Result, UserId, message};
use jsonwebtoken::{EncodingKey, Header, encode};

/// Lifetime of an issued token.
pub(crate) const TOKEN_LIFETIME: Duration = Duration::from_secs(3600);

/// Verifies tokens, and issues them for trying out; cheap to clone.
#[derive(Clone)]
pub(crate) struct Tokens(Arc<Keys>);

struct Keys {
    verifier: JwtAuthenticator,
    signing_key: EncodingKey,
}

/// The claims of an issued token. A token of another issuer may also have `name`, which others see instead of the id.
#[message]
struct Claims {
    sub: UserId,
    exp: u64,
}

impl Tokens {
    /// Prepares the keys of this secret.
    ///
    /// # Errors
    /// If the secret is so short that it could be guessed.
    pub(crate) fn new(secret: &str) -> Result<Self> {
        // The same clock issues and verifies, so expiry needs no leeway.
        let verifier = JwtAuthenticator::hs256(secret)?.leeway(Duration::ZERO);
        Ok(Self(Arc::new(Keys { verifier, signing_key: EncodingKey::from_secret(secret.as_bytes()) })))
    }

    /// Issues a token for this user.
    pub(crate) fn issue(&self, user: &UserId) -> Result<String> {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).internal()?;
        let claims = Claims { sub: user.clone(), exp: (since_1970 + TOKEN_LIFETIME).as_secs() };
        encode(&Header::default(), &claims, &self.0.signing_key).internal()
    }
}

/// The framework calls this before each upgrade, and again when a client sends a new token.
impl Authenticator for Tokens {
    async fn authenticate(&self, request: &Parts) -> Result<Identity> {
        self.0.verifier.authenticate(request).await
    }

    async fn refresh(&self, identity: &Identity, token: &str) -> Result<Identity> {
        self.0.verifier.refresh(identity, token).await
    }
}
