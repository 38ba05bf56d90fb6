//! Who may connect: the [`Authenticator`] trait and its contract, the [`Identity`] it returns, and where a request
//! carries its token.
//!
//! An authenticator is asked before the upgrade, with the request's headers; what it refuses is answered with HTTP and
//! leaves nothing behind. Origins, addresses and limits are not its work.

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

/// Users without a name get one with this prefix, which nobody can claim.
pub(crate) const ANONYMOUS: &str = "anon-";

/// Decides who a client is, from its request.
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
///             Some(_) => Err(Error::authentication("the key is not known")),
///             None => Err(Error::authentication("a key is needed")),
///         }
///     }
/// }
/// ```
///
/// # Contract
/// - It is asked for each connection, before the upgrade, and has `WS_HANDLER_TIMEOUT`, at most 10 s; a client that is
///   still waiting then gets 503. A panic is answered with 500 and ends only that request.
/// - When the consumer has a `#[user]` field too, another user there is refused with 403.
/// - A user whose id starts with `anon-` is refused with 403: that prefix is for those who have no name.
/// - An identity that has expired already is refused with 401.
///
/// # Cancel safety
/// Its futures are dropped when the client goes away or the deadline passes.
pub trait Authenticator: Send + Sync + 'static {
    /// Finds out who sends `request`.
    ///
    /// # Errors
    /// The refusal, as the client is to see it: with the HTTP status of its category, 401 for
    /// [`Error::authentication`] and 403 for [`Error::authorization`], or the one of [`Error::with_status`].
    fn authenticate(&self, request: &Parts) -> impl Future<Output = Result<Identity>> + Send;

    /// Finds out who a connected client is from now on, by a fresh token that it has sent as `agentcore.auth`. It must
    /// be the same user.
    ///
    /// Unless an authenticator says otherwise, it knows no tokens and refuses every one.
    ///
    /// # Errors
    /// The refusal. One that closes, as [`Error::authentication`] does, ends the connection; after another one the
    /// client may try again within its grace.
    fn refresh(&self, identity: &Identity, token: &str) -> impl Future<Output = Result<Identity>> + Send {
        let _ = (identity, token);
        std::future::ready(Err(Error::authentication("this server takes no fresh tokens; connect again")))
    }
}

/// A boxed future of an identity.
type Deciding<'a> = Pin<Box<dyn Future<Output = Result<Identity>> + Send + 'a>>;

/// An authenticator without its type.
pub(crate) trait AnyAuthenticator: Send + Sync {
    fn authenticate<'a>(&'a self, request: &'a Parts) -> Deciding<'a>;

    fn refresh<'a>(&'a self, identity: &'a Identity, token: &'a str) -> Deciding<'a>;
}

impl<A: Authenticator> AnyAuthenticator for A {
    fn authenticate<'a>(&'a self, request: &'a Parts) -> Deciding<'a> {
        Box::pin(Authenticator::authenticate(self, request))
    }

    fn refresh<'a>(&'a self, identity: &'a Identity, token: &'a str) -> Deciding<'a> {
        Box::pin(Authenticator::refresh(self, identity, token))
    }
}

impl Identity {
    /// A user of its own, for whom nobody has said who it is.
    pub(crate) fn anonymous() -> Result<Self> {
        Ok(Self::new(UserId::new(format!("{ANONYMOUS}{}", uuid::Uuid::new_v4()))?))
    }

    /// Refuses what no authenticator may say: a name for those without one, and an end that has passed.
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
