//! The identity of a client: its user, claims and expiry.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::id::UserId;

/// The default time that a client has for sending a fresh token after its identity has expired.
const RENEWAL_GRACE: Duration = Duration::from_secs(30);

/// The identity of a client: its user, claims of any type, and its expiry.
///
/// An [`Authenticator`](super::Authenticator) creates it, and `cx.identity()` returns it. A clone is cheap.
///
/// ```
/// # use agentcore::{Identity, UserId, Result};
/// # fn main() -> Result<()> {
/// let identity = Identity::new(UserId::new("ada")?).with_claim("admin", true)?;
/// assert_eq!(identity.claim::<bool>("admin"), Some(true));
/// assert_eq!(identity.claim::<String>("admin"), None, "the claim is not a text");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Identity {
    user: UserId,
    /// `None` for an identity with a user only, which is common without an authenticator.
    grant: Option<Arc<Grant>>,
}

/// The parts of an identity besides its user.
#[derive(Clone)]
struct Grant {
    claims: BTreeMap<String, Value>,
    expires_at: Option<SystemTime>,
    grace: Duration,
}

impl Default for Grant {
    fn default() -> Self {
        Self { claims: BTreeMap::new(), expires_at: None, grace: RENEWAL_GRACE }
    }
}

impl Identity {
    /// Creates the identity of `user`, without claims and without expiry.
    #[must_use]
    pub fn new(user: UserId) -> Self {
        Self { user, grant: None }
    }

    /// Adds a claim, replacing one with the same name.
    ///
    /// # Errors
    /// `INTERNAL_ERROR` if the value cannot be written as JSON.
    pub fn with_claim(mut self, name: impl Into<String>, value: impl Serialize) -> Result<Self> {
        let value = serde_json::to_value(value).map_err(Error::internal)?;
        self.grant_mut().claims.insert(name.into(), value);
        Ok(self)
    }

    /// Adds every field of a struct, or every entry of a map, as a claim.
    ///
    /// # Errors
    /// `INTERNAL_ERROR` if `claims` cannot be written as a JSON object.
    pub fn with_claims(mut self, claims: impl Serialize) -> Result<Self> {
        match serde_json::to_value(claims).map_err(Error::internal)? {
            Value::Object(claims) => self.grant_mut().claims.extend(claims),
            _ => return Err(Error::internal("claims must be the fields of a struct or the entries of a map")),
        }
        Ok(self)
    }

    /// Sets the time at which the identity expires, by the wall clock. The client then has the grace period to send a
    /// fresh token.
    #[must_use]
    pub fn with_expires_at(mut self, at: SystemTime) -> Self {
        self.grant_mut().expires_at = Some(at);
        self
    }

    /// Sets the grace period: the time after the expiry in which the client may send a fresh token. The default is
    /// 30 s.
    #[must_use]
    pub fn with_grace(mut self, grace: Duration) -> Self {
        self.grant_mut().grace = grace;
        self
    }

    fn grant_mut(&mut self) -> &mut Grant {
        Arc::make_mut(self.grant.get_or_insert_default())
    }

    /// Returns the user.
    #[must_use]
    pub fn user(&self) -> &UserId {
        &self.user
    }

    /// Returns a claim, or `None` if there is no claim of that name and type.
    #[must_use]
    pub fn claim<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        T::deserialize(self.grant.as_ref()?.claims.get(name)?).ok()
    }

    /// Returns the time at which the identity expires, or `None` if it does not expire.
    #[must_use]
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.grant.as_ref()?.expires_at
    }

    /// Returns the grace period after the expiry.
    #[must_use]
    pub fn grace(&self) -> Duration {
        self.grant.as_ref().map_or(RENEWAL_GRACE, |grant| grant.grace)
    }

    /// Returns the time until the identity expires: `None` if it does not, zero if it has.
    pub(crate) fn remaining(&self) -> Option<Duration> {
        self.expires_at().map(|at| at.duration_since(SystemTime::now()).unwrap_or_default())
    }
}

/// Shows the names of the claims but not their values, which may be secrets.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let claims: Vec<_> = self.grant.iter().flat_map(|grant| grant.claims.keys()).collect();
        f.debug_struct("Identity")
            .field("user", &self.user)
            .field("claims", &claims)
            .field("expires_at", &self.expires_at())
            .finish_non_exhaustive()
    }
}
