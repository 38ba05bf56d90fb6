//! Who a client is, what was said of it, and for how long that holds.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::id::UserId;

/// How long a client has for a fresh token, unless its identity says otherwise.
const GRACE: Duration = Duration::from_secs(30);

/// Who a client is: its user, claims of any kind, and when that ends.
///
/// A cheap clone. An [`Authenticator`](super::Authenticator) makes it; `cx.identity()` shows it.
///
/// ```
/// # use agentcore::{Identity, UserId, Result};
/// # fn main() -> Result<()> {
/// let identity = Identity::new(UserId::new("ada")?).with_claim("admin", true)?;
/// assert_eq!(identity.claim::<bool>("admin"), Some(true));
/// assert_eq!(identity.claim::<String>("admin"), None, "it is no text");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Identity {
    user: UserId,
    /// `None` for an identity that is only a user: most are, where nobody authenticates.
    more: Option<Arc<More>>,
}

#[derive(Clone)]
struct More {
    claims: BTreeMap<String, Value>,
    expires_at: Option<SystemTime>,
    grace: Duration,
}

impl Default for More {
    fn default() -> Self {
        Self { claims: BTreeMap::new(), expires_at: None, grace: GRACE }
    }
}

impl Identity {
    /// The identity of `user`, without claims and without an end.
    #[must_use]
    pub fn new(user: UserId) -> Self {
        Self { user, more: None }
    }

    /// Adds a claim; one of the same name is replaced.
    ///
    /// # Errors
    /// `INTERNAL_ERROR` when the value cannot be written as JSON.
    pub fn with_claim(mut self, name: impl Into<String>, value: impl Serialize) -> Result<Self> {
        let value = serde_json::to_value(value).map_err(Error::internal)?;
        self.more().claims.insert(name.into(), value);
        Ok(self)
    }

    /// Adds every field of a struct, or every entry of a map, as a claim.
    ///
    /// # Errors
    /// `INTERNAL_ERROR` when `claims` cannot be written as a JSON object.
    pub fn with_claims(mut self, claims: impl Serialize) -> Result<Self> {
        match serde_json::to_value(claims).map_err(Error::internal)? {
            Value::Object(claims) => self.more().claims.extend(claims),
            _ => return Err(Error::internal("claims are the fields of a struct or the entries of a map")),
        }
        Ok(self)
    }

    /// Says when the identity ends, by the wall clock. From then on the client has the grace for a fresh token.
    #[must_use]
    pub fn with_expires_at(mut self, at: SystemTime) -> Self {
        self.more().expires_at = Some(at);
        self
    }

    /// Says how long the client has for a fresh token after the end: 30 s unless said, and none with zero.
    #[must_use]
    pub fn with_grace(mut self, grace: Duration) -> Self {
        self.more().grace = grace;
        self
    }

    fn more(&mut self) -> &mut More {
        Arc::make_mut(self.more.get_or_insert_default())
    }

    /// Whose identity it is.
    #[must_use]
    pub fn user(&self) -> &UserId {
        &self.user
    }

    /// A claim; `None` when there is none of that name, or it has another type.
    #[must_use]
    pub fn claim<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        T::deserialize(self.more.as_ref()?.claims.get(name)?).ok()
    }

    /// When it ends; `None` for never.
    #[must_use]
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.more.as_ref()?.expires_at
    }

    /// How long the client has for a fresh token after the end.
    #[must_use]
    pub fn grace(&self) -> Duration {
        self.more.as_ref().map_or(GRACE, |more| more.grace)
    }

    /// How long it still holds: `None` for ever, zero when it has ended.
    pub(crate) fn remaining(&self) -> Option<Duration> {
        self.expires_at().map(|at| at.duration_since(SystemTime::now()).unwrap_or_default())
    }
}

/// The names of the claims and not their values: those may be secrets.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let claims: Vec<_> = self.more.iter().flat_map(|more| more.claims.keys()).collect();
        f.debug_struct("Identity")
            .field("user", &self.user)
            .field("claims", &claims)
            .field("expires_at", &self.expires_at())
            .finish_non_exhaustive()
    }
}
