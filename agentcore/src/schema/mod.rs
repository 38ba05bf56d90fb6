//! The catalogue: the messages that each consumer receives and sends, as JSON Schema.
//!
//! It owns how messages are keyed, ordered and written; its caller adds them. All its output is sorted, because the
//! linker decides the order in which messages are registered.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::message::Description;

/// The direction of a message, seen from the consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// A payload of `#[on(..)]`.
    Receives,
    /// A message in `sends(..)`, or the return value of a handler.
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

/// The key of a message in the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct CatalogueKey {
    consumer: &'static str,
    direction: Direction,
    message_type: &'static str,
}

/// All messages that the mounted consumers receive and send.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    /// `None` for a message without data, whose handler has no payload.
    entries: BTreeMap<CatalogueKey, Option<Description>>,
}

/// Collects the messages of a [`Catalogue`].
#[derive(Debug, Default)]
pub(crate) struct CatalogueBuilder {
    entries: BTreeMap<CatalogueKey, Option<Description>>,
    conflicts: Vec<String>,
}

impl Catalogue {
    /// Returns the catalogue as one JSON Schema document (2020-12).
    ///
    /// `consumers` maps the name of each consumer to two maps, `receives` and `sends`, from message types to the
    /// schemas of their `data`; `$defs` holds the types that they refer to. The order is always the same.
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

    /// Returns the message types that consumers send.
    pub(crate) fn sent_types(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.entries.keys().filter(|key| key.direction == Direction::Sends).map(|key| key.message_type)
    }

    /// Returns the messages that `consumer` receives or sends, by message type.
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
    /// Adds a message under its own name. A payload without a name is ignored; the caller may name it
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

    /// Builds the catalogue.
    ///
    /// # Errors
    /// A text for each message type that names two Rust types of one consumer in one direction.
    pub(crate) fn build(self) -> Result<Catalogue, Vec<String>> {
        let Self { entries, mut conflicts } = self;
        conflicts.sort_unstable();
        conflicts.dedup();
        if conflicts.is_empty() { Ok(Catalogue { entries }) } else { Err(conflicts) }
    }
}

#[cfg(test)]
mod tests;
