//! What values are to the rules. Each trait answers `None` for an absent value, to which no rule applies.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::fmt::Display;
use std::rc::Rc;
use std::sync::Arc;

use crate::id::{GroupName, NodeId, UserId};

/// How long a value is, and in what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// So many characters (Unicode scalar values, not bytes).
    Characters(usize),
    /// So many elements of a collection.
    Elements(usize),
}

/// A value that has a length: a text or a collection.
#[diagnostic::on_unimplemented(
    message = "`length` cannot check `{Self}`: it has no length",
    label = "only texts and collections have one",
    note = "`range` checks a number; an own type may implement `agentcore::message::validate::Length`"
)]
pub trait Length {
    /// The length, `None` for an absent value.
    fn size(&self) -> Option<Size>;
}

/// A value that is a text.
#[diagnostic::on_unimplemented(
    message = "this rule cannot check `{Self}`: it is no text",
    label = "only texts have a form",
    note = "an own type may implement `agentcore::message::validate::Text`"
)]
pub trait Text {
    /// The text, `None` for an absent value.
    fn text(&self) -> Option<&str>;
}

/// A value that has a place between bounds.
#[diagnostic::on_unimplemented(
    message = "`range` cannot check `{Self}`: it is no number",
    label = "only numbers are in a range",
    note = "`length` checks a text or a collection; an own type may implement `agentcore::message::validate::Number`"
)]
pub trait Number {
    /// What it is compared as.
    type Value: PartialOrd + Display;

    /// The number, `None` for an absent value.
    fn number(&self) -> Option<Self::Value>;
}

macro_rules! text {
    ($([$($generics:tt)*] $type:ty),* $(,)?) => {$(
        impl<$($generics)*> Text for $type {
            fn text(&self) -> Option<&str> {
                Some(self.as_ref())
            }
        }

        impl<$($generics)*> Length for $type {
            fn size(&self) -> Option<Size> {
                Some(Size::Characters(AsRef::<str>::as_ref(self).chars().count()))
            }
        }
    )*};
}

text! { [] str, [] String, ['a] Cow<'a, str>, [] UserId, [] GroupName, [] NodeId }

macro_rules! collection {
    ($([$($generics:tt)*] $type:ty),* $(,)?) => {$(
        impl<$($generics)*> Length for $type {
            fn size(&self) -> Option<Size> {
                Some(Size::Elements(self.len()))
            }
        }
    )*};
}

collection! {
    [T] [T], [T, const N: usize] [T; N], [T] Vec<T>, [T] VecDeque<T>, [T] BTreeSet<T>, [T, S] HashSet<T, S>,
    [K, V] BTreeMap<K, V>, [K, V, S] HashMap<K, V, S>,
}

macro_rules! number {
    ($($type:ty),*) => {$(
        impl Number for $type {
            type Value = Self;

            fn number(&self) -> Option<Self> {
                Some(*self)
            }
        }
    )*};
}

number!(u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize, f32, f64);

macro_rules! transparent {
    ($($type:ty),*) => {$(
        impl<T: Length + ?Sized> Length for $type {
            fn size(&self) -> Option<Size> {
                (**self).size()
            }
        }

        impl<T: Text + ?Sized> Text for $type {
            fn text(&self) -> Option<&str> {
                (**self).text()
            }
        }

        impl<T: Number + ?Sized> Number for $type {
            type Value = T::Value;

            fn number(&self) -> Option<T::Value> {
                (**self).number()
            }
        }
    )*};
}

transparent!(&T, Box<T>, Rc<T>, Arc<T>);

impl<T: Length> Length for Option<T> {
    fn size(&self) -> Option<Size> {
        self.as_ref()?.size()
    }
}

impl<T: Text> Text for Option<T> {
    fn text(&self) -> Option<&str> {
        self.as_ref()?.text()
    }
}

impl<T: Number> Number for Option<T> {
    type Value = T::Value;

    fn number(&self) -> Option<T::Value> {
        self.as_ref()?.number()
    }
}
