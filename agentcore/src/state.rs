//! The application's state values, by type.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;

/// The values given to `AgentCore::state`, one for each type.
#[derive(Default)]
pub(crate) struct States {
    values: HashMap<TypeId, (&'static str, Box<dyn Any + Send + Sync>)>,
}

impl States {
    /// Stores `value`. Returns false if a value of its type was stored before.
    pub(crate) fn insert<T: Clone + Send + Sync + 'static>(&mut self, value: T) -> bool {
        let entry = (std::any::type_name::<T>(), Box::new(value) as Box<dyn Any + Send + Sync>);
        self.values.insert(TypeId::of::<T>(), entry).is_none()
    }

    pub(crate) fn get<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        self.values.get(&TypeId::of::<T>())?.1.downcast_ref::<T>().cloned()
    }

    pub(crate) fn contains(&self, type_id: TypeId) -> bool {
        self.values.contains_key(&type_id)
    }

    /// Returns the sorted names of the types, for error texts.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.values.values().map(|(name, _)| *name).collect();
        names.sort_unstable();
        names
    }
}

impl fmt::Debug for States {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}
