//! The data of a message, and its JSON Schema.
#![deny(warnings)]

use agentcore::Message;
use agentcore::message::Description;
use agentcore::prelude::*;
use serde_json::{Value, from_value, json, to_value};

/// Nothing to say.
#[message("nothing")]
#[derive(Debug, PartialEq)]
struct Nothing;

#[message("braces")]
#[derive(Debug, PartialEq)]
struct Braces {}

#[message("strict")]
#[serde(deny_unknown_fields)]
#[derive(Debug)]
struct Strict;

/// A line somebody typed.
#[message("say")]
struct Say {
    #[validate(length(min = 1, max = 50), regex = "^[a-z]+$")]
    room: String,
    #[validate(length(max = 3))]
    tags: Vec<String>,
    #[validate(range(min = 1, exclusive_max = 5_000_000_000))]
    limit: u64,
    #[validate(email)]
    address: Option<String>,
}

#[message]
#[derive(Debug, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Color {
    Red,
    Green,
}

fn schema(describe: Description) -> Value {
    let mut generator = Default::default();
    (describe.schema)(&mut generator);
    Value::Object(generator.take_definitions(true).into_iter().collect())
}

fn main() {
    assert_eq!(to_value(Nothing).unwrap(), json!({}));
    assert_eq!(from_value::<Nothing>(json!({})).unwrap(), Nothing);
    assert_eq!(from_value::<Nothing>(json!({ "more": 1 })).unwrap(), Nothing);
    assert!(from_value::<Nothing>(json!([1])).is_err());
    assert_eq!(to_value(Braces {}).unwrap(), json!({}));
    assert_eq!(from_value::<Braces>(json!({})).unwrap(), Braces {});
    assert!(from_value::<Strict>(json!({ "more": 1 })).is_err());
    assert_eq!(from_value::<Color>(json!("green")).unwrap(), Color::Green);
    assert_eq!(to_value(Color::Red).unwrap(), json!("red"));
    assert_eq!(<Say as Message>::TYPE, "say");
    assert_eq!(Description::of::<Nothing>().name, Some("nothing"));
    assert_eq!(Description::of::<Color>().name, None);

    let nothing = schema(Description::of::<Nothing>());
    assert_eq!(nothing["Nothing"]["type"], "object");
    assert_eq!(nothing["Nothing"]["description"], "Nothing to say.");

    let say = &schema(Description::of::<Say>())["Say"];
    assert_eq!(say["description"], "A line somebody typed.");
    let properties = &say["properties"];
    assert_eq!(properties["room"], json!({ "type": "string", "minLength": 1, "maxLength": 50, "pattern": "^[a-z]+$" }));
    assert_eq!(properties["tags"]["maxItems"], 3);
    assert_eq!(properties["limit"]["minimum"], 1);
    assert_eq!(properties["limit"]["exclusiveMaximum"], 5_000_000_000_u64);
    assert_eq!(properties["address"]["format"], "email");
}
