//! Admission of connections and groups: the rules, without a clock or a network. Over Redis, `scripts/write.lua`
//! applies the same rules over all nodes.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

use super::counts::{count, decrement, increment};
use crate::error::Error;
use crate::id::UserId;

/// The number of connections and groups that are admitted, over all nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdmissionLimits {
    /// Total number of connections.
    pub total: usize,
    /// Number of connections of one user.
    pub per_user: usize,
    /// Number of connections from one address.
    pub per_ip: usize,
    /// Total number of groups; a group counts once on each node where it has members.
    pub groups: usize,
}

/// A connection that is admitted and later released.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Admission {
    /// The user of the connection.
    pub user: UserId,
    /// The address by which the connection is counted; `None` if addresses are not counted.
    pub ip: Option<IpAddr>,
}

impl Admission {
    /// Creates the admission of a connection of `user` from `ip`. An IPv6 address counts as its /64 network, because a
    /// client usually controls all addresses of it.
    #[must_use]
    pub fn new(user: UserId, ip: Option<IpAddr>) -> Self {
        Self { user, ip: ip.map(network_of) }
    }
}

/// Returns the address by which a client is counted: an IPv4 address, or the /64 network of an IPv6 address.
pub(crate) fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

/// The limit because of which a connection or group was refused.
#[derive(Debug)]
pub enum Refused {
    /// `MAX_TOTAL_CONNECTIONS`.
    Total,
    /// `MAX_CONNECTIONS_PER_CLIENT`.
    User,
    /// `MAX_CONNECTIONS_PER_IP`.
    Ip,
    /// `MAX_TOTAL_GROUPS`.
    Groups,
    /// The backend could not decide.
    Backend(Error),
}

/// The admitted connections and groups. The caller locks the table, so that check and count are one step.
#[derive(Debug, Default)]
pub struct AdmissionTable {
    total: usize,
    groups: usize,
    users: HashMap<UserId, usize>,
    ips: HashMap<IpAddr, usize>,
}

impl AdmissionTable {
    /// Admits a connection.
    ///
    /// # Errors
    /// The limit that is reached; the table is unchanged.
    pub fn admit(&mut self, limits: &AdmissionLimits, admission: &Admission) -> Result<(), Refused> {
        if self.total >= limits.total {
            return Err(Refused::Total);
        }
        if count(&self.users, &admission.user) >= limits.per_user {
            return Err(Refused::User);
        }
        if admission.ip.is_some_and(|ip| count(&self.ips, &ip) >= limits.per_ip) {
            return Err(Refused::Ip);
        }
        self.force_admit(admission);
        Ok(())
    }

    /// Admits a connection, even over the limits.
    pub(crate) fn force_admit(&mut self, admission: &Admission) {
        if let Some(ip) = admission.ip {
            increment(&mut self.ips, ip);
        }
        increment(&mut self.users, admission.user.clone());
        self.total += 1;
    }

    /// Releases a connection. It must have been admitted: otherwise one connection too many is admitted later. The
    /// counts saturate at zero, because after a wrap-around every connection would be refused.
    pub fn release(&mut self, admission: &Admission) {
        debug_assert!(self.total > 0, "released a connection that was not admitted");
        self.total = self.total.saturating_sub(1);
        decrement(&mut self.users, admission.user.clone());
        if let Some(ip) = admission.ip {
            decrement(&mut self.ips, ip);
        }
    }

    /// Admits a group.
    ///
    /// # Errors
    /// [`Refused::Groups`]; the table is unchanged.
    pub fn admit_group(&mut self, limits: &AdmissionLimits) -> Result<(), Refused> {
        if self.groups >= limits.groups {
            return Err(Refused::Groups);
        }
        self.groups += 1;
        Ok(())
    }

    /// Releases a group.
    pub fn release_group(&mut self) {
        debug_assert!(self.groups > 0, "released a group that was not admitted");
        self.groups = self.groups.saturating_sub(1);
    }

    /// Returns the number of admitted connections.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.total
    }

    /// Returns the number of admitted groups.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.groups
    }
}

/// Counts by user and by address, which a node writes to a shared registry.
#[cfg(feature = "redis")]
impl AdmissionTable {
    /// Returns the number of connections of a user.
    pub(crate) fn of_user(&self, user: &UserId) -> usize {
        count(&self.users, user)
    }

    /// Returns the users with connections, and how many each has.
    pub(crate) fn users(&self) -> impl Iterator<Item = (&UserId, usize)> {
        self.users.iter().map(|(user, count)| (user, *count))
    }

    /// Returns the addresses with connections, and how many each has.
    pub(crate) fn ips(&self) -> impl Iterator<Item = (IpAddr, usize)> {
        self.ips.iter().map(|(ip, count)| (*ip, *count))
    }
}

/// The state of one node in the registry of the stub.
#[cfg(all(feature = "redis", any(test, feature = "test-util")))]
impl AdmissionTable {
    /// Sets the total without changing the counts of users and addresses.
    pub(crate) fn set_total(&mut self, total: usize) {
        self.total = total;
    }

    /// Returns the number of connections from an address.
    pub(crate) fn of_ip(&self, ip: IpAddr) -> usize {
        count(&self.ips, &ip)
    }

    /// Sets the number of connections of a user without changing the total.
    pub(crate) fn set_user(&mut self, user: UserId, count: usize) {
        match count {
            0 => self.users.remove(&user),
            _ => self.users.insert(user, count),
        };
    }

    /// Sets the number of connections from an address without changing the total.
    pub(crate) fn set_ip(&mut self, ip: IpAddr, count: usize) {
        match count {
            0 => self.ips.remove(&ip),
            _ => self.ips.insert(ip, count),
        };
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops where it fails")]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_address_counts_as_its_64_network() {
        let user = UserId::new("ada").unwrap();
        for (address, counted) in [
            ("198.51.100.7", "198.51.100.7"),
            ("::ffff:198.51.100.7", "198.51.100.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ] {
            let admission = Admission::new(user.clone(), Some(address.parse().unwrap()));
            assert_eq!(admission.ip, Some(counted.parse().unwrap()));
        }
    }
}
