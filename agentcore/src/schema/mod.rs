//! The catalogue of all messages: who receives and who sends what, as JSON Schema.
//!
//! It owns how messages are keyed, ordered and written; what there is, its caller says. Everything that comes from it
//! is sorted, since the order in which messages are registered is the linker's.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::message::Description;

/// Which way a message goes, seen from the consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// A payload of `#[on(..)]`.
    Receives,
    /// A message of `sends(..)`, or one that a handler returns.
    Sends,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Receives => "receives",
            Self::Sends => "sends",
        })
    }
}

/// One message of one consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct CatalogueKey {
    consumer: &'static str,
    direction: Direction,
    message_type: &'static str,
}

/// All messages that the mounted consumers receive and send.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    /// A handler without a payload receives a message without data.
    entries: BTreeMap<CatalogueKey, Option<Description>>,
}

/// Collects the messages of a [`Catalogue`].
#[derive(Debug, Default)]
pub(crate) struct CatalogueBuilder {
    entries: BTreeMap<CatalogueKey, Option<Description>>,
    conflicts: Vec<String>,
}

impl Catalogue {
    /// The catalogue as one JSON Schema document (2020-12).
    ///
    /// `consumers` has, by the name of the consumer, the maps `receives` and `sends` from the message type to the
    /// schema of its `data`; `$defs` has the types that they refer to. The order is always the same.
    #[must_use]
    pub fn json_schema(&self) -> Value {
        let mut generator = SchemaSettings::draft2020_12().into_generator();
        let mut names: Vec<&'static str> = self.entries.keys().map(|key| key.consumer).collect();
        names.dedup();
        let mut consumers = Map::new();
        for consumer in names {
            let mut maps = Map::new();
            for direction in [Direction::Receives, Direction::Sends] {
                let schemas = self.of(consumer, direction).map(|(message_type, description)| {
                    let schema = match description {
                        Some(description) => (description.schema)(&mut generator).to_value(),
                        None => json!({ "type": "object" }),
                    };
                    (message_type.to_owned(), schema)
                });
                maps.insert(direction.to_string(), Value::Object(schemas.collect()));
            }
            consumers.insert(consumer.to_owned(), Value::Object(maps));
        }
        let definitions = generator.take_definitions(true);
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "consumers": consumers,
            "$defs": definitions,
        })
    }

    pub(crate) fn builder() -> CatalogueBuilder {
        CatalogueBuilder::default()
    }

    /// The types that any consumer sends.
    pub(crate) fn sent_types(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.entries.keys().filter(|key| key.direction == Direction::Sends).map(|key| key.message_type)
    }

    /// The types that `consumer` receives or sends, by message type.
    fn of<'a>(
        &'a self,
        consumer: &'a str,
        direction: Direction,
    ) -> impl Iterator<Item = (&'static str, Option<Description>)> + 'a {
        let of_consumer = move |key: &CatalogueKey| key.consumer == consumer && key.direction == direction;
        let entries = self.entries.iter().filter(move |(key, _)| of_consumer(key));
        entries.map(|(key, description)| (key.message_type, *description))
    }
}

impl CatalogueBuilder {
    /// Adds a message under its own name. One without a name is no message by itself: its caller names it
    /// (`Description { name: Some("x"), ..description }`).
    pub(crate) fn add(&mut self, consumer: &'static str, direction: Direction, description: Description) -> &mut Self {
        match description.name {
            Some(message_type) => self.insert(consumer, direction, message_type, Some(description)),
            None => self,
        }
    }

    /// Adds a message type whose handler takes no payload.
    pub(crate) fn add_without_data(&mut self, consumer: &'static str, message_type: &'static str) -> &mut Self {
        self.insert(consumer, Direction::Receives, message_type, None)
    }

    fn insert(
        &mut self,
        consumer: &'static str,
        direction: Direction,
        message_type: &'static str,
        description: Option<Description>,
    ) -> &mut Self {
        match self.entries.entry(CatalogueKey { consumer, direction, message_type }) {
            Entry::Vacant(entry) => {
                entry.insert(description);
            }
            Entry::Occupied(entry) => {
                let names =
                    [entry.get(), &description].map(|known| known.map_or("no data", |known| (known.type_name)()));
                if let [first, second] = names
                    && first != second
                {
                    let conflict = format!(
                        "consumer `{consumer}` {direction} two types as `{message_type}`: `{}` and `{}`",
                        first.min(second),
                        first.max(second),
                    );
                    self.conflicts.push(conflict);
                }
            }
        }
        self
    }

    /// Ends the collection.
    ///
    /// # Errors
    /// One text for each message type that stands for two types of one consumer in one direction.
    pub(crate) fn build(self) -> Result<Catalogue, Vec<String>> {
        let Self { entries, mut conflicts } = self;
        conflicts.sort_unstable();
        conflicts.dedup();
        if conflicts.is_empty() { Ok(Catalogue { entries }) } else { Err(conflicts) }
    }
}

#[cfg(test)]
mod tests;
