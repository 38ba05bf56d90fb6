//! Authentication: the [`Authenticator`] trait and its contract, the [`Identity`] it returns, and the token of a
//! request.
//!
//! An authenticator is called before the upgrade, with the headers of the request. A refused client gets an HTTP
//! response, and no connection exists then. Origins, addresses and limits are checked elsewhere.

mod access;
mod identity;
#[cfg(feature = "jwt")]
mod jwt;
mod renewal;
mod token;

pub(crate) use access::Access;
pub use identity::Identity;
#[cfg(feature = "jwt")]
pub use jwt::JwtAuthenticator;
pub(crate) use renewal::Renewal;
pub use token::token;

use std::future::Future;
use std::pin::Pin;

use axum::http::request::Parts;

use crate::error::{Error, Result};
use crate::id::UserId;

/// The prefix of generated user ids for anonymous users. An authenticator may not return a user with it.
pub(crate) const ANONYMOUS: &str = "anon-";

/// Determines the identity of a client from its request.
///
/// ```
/// use agentcore::axum::http::request::Parts;
/// use agentcore::{Authenticator, Error, Identity, Result, UserId};
///
/// struct ApiKeys;
///
/// impl Authenticator for ApiKeys {
///     async fn authenticate(&self, request: &Parts) -> Result<Identity> {
///         match agentcore::auth::token(request).as_deref() {
///             Some("secret-of-ada") => Ok(Identity::new(UserId::new("ada")?)),
///             Some(_) => Err(Error::authentication("unknown key")),
///             None => Err(Error::authentication("a key is required")),
///         }
///     }
/// }
/// ```
///
/// # Contract
/// - It is called once for each connection, before the upgrade. Its deadline is `WS_HANDLER_TIMEOUT`, but at most 10 s;
///   after that the client gets 503. A panic is answered with 500 and ends only that request.
/// - If the consumer has a `#[user]` field, its value must be the same user; otherwise the client gets 403.
/// - A user id that starts with `anon-` is refused with 403, since that prefix is reserved for anonymous users.
/// - An expired identity is refused with 401.
///
/// # Cancel safety
/// The futures are dropped when the client disconnects or the deadline passes.
pub trait Authenticator: Send + Sync + 'static {
    /// Returns the identity of the client that sent `request`.
    ///
    /// # Errors
    /// The error that refuses the client. The HTTP status is that of its category, such as 401 for
    /// [`Error::authentication`] and 403 for [`Error::authorization`], or that of [`Error::with_status`].
    fn authenticate(&self, request: &Parts) -> impl Future<Output = Result<Identity>> + Send;

    /// Returns the new identity of a connected client, which has sent a fresh `token` as `agentcore.auth`. The user
    /// must not change.
    ///
    /// The default implementation refuses every token.
    ///
    /// # Errors
    /// The error that refuses the token. An error that closes, such as [`Error::authentication`], ends the connection.
    /// After any other error the client may try again within its grace period.
    fn refresh(&self, identity: &Identity, token: &str) -> impl Future<Output = Result<Identity>> + Send {
        let _ = (identity, token);
        std::future::ready(Err(Error::authentication("this server does not accept fresh tokens; connect again")))
    }
}

/// A boxed future of an identity.
type IdentityFuture<'a> = Pin<Box<dyn Future<Output = Result<Identity>> + Send + 'a>>;

/// An [`Authenticator`] as a trait object.
pub(crate) trait AnyAuthenticator: Send + Sync {
    fn authenticate<'a>(&'a self, request: &'a Parts) -> IdentityFuture<'a>;

    fn refresh<'a>(&'a self, identity: &'a Identity, token: &'a str) -> IdentityFuture<'a>;
}

impl<A: Authenticator> AnyAuthenticator for A {
    fn authenticate<'a>(&'a self, request: &'a Parts) -> IdentityFuture<'a> {
        Box::pin(Authenticator::authenticate(self, request))
    }

    fn refresh<'a>(&'a self, identity: &'a Identity, token: &'a str) -> IdentityFuture<'a> {
        Box::pin(Authenticator::refresh(self, identity, token))
    }
}

impl Identity {
    /// Creates the identity of an anonymous user, with a generated id.
    pub(crate) fn anonymous() -> Result<Self> {
        Ok(Self::new(UserId::new(format!("{ANONYMOUS}{}", uuid::Uuid::new_v4()))?))
    }

    /// Refuses an identity that an authenticator may not return: a reserved user id, or one that has expired.
    pub(crate) fn checked(self) -> Result<Self> {
        if self.user().as_str().starts_with(ANONYMOUS) {
            return Err(Error::authorization(format!("a user id must not start with `{ANONYMOUS}`")));
        }
        if self.remaining().is_some_and(|remaining| remaining.is_zero()) {
            return Err(Error::authentication("the identity has expired"));
        }
        Ok(self)
    }
}
