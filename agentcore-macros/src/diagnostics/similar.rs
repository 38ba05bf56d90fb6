//! The search for the name that a misspelt name was meant to be.

/// Returns the name in `names` that `name` was probably meant to be.
///
/// A name is similar when at most a third of its characters differ, or when `name` starts with it.
pub(super) fn most_similar<'a>(name: &str, names: &[&'a str]) -> Option<&'a str> {
    let distances = names.iter().map(|candidate| (distance(name, candidate), *candidate));
    let (edits, candidate) = distances.min()?;
    let allowed = candidate.chars().count().div_ceil(3);
    let prefix = || names.iter().copied().find(|candidate| candidate.len() > 2 && name.starts_with(candidate));
    if edits <= allowed { Some(candidate) } else { prefix() }
}

/// Returns the number of insertions, removals, replacements and swaps of neighbours that turn `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    let mut last = None;
    for (i, x) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX - 1);
            let replaced = at(&row, j) + usize::from(x != *y);
            let mut best = replaced.min(at(&row, j + 1) + 1).min(at(&next, j) + 1);
            if j > 0 && last == Some(*y) && b.get(j - 1) == Some(&x) {
                best = best.min(at(&before, j - 1) + 1);
            }
            next.push(best);
        }
        last = Some(x);
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_finds_the_intended_one() {
        assert_eq!(most_similar("rate_limt", &["rate_limit", "timeout", "cancel_safe"]), Some("rate_limit"));
        assert_eq!(most_similar("lenght", &["length", "range"]), Some("length"));
        assert_eq!(most_similar("conect", &["connect", "disconnect"]), Some("connect"));
        assert_eq!(most_similar("minimum", &["min", "max"]), Some("min"));
        assert_eq!(most_similar("required", &["length", "range", "url"]), None);
    }

    #[test]
    fn a_swap_of_neighbours_is_one_edit() {
        assert_eq!(distance("ab", "ba"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", "abc"), 0);
    }
}
