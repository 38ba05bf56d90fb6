//! Finds variables that are set and that nothing reads, because their name is misspelt.

use std::collections::BTreeSet;

/// Describes each name in `set` that is not in `read` and is similar to a name there: both begin with the same word, and
/// at most a third of the rest differs.
pub(super) fn misspelt(set: &BTreeSet<String>, read: &BTreeSet<String>) -> Vec<String> {
    let unread = set.iter().filter(|name| !read.contains(*name));
    unread.filter_map(|name| Some(format!("{name} (did you mean {}?)", nearest(name, read)?))).collect()
}

fn nearest<'a>(name: &str, read: &'a BTreeSet<String>) -> Option<&'a String> {
    let (word, rest) = name.split_once('_')?;
    let same_word = read.iter().filter_map(|other| Some((other, other.split_once('_').filter(|(w, _)| *w == word)?.1)));
    let distances = same_word.map(|(other, its_rest)| (strsim::osa_distance(rest, its_rest), its_rest, other));
    let (distance, its_rest, other) = distances.min()?;
    (distance <= its_rest.len().div_ceil(3)).then_some(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_nearly_that_of_a_setting_is_misspelt() {
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let read = names(&[
            "REDIS_URL",
            "WS_HEARTBEAT_INTERVAL",
            "CHAT_RATE_MESSAGES",
            "NODE_LEASE",
            "PORT",
            "HTTP_IDLE_TIMEOUT",
        ]);
        let set = names(&["REDIS_URI", "WS_HEARTBEAT_INTERVALL", "CHAT_RATE_MESAGES", "REDIS_URL"]);
        let expected = [
            "CHAT_RATE_MESAGES (did you mean CHAT_RATE_MESSAGES?)",
            "REDIS_URI (did you mean REDIS_URL?)",
            "WS_HEARTBEAT_INTERVALL (did you mean WS_HEARTBEAT_INTERVAL?)",
        ];
        assert_eq!(misspelt(&set, &read), expected);
        let foreign =
            names(&["NODE_ENV", "REDIS_PORT", "REDIS_SERVICE_HOST", "HTTP_PROXY", "PATH", "PORTS", "_", "WS_"]);
        assert_eq!(misspelt(&foreign, &read), [""; 0], "variables of other programs");
    }
}
