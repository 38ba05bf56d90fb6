//! The ids of messages.

use std::time::SystemTime;

use uuid::{NoContext, Timestamp, Uuid};

/// Creates a UUIDv7. A clock before 1970, at which `Uuid::now_v7` would panic, counts as 1970.
pub(super) fn new_id(now: SystemTime) -> Uuid {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Uuid::new_v7(Timestamp::from_unix(NoContext, since.as_secs(), since.subsec_nanos()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn ids_rise_with_the_clock_from_1970_on() {
        let at = |seconds| new_id(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        let before = new_id(SystemTime::UNIX_EPOCH - Duration::from_secs(100));
        assert_eq!((before.get_version_num(), before.get_timestamp().map(|time| time.to_unix().0)), (7, Some(0)));
        assert!(before < at(1) && at(1) < at(2), "{before}");
        assert_ne!(at(3), at(3), "the rest is random");
    }
}
