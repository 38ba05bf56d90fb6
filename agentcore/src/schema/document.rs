//! The catalogue as one JSON Schema document.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::{Catalogue, Direction};

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
}
