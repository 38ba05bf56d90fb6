//! An authenticator for JSON Web Tokens (RFC 7519).

use std::fmt;
use std::time::{Duration, SystemTime};

use axum::http::request::Parts;
use jsonwebtoken::crypto::rust_crypto;
use jsonwebtoken::errors::{Error as JwtError, ErrorKind};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Map, Value};

use super::{Authenticator, Identity, token};
use crate::error::{Error, Result};
use crate::id::UserId;

/// The minimum length of an HS256 secret, in bytes (RFC 7518 3.2).
const MIN_SECRET: usize = 32;
/// The message for an invalid token. It gives no reason, since that could help to forge one.
const INVALID_TOKEN: &str = "the token is not valid";
/// The minimum number of distinct bytes in a secret. A random secret has more.
const MIN_DISTINCT: usize = 8;
/// The longest leeway. jsonwebtoken subtracts the leeway from the time since 1970.
const MAX_LEEWAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Authenticates clients by a signed token. The claims of the token become the claims of the [`Identity`].
///
/// [`token`](fn@super::token) finds the token in the request. It must be signed with the algorithm of this
/// authenticator; the `alg` of its header is not trusted. It must have an `exp`, at which the identity expires, and an
/// `nbf` is respected. With [`audience`](Self::audience) or [`issuer`](Self::issuer), the token must have that `aud` or
/// `iss`. Without an audience, a token with an `aud` is refused, since it is intended for another service.
///
/// ```
/// # use agentcore::{AgentCore, Settings, Result, auth::JwtAuthenticator};
/// # fn app(secret: &str) -> Result<AgentCore> {
/// let tokens = JwtAuthenticator::hs256(secret)?.issuer("https://login.example.com").user_claim("user_id");
/// Ok(AgentCore::new(Settings::default()).authenticator(tokens))
/// # }
/// # assert!(app("too short").is_err());
/// # assert!(app("0kZ1x9QwErTyUiOpAsDfGhJkLzXcVbNm").is_ok());
/// ```
pub struct JwtAuthenticator {
    key: DecodingKey,
    validation: Validation,
    user_claim: String,
    grace: Option<Duration>,
}

impl fmt::Debug for JwtAuthenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtAuthenticator").field("algorithms", &self.validation.algorithms).finish_non_exhaustive()
    }
}

impl JwtAuthenticator {
    /// Accepts tokens signed with HMAC-SHA256 and a shared secret.
    ///
    /// # Errors
    /// `CANNOT_START` if the secret has fewer than 32 bytes, or fewer than 8 distinct ones.
    pub fn hs256(secret: impl AsRef<[u8]>) -> Result<Self> {
        let secret = secret.as_ref();
        let mut distinct = secret.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        if secret.len() < MIN_SECRET || distinct.len() < MIN_DISTINCT {
            return Err(Error::start(format!(
                "the secret for tokens is too weak: it has {} bytes, {} of them distinct; it must have at least \
                 {MIN_SECRET} random bytes, for example from `openssl rand -hex 32`",
                secret.len(),
                distinct.len()
            )));
        }
        Ok(Self::new(Algorithm::HS256, DecodingKey::from_secret(secret)))
    }

    /// Accepts tokens signed with RSA and SHA-256. `pem` is the public key.
    ///
    /// # Errors
    /// `CANNOT_START` if `pem` is not an RSA public key.
    pub fn rs256(pem: impl AsRef<[u8]>) -> Result<Self> {
        DecodingKey::from_rsa_pem(pem.as_ref()).map(|key| Self::new(Algorithm::RS256, key)).map_err(bad_key)
    }

    /// Accepts tokens signed with ECDSA on the curve P-256. `pem` is the public key.
    ///
    /// # Errors
    /// `CANNOT_START` if `pem` is not a P-256 public key.
    pub fn es256(pem: impl AsRef<[u8]>) -> Result<Self> {
        DecodingKey::from_ec_pem(pem.as_ref()).map(|key| Self::new(Algorithm::ES256, key)).map_err(bad_key)
    }

    fn new(algorithm: Algorithm, key: DecodingKey) -> Self {
        // If another crate of the program enables a second provider, jsonwebtoken selects none by itself. The call
        // fails if a provider is installed already, which is fine.
        let _ = rust_crypto::DEFAULT_PROVIDER.install_default();
        let mut validation = Validation::new(algorithm);
        validation.validate_nbf = true;
        validation.leeway = 30;
        Self { key, validation, user_claim: "sub".to_owned(), grace: None }
    }

    /// Requires this audience (`aud`).
    #[must_use]
    pub fn audience(mut self, audience: &str) -> Self {
        self.validation.set_audience(&[audience]);
        self.validation.required_spec_claims.insert("aud".to_owned());
        self
    }

    /// Requires this issuer (`iss`).
    #[must_use]
    pub fn issuer(mut self, issuer: &str) -> Self {
        self.validation.set_issuer(&[issuer]);
        self.validation.required_spec_claims.insert("iss".to_owned());
        self
    }

    /// Sets how far the clocks of the issuer and the server may differ, in whole seconds; the default is 30 s, and the
    /// maximum is a day. The identity expires that long after the token's `exp`.
    #[must_use]
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.validation.leeway = leeway.min(MAX_LEEWAY).as_secs();
        self
    }

    /// Sets the claim with the user id, which must be a text or a whole number; the default is `sub`.
    #[must_use]
    pub fn user_claim(mut self, name: impl Into<String>) -> Self {
        self.user_claim = name.into();
        self
    }

    /// Sets the grace period after the expiry; see [`Identity::with_grace`].
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = Some(grace);
        self
    }

    /// Verifies a token and returns its identity. REST handlers may call this too.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` if the token is invalid.
    pub fn verify(&self, token: &str) -> Result<Identity> {
        let token = jsonwebtoken::decode::<Map<String, Value>>(token, &self.key, &self.validation).map_err(refused)?;
        // No critical extension (RFC 7515 4.1.11) is supported, so a token that requires one is refused.
        if token.header.crit.is_some() {
            return Err(Error::authentication(INVALID_TOKEN));
        }
        let claims = token.claims;
        let user = match claims.get(&self.user_claim) {
            Some(Value::String(user)) => UserId::new(user).ok(),
            Some(Value::Number(user)) if !user.is_f64() => UserId::new(user.to_string()).ok(),
            _ => None,
        };
        let user =
            user.ok_or_else(|| Error::authentication(format!("the token names no user in `{}`", self.user_claim)))?;
        let expires = claims.get("exp").and_then(Value::as_f64).unwrap_or_default() + self.validation.leeway as f64;
        // A time beyond the range of the clock means that the token does not expire.
        let expires =
            Duration::try_from_secs_f64(expires).ok().and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since));
        let mut identity = Identity::new(user).with_claims(claims)?;
        if let Some(at) = expires {
            identity = identity.with_expires_at(at);
        }
        Ok(match self.grace {
            Some(grace) => identity.with_grace(grace),
            None => identity,
        })
    }
}

impl Authenticator for JwtAuthenticator {
    async fn authenticate(&self, request: &Parts) -> Result<Identity> {
        self.verify(&token(request).ok_or_else(|| Error::authentication("a token is required"))?)
    }

    async fn refresh(&self, _: &Identity, token: &str) -> Result<Identity> {
        self.verify(token)
    }
}

/// Converts the error of an invalid token, without a reason that could help to forge one.
fn refused(error: JwtError) -> Error {
    let message = match error.kind() {
        ErrorKind::ExpiredSignature => "the token has expired",
        ErrorKind::ImmatureSignature => "the token is not valid yet",
        _ => INVALID_TOKEN,
    };
    Error::authentication(message).with_source(error)
}

fn bad_key(error: JwtError) -> Error {
    Error::start("the key for tokens is not a public key in PEM format").with_source(error)
}
