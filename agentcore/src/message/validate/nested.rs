//! The rule `nested`: containers check the rules of their values.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::fmt::Display;
use std::rc::Rc;
use std::sync::Arc;

use super::{Validate, ValidationReport};

impl<T: Validate> Validate for Option<T> {
    fn validate(&self, report: &mut ValidationReport) {
        if let Some(value) = self {
            value.validate(report);
        }
    }
}

macro_rules! transparent {
    ($($type:ty),*) => {$(
        impl<T: Validate + ?Sized> Validate for $type {
            fn validate(&self, report: &mut ValidationReport) {
                (**self).validate(report);
            }
        }
    )*};
}

transparent!(&T, Box<T>, Rc<T>, Arc<T>);

macro_rules! elements {
    ($([$($generics:tt)*] $type:ty),* $(,)?) => {$(
        impl<T: Validate, $($generics)*> Validate for $type {
            fn validate(&self, report: &mut ValidationReport) {
                for (index, element) in self.iter().enumerate() {
                    report.index(index, |report| element.validate(report));
                }
            }
        }
    )*};
}

elements! { [] [T], [const N: usize] [T; N], [] Vec<T>, [] VecDeque<T>, [] BTreeSet<T>, [S] HashSet<T, S> }

macro_rules! entries {
    ($([$($generics:tt)*] $type:ty),* $(,)?) => {$(
        impl<K: Display, V: Validate, $($generics)*> Validate for $type {
            fn validate(&self, report: &mut ValidationReport) {
                for (key, value) in self {
                    report.key(key, |report| value.validate(report));
                }
            }
        }
    )*};
}

entries! { [] BTreeMap<K, V>, [S] HashMap<K, V, S> }
