#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops where it fails")]
use schemars::{JsonSchema, SchemaGenerator};

use super::*;

#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct Room {
    name: String,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct Join {
    room: Room,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct Joined {
    room: Room,
}

fn describe<T: JsonSchema>(name: &'static str) -> Description {
    Description {
        name: Some(name),
        type_name: std::any::type_name::<T>,
        schema: SchemaGenerator::subschema_for::<T>,
        check_rules: || Ok(()),
    }
}

#[test]
fn two_types_may_share_a_message_type_in_different_directions() {
    let mut builder = Catalogue::builder();
    builder.add("Chat", Direction::Receives, describe::<Join>("join"));
    builder.add("Chat", Direction::Sends, describe::<Joined>("join"));
    builder.add("Chat", Direction::Sends, describe::<Joined>("join"));
    builder.add("Lobby", Direction::Sends, describe::<Room>("join"));
    assert!(builder.build().is_ok());
}

#[test]
fn a_message_type_with_two_rust_types_is_a_conflict_that_names_both() {
    let wrong = |first: Description, second: Description| {
        let mut builder = Catalogue::builder();
        builder.add("Chat", Direction::Sends, first).add("Chat", Direction::Sends, second);
        builder.build().unwrap_err()
    };
    let (join, joined) = (describe::<Join>("join"), describe::<Joined>("join"));
    let expected = format!(
        "consumer `Chat` sends two types as `join`: `{}` and `{}`",
        std::any::type_name::<Join>(),
        std::any::type_name::<Joined>()
    );
    assert_eq!(wrong(join, joined), [expected.as_str()]);
    assert_eq!(wrong(joined, join), [expected.as_str()], "in either order");
}

#[test]
fn the_document_does_not_depend_on_the_order_of_registration() {
    let document = |reverse: bool| {
        let mut all = vec![
            ("Chat", Direction::Receives, describe::<Join>("join")),
            ("Chat", Direction::Sends, describe::<Joined>("joined")),
            ("Lobby", Direction::Sends, describe::<Room>("room")),
        ];
        if reverse {
            all.reverse();
        }
        let mut builder = Catalogue::builder();
        for (consumer, direction, description) in all {
            builder.add(consumer, direction, description);
        }
        builder.add_without_data("Chat", "list");
        builder.build().unwrap().json_schema()
    };
    let schema = document(false);
    assert_eq!(schema.to_string(), document(true).to_string());
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema["consumers"]["Chat"]["receives"]["join"]["$ref"], "#/$defs/Join");
    assert_eq!(schema["consumers"]["Chat"]["receives"]["list"]["type"], "object");
    assert_eq!(schema["consumers"]["Chat"]["sends"]["joined"]["$ref"], "#/$defs/Joined");
    assert_eq!(schema["consumers"]["Lobby"]["receives"], serde_json::json!({}));
    assert_eq!(schema["$defs"]["Join"]["properties"]["room"]["$ref"], "#/$defs/Room");
    assert_eq!(schema["$defs"]["Room"]["required"][0], "name");
}
