//! Who is let in: the rules, without a clock or a network.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};

use crate::error::Error;
use crate::id::UserId;

/// How many connections and groups are admitted, over all nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdmissionLimits {
    /// Connections in all.
    pub total: usize,
    /// Connections of one user.
    pub per_user: usize,
    /// Connections of one address.
    pub per_ip: usize,
    /// Groups in all; one that has members on several nodes counts on each.
    pub groups: usize,
}

/// A connection that asks for a place, and later gives it back.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Admission {
    /// Whose it is.
    pub user: UserId,
    /// Where it comes from, as it is counted: `None` when it is not.
    pub ip: Option<IpAddr>,
}

impl Admission {
    /// A connection of `user` from `ip`. An IPv6 address counts as its /64 network: whoever has one address there has
    /// all of them.
    #[must_use]
    pub fn new(user: UserId, ip: Option<IpAddr>) -> Self {
        let ip = ip.map(|ip| match ip.to_canonical() {
            IpAddr::V4(ip) => IpAddr::V4(ip),
            IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX))),
        });
        Self { user, ip }
    }
}

/// Which bound was met.
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

/// The places that are taken. Whoever shares it keeps check and count one step.
#[derive(Debug, Default)]
pub struct AdmissionTable {
    total: usize,
    groups: usize,
    users: HashMap<UserId, usize>,
    ips: HashMap<IpAddr, usize>,
}

impl AdmissionTable {
    /// Takes a place for a connection.
    ///
    /// # Errors
    /// Which bound is met; then nothing has changed.
    pub fn admit(&mut self, limits: &AdmissionLimits, admission: &Admission) -> Result<(), Refused> {
        if self.total >= limits.total {
            return Err(Refused::Total);
        }
        if taken(&self.users, &admission.user) >= limits.per_user {
            return Err(Refused::User);
        }
        if let Some(ip) = &admission.ip {
            if taken(&self.ips, ip) >= limits.per_ip {
                return Err(Refused::Ip);
            }
            *self.ips.entry(*ip).or_default() += 1;
        }
        *self.users.entry(admission.user.clone()).or_default() += 1;
        self.total += 1;
        Ok(())
    }

    /// Gives the place of a connection back. One that was not taken is a fault of the caller, which would let in one too
    /// many; it never makes the count wrap around, after which nobody would be let in.
    pub fn release(&mut self, admission: &Admission) {
        debug_assert!(self.total > 0, "a place that nobody took is given back");
        self.total = self.total.saturating_sub(1);
        give_back(&mut self.users, admission.user.clone());
        if let Some(ip) = admission.ip {
            give_back(&mut self.ips, ip);
        }
    }

    /// Takes a place for a group.
    ///
    /// # Errors
    /// [`Refused::Groups`]; then nothing has changed.
    pub fn admit_group(&mut self, limits: &AdmissionLimits) -> Result<(), Refused> {
        if self.groups >= limits.groups {
            return Err(Refused::Groups);
        }
        self.groups += 1;
        Ok(())
    }

    /// Gives the place of a group back.
    pub fn release_group(&mut self) {
        debug_assert!(self.groups > 0, "a group's place that nobody took is given back");
        self.groups = self.groups.saturating_sub(1);
    }

    /// How many connections have a place.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.total
    }

    /// How many groups have a place.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.groups
    }
}

fn taken<K: Eq + Hash>(places: &HashMap<K, usize>, key: &K) -> usize {
    places.get(key).copied().unwrap_or(0)
}

fn give_back<K: Eq + Hash>(places: &mut HashMap<K, usize>, key: K) {
    if let Entry::Occupied(mut entry) = places.entry(key) {
        match entry.get_mut() {
            0 | 1 => drop(entry.remove()),
            places => *places -= 1,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops where it fails")]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_counted_as_the_network_that_one_client_has() {
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
