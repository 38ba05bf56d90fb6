//! The traits through which rules see values. Each returns `None` for an absent value, to which no rule applies.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::fmt::Display;
use std::rc::Rc;
use std::sync::Arc;

use crate::id::{GroupName, NodeId, UserId};

/// The length of a value and its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// Characters of a text (Unicode scalar values, not bytes).
    Characters(usize),
    /// Elements of a collection.
    Elements(usize),
}

/// A value with a length: a text or a collection.
#[diagnostic::on_unimplemented(
    message = "`length` cannot check `{Self}`: it has no length",
    label = "only texts and collections have one",
    note = "`range` checks a number; a type of your own may implement `agentcore::message::validate::Length`"
)]
pub trait Length {
    /// Returns the length; `None` for an absent value.
    fn size(&self) -> Option<Size>;
}

/// A value that is a text.
#[diagnostic::on_unimplemented(
    message = "this rule cannot check `{Self}`: it is not a text",
    label = "only texts have a form",
    note = "a type of your own may implement `agentcore::message::validate::Text`"
)]
pub trait Text {
    /// Returns the text; `None` for an absent value.
    fn text(&self) -> Option<&str>;
}

/// A value that can be compared with bounds.
#[diagnostic::on_unimplemented(
    message = "`range` cannot check `{Self}`: it is not a number",
    label = "only numbers are in a range",
    note = "`length` checks a text or a collection; a type of your own may implement `agentcore::message::validate::Number`"
)]
pub trait Number {
    /// The type of the comparison.
    type Value: PartialOrd + Display;

    /// Returns the number; `None` for an absent value.
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
