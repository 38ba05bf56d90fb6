//! JSON Web Tokens (RFC 7519) as an authenticator.

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

/// The shortest secret of HS256, in bytes (RFC 7518 3.2).
const MIN_SECRET: usize = 32;
/// What a client hears of a token that does not hold for a reason that helps to forge one.
const NOT_VALID: &str = "the token is not valid";
/// A secret of fewer different bytes was not made by chance.
const MIN_DIFFERENT: usize = 8;

/// Takes the user from a signed token; every claim of it is one of the [`Identity`].
///
/// A token is looked for as [`token`](fn@super::token) says. It must be signed with the one algorithm that the authenticator
/// was made for, whatever its header says; it must have an `exp`, at which the identity ends; an `nbf` is kept. With
/// [`audience`](Self::audience) and [`issuer`](Self::issuer) it must name them; without, one that has an `aud` is for
/// somebody else and is refused.
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
    /// Tokens signed with HMAC-SHA256 and a shared secret.
    ///
    /// # Errors
    /// `CANNOT_START` when the secret has fewer than 32 bytes, or fewer than 8 different ones.
    pub fn hs256(secret: impl AsRef<[u8]>) -> Result<Self> {
        let secret = secret.as_ref();
        let mut different = secret.to_vec();
        different.sort_unstable();
        different.dedup();
        if secret.len() < MIN_SECRET || different.len() < MIN_DIFFERENT {
            return Err(Error::start(format!(
                "the secret for tokens is too weak: it has {} bytes, {} of them different; it must have {MIN_SECRET} or \
                 more, made by chance, such as those of `openssl rand -hex 32`",
                secret.len(),
                different.len()
            )));
        }
        Ok(Self::new(Algorithm::HS256, DecodingKey::from_secret(secret)))
    }

    /// Tokens signed with RSA and SHA-256: `pem` is the public key.
    ///
    /// # Errors
    /// `CANNOT_START` when it is none.
    pub fn rs256(pem: impl AsRef<[u8]>) -> Result<Self> {
        DecodingKey::from_rsa_pem(pem.as_ref()).map(|key| Self::new(Algorithm::RS256, key)).map_err(bad_key)
    }

    /// Tokens signed with ECDSA on the curve P-256: `pem` is the public key.
    ///
    /// # Errors
    /// `CANNOT_START` when it is none.
    pub fn es256(pem: impl AsRef<[u8]>) -> Result<Self> {
        DecodingKey::from_ec_pem(pem.as_ref()).map(|key| Self::new(Algorithm::ES256, key)).map_err(bad_key)
    }

    fn new(algorithm: Algorithm, key: DecodingKey) -> Self {
        // Another crate of the program may have turned the other backend on, and then none is chosen by itself. An error
        // says that one is installed already, which serves as well.
        let _ = rust_crypto::DEFAULT_PROVIDER.install_default();
        let mut validation = Validation::new(algorithm);
        validation.validate_nbf = true;
        validation.leeway = 30;
        Self { key, validation, user_claim: "sub".to_owned(), grace: None }
    }

    /// The token must be for this audience (`aud`).
    #[must_use]
    pub fn audience(mut self, audience: &str) -> Self {
        self.validation.set_audience(&[audience]);
        self.validation.required_spec_claims.insert("aud".to_owned());
        self
    }

    /// The token must be of this issuer (`iss`).
    #[must_use]
    pub fn issuer(mut self, issuer: &str) -> Self {
        self.validation.set_issuer(&[issuer]);
        self.validation.required_spec_claims.insert("iss".to_owned());
        self
    }

    /// How far the clocks of issuer and server may differ: 30 s unless said, in whole seconds. The identity ends that much
    /// after the token's `exp`.
    #[must_use]
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.validation.leeway = leeway.as_secs();
        self
    }

    /// The claim that names the user, a text or a whole number: `sub` unless said.
    #[must_use]
    pub fn user_claim(mut self, name: impl Into<String>) -> Self {
        self.user_claim = name.into();
        self
    }

    /// How long a client has for a fresh token after the end; see [`Identity::with_grace`].
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = Some(grace);
        self
    }

    /// Whose token it is, for REST handlers too.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` when it does not hold.
    pub fn verify(&self, token: &str) -> Result<Identity> {
        let token = jsonwebtoken::decode::<Map<String, Value>>(token, &self.key, &self.validation).map_err(refused)?;
        // Extensions that a token says must be understood (RFC 7515 4.1.11); none is here.
        if token.header.crit.is_some() {
            return Err(Error::authentication(NOT_VALID));
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
        // A time that the clock cannot show is as good as never.
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
        self.verify(&token(request).ok_or_else(|| Error::authentication("a token is needed"))?)
    }

    async fn refresh(&self, _: &Identity, token: &str) -> Result<Identity> {
        self.verify(token)
    }
}

/// What a client hears of a token that does not hold: nothing that helps to forge one.
fn refused(error: JwtError) -> Error {
    let message = match error.kind() {
        ErrorKind::ExpiredSignature => "the token has expired",
        ErrorKind::ImmatureSignature => "the token is not valid yet",
        _ => NOT_VALID,
    };
    Error::authentication(message).with_source(error)
}

fn bad_key(error: JwtError) -> Error {
    Error::start("the key for tokens is no public key in PEM").with_source(error)
}
