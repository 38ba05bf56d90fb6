//! Finds one mistake after the other: run, note, mend, run again.

use std::collections::VecDeque;
use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use super::mistake::{Got, Kind, MAX_QUOTED, Mistake, Spot};
use super::placeholder::Placeholder;
use super::reader::Reader;
use super::tree::{Node, Tree, Value};
use super::wording::{self, Want, cut};
use crate::error::ErrorDetail;

/// At most so many mistakes are listed.
const MAX_LISTED: usize = 32;
/// All runs together look at about so many values, some milliseconds of work.
const MAX_WORK: usize = 50_000;
/// What a run costs by itself, in values.
const RUN: usize = 16;
/// A text that no client sends and that is no variant of anything.
const PROBE: &str = "\u{0}probe";

/// The mistakes that keep the tree from being a `T`.
pub(super) fn mistakes<T: DeserializeOwned>(tree: Tree) -> Vec<ErrorDetail> {
    let mut search = Search::<T> { root: tree.root, cost: tree.cost + RUN, left: MAX_WORK, of: PhantomData };
    let mut found = Vec::new();
    while found.len() < MAX_LISTED
        && let Some(Some(mistake)) = search.run()
    {
        let Some(place) = search.locate(&mistake) else { break };
        if !search.root.is_quiet(&place) {
            found.push(wording::detail(&search.root, &place, mistake.key, &mistake.kind));
        }
        if search.mend(&place, mistake).is_none() {
            break;
        }
    }
    found
}

struct Search<T> {
    root: Node,
    /// What a run costs.
    cost: usize,
    /// What all runs to come may cost.
    left: usize,
    of: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Search<T> {
    /// Decodes: the mistake or `Some(None)`; `None` when all the work was spent.
    fn run(&mut self) -> Option<Option<Mistake>> {
        self.left = self.left.checked_sub(self.cost)?;
        Some(T::deserialize(Reader(&self.root)).err())
    }

    /// Whether the next run would end otherwise than with `mistake`.
    fn differs(&mut self, mistake: &Mistake) -> Option<bool> {
        self.run().map(|now| now.as_ref() != Some(mistake))
    }

    /// The value that a mistake is about.
    ///
    /// serde reads tagged and flattened values whole before it decodes them, and then knows only the value around. The
    /// one meant is found by trying: which change makes the mistake another one?
    /// `None` when the work was spent first.
    fn locate(&mut self, mistake: &Mistake) -> Option<Vec<usize>> {
        let place = mistake.place();
        if mistake.key.is_some() || mistake.spot == Spot::Variant {
            return Some(place);
        }
        match &mistake.kind {
            Kind::Missing(name) => self.object_without(name, place, mistake),
            Kind::Unknown { name, .. } => self.object_with(name, 1, place),
            Kind::Duplicate(name) => self.object_with(name, 2, place),
            Kind::Custom(_) => self.culprit(place, mistake),
            Kind::Type { .. } | Kind::Value { .. } | Kind::Variant { .. } | Kind::Length { .. } => {
                self.value_found(place, mistake)
            }
            Kind::Endless => Some(place),
        }
    }

    /// The first object at or below `place` where an entry `name` makes a difference, else `place`.
    fn object_without(&mut self, name: &str, start: Vec<usize>, mistake: &Mistake) -> Option<Vec<usize>> {
        let mut queue = VecDeque::from([start.clone()]);
        while let Some(place) = queue.pop_front() {
            if let Value::Object(entries) = &mut self.root.at_mut(&place)?.value {
                entries.push((name.to_owned(), Node::placeholder()));
                let differs = self.differs(mistake);
                if let Value::Object(entries) = &mut self.root.at_mut(&place)?.value {
                    entries.pop();
                }
                if differs? {
                    return Some(place);
                }
            }
            queue.extend(self.below(&place)?);
        }
        Some(start)
    }

    /// The first object at or below `place` that has an entry `name` so many times, else `place`.
    fn object_with(&self, name: &str, times: usize, start: Vec<usize>) -> Option<Vec<usize>> {
        let mut queue = VecDeque::from([start.clone()]);
        while let Some(place) = queue.pop_front() {
            if let Value::Object(entries) = &self.root.at(&place)?.value
                && entries.iter().filter(|(entry, _)| entry == name).count() >= times
            {
                return Some(place);
            }
            queue.extend(self.below(&place)?);
        }
        Some(start)
    }

    fn below(&self, place: &[usize]) -> Option<impl Iterator<Item = Vec<usize>> + use<T>> {
        let place = place.to_vec();
        Some((0..self.root.at(&place)?.len()).map(move |index| [place.as_slice(), &[index]].concat()))
    }

    /// The value at or below `start` that the mistake shows: with another one there, that one is shown; else `start`.
    fn value_found(&mut self, start: Vec<usize>, mistake: &Mistake) -> Option<Vec<usize>> {
        let Some((value, shown)) = probe(&mistake.kind) else { return Some(start) };
        let mut queue: VecDeque<_> = self.below(&start)?.collect();
        while let Some(place) = queue.pop_front() {
            if is_shown(self.root.at(&place)?, &mistake.kind) {
                let another = Node { value: value.clone(), quiet: true };
                let before = std::mem::replace(self.root.at_mut(&place)?, another);
                let run = self.run();
                *self.root.at_mut(&place)? = before;
                if run?.is_some_and(|now| now.place() == mistake.place() && now.kind.is_alike(&mistake.kind, &shown)) {
                    return Some(place);
                }
            }
            queue.extend(self.below(&place)?);
        }
        Some(start)
    }

    /// The value at or below `place` that makes an error of somebody's own.
    ///
    /// An error of the whole stays the same when a part is exchanged. The parts are read one after the other, so that
    /// exchanging one changes the error if it is the wrong one, or one before it.
    fn culprit(&mut self, mut place: Vec<usize>, mistake: &Mistake) -> Option<Vec<usize>> {
        'deeper: loop {
            for index in (0..self.root.at(&place)?.len()).rev() {
                let child = [place.as_slice(), &[index]].concat();
                let before = std::mem::replace(self.root.at_mut(&child)?, Node::placeholder());
                let differs = self.differs(mistake);
                *self.root.at_mut(&child)? = before;
                if differs? && !self.is_tag(&child)? {
                    place = child;
                    continue 'deeper;
                }
            }
            return Some(place);
        }
    }

    /// Whether a text decides what the object around it must be: everything differs without it.
    fn is_tag(&mut self, place: &[usize]) -> Option<bool> {
        let node = self.root.at_mut(place)?;
        if !matches!(node.value, Value::Text(_)) {
            return Some(false);
        }
        let before = std::mem::replace(&mut node.value, Value::Text(PROBE.to_owned()));
        let run = self.run();
        self.root.at_mut(place)?.value = before;
        Some(matches!(run?, Some(Mistake { kind: Kind::Variant { got, .. }, .. }) if got == PROBE))
    }

    /// Changes the tree so that the mistake is not made again; `None` when there is nothing more to try.
    fn mend(&mut self, place: &[usize], mistake: Mistake) -> Option<()> {
        let found_here = place == mistake.place().as_slice();
        let node = self.root.at_mut(place)?;
        if let Some(index) = mistake.key {
            return node.remove(index);
        }
        match mistake.kind {
            Kind::Missing(name) => match &mut node.value {
                Value::Object(entries) => entries.push((name.to_owned(), Node::placeholder())),
                Value::Placeholder(_) => {
                    node.value = Value::Object(vec![(name.to_owned(), Node::placeholder())]);
                }
                _ => return None,
            },
            Kind::Unknown { name, .. } => remove_last(node, &name)?,
            Kind::Duplicate(name) => remove_last(node, name)?,
            Kind::Variant { known, .. } if mistake.spot == Spot::Tag || !found_here => {
                // Which variant was meant is not known, so nothing can be said of what stands beside the tag.
                node.value = Value::Text((*known.first()?).to_owned());
                node.quiet = true;
                let (_, around) = place.split_last()?;
                self.root.at_mut(around)?.quiet = true;
            }
            Kind::Variant { .. } => replace(node, None)?,
            Kind::Type { expected, .. } | Kind::Value { expected, .. } => replace(node, Want::of(&expected))?,
            Kind::Length { .. } | Kind::Custom(_) => replace(node, None)?,
            Kind::Endless => return None,
        }
        Some(())
    }
}

/// Puts a placeholder where `node` was; if one is there already, the next one.
fn replace(node: &mut Node, want: Option<Want>) -> Option<()> {
    let placeholder = match node.value {
        Value::Placeholder(placeholder) => placeholder.another(want)?,
        _ => Placeholder::of(want),
    };
    *node = Node { value: Value::Placeholder(placeholder), quiet: true };
    Some(())
}

fn remove_last(node: &mut Node, name: &str) -> Option<()> {
    let Value::Object(entries) = &mut node.value else { return None };
    let index = entries.iter().rposition(|(entry, _)| entry == name)?;
    entries.remove(index);
    Some(())
}

/// A value that makes the same mistake and can be told from others, and how it is shown.
fn probe(kind: &Kind) -> Option<(Value, Got)> {
    let text = || (Value::Text(PROBE.to_owned()), Got::Text(PROBE.to_owned()));
    match kind {
        Kind::Type { expected, .. } if Want::of(expected) == Some(Want::Text) => {
            Some((Value::Float(0.123_456_789), Got::Number(0.123_456_789)))
        }
        Kind::Type { .. } | Kind::Variant { .. } | Kind::Length { .. } => Some(text()),
        Kind::Value { got, .. } => match got {
            Got::Whole(number) if *number < 0 => {
                let next = i64::try_from(*number).ok()?.checked_sub(1)?;
                Some((Value::Signed(next), Got::Whole(next.into())))
            }
            Got::Whole(number) => {
                let next = u64::try_from(*number).ok()?.checked_add(1)?;
                Some((Value::Unsigned(next), Got::Whole(next.into())))
            }
            Got::Number(number) => Some((Value::Float(number * 2.0), Got::Number(number * 2.0))),
            Got::Text(_) => Some(text()),
            _ => None,
        },
        _ => None,
    }
}

/// Whether a mistake may be shown as one of `node`.
fn is_shown(node: &Node, kind: &Kind) -> bool {
    let got = match kind {
        Kind::Length { len, .. } => return matches!(node.value, Value::List(_)) && node.len() == *len,
        Kind::Variant { got, .. } => return matches!(&node.value, Value::Text(text) if cut(text, MAX_QUOTED) == *got),
        Kind::Type { got, .. } | Kind::Value { got, .. } => got,
        _ => return false,
    };
    match (&node.value, got) {
        (Value::Placeholder(placeholder), got) => placeholder.shown() == *got,
        (Value::Null, Got::Null)
        | (Value::List(_), Got::List)
        | (Value::Object(_), Got::Object)
        | (Value::Text(_), Got::Other(_)) => true,
        (Value::Bool(a), Got::Bool(b)) => a == b,
        (Value::Unsigned(a), Got::Whole(b)) => i128::from(*a) == *b,
        (Value::Signed(a), Got::Whole(b)) => i128::from(*a) == *b,
        (Value::Float(a), Got::Number(b)) => a == b,
        (Value::Text(a), Got::Text(b)) => cut(a, MAX_QUOTED) == *b,
        _ => false,
    }
}
