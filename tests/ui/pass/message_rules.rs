//! Every rule, on every kind of value that it checks.
#![forbid(unsafe_code)]
#![deny(warnings)]

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use agentcore::message::Payload;
use agentcore::message::validate::{Regex, ValidationReport, Validate};
use agentcore::prelude::*;

static WORD: LazyLock<Regex> = LazyLock::new(|| Regex::new("^[a-z]+$").unwrap());

const MOST: usize = 3;

fn no_admin(name: &str) -> Result<(), &'static str> {
    if name == "admin" { Err("must not be `admin`") } else { Ok(()) }
}

fn even(number: &u8) -> Result<(), String> {
    if number % 2 == 0 { Ok(()) } else { Err(format!("must be even, it is {number}")) }
}

#[message]
#[derive(Debug, Clone, PartialEq)]
struct Part {
    #[validate(length(min = 1))]
    text: String,
}

#[message("everything")]
#[serde(rename_all = "camelCase")]
struct Everything {
    #[validate(length(min = 1, max = 50), regex = r"^[a-z ]*$")]
    room_name: String,
    #[validate(length(max = MOST))]
    tags: Vec<String>,
    #[validate(length(equal = 2, message = "must be a pair"))]
    pair: Option<Vec<u8>>,
    #[validate(range(min = 1, max = 5_000_000_000))]
    limit: u64,
    #[validate(range(exclusive_min = -1.5, exclusive_max = 1.5))]
    ratio: Option<f64>,
    #[validate(regex(path = WORD, message = "must be a word"))]
    #[serde(rename = "theWord")]
    word: String,
    #[validate(regex(pattern = "^#"))]
    color: Option<String>,
    #[validate(email)]
    address: Option<String>,
    #[validate(url(message = "must be a link"))]
    link: Option<String>,
    #[validate(custom(function = no_admin))]
    name: String,
    #[validate(custom(function = even))]
    number: Option<u8>,
    #[validate(nested, length(max = 2))]
    parts: Vec<Part>,
    #[validate(nested)]
    boxed: Option<Box<Part>>,
    #[validate(nested)]
    by_key: BTreeMap<String, Vec<Part>>,
    #[validate(length(max = 1))]
    counts: HashMap<String, u8>,
    #[validate(nested)]
    #[serde(flatten)]
    flat: Flat,
    #[validate(length(min = 1))]
    r#type: String,
}

#[message]
struct Flat {
    #[validate(range(min = 1))]
    depth: i8,
}

#[message]
#[allow(dead_code)]
enum Target {
    Room {
        #[validate(length(min = 1))]
        room: String,
    },
    User(#[validate(length(min = 1))] String),
    Pair(u8, #[validate(range(max = 9))] u8),
    Everyone,
}

#[message]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
enum Tagged {
    ToRoom {
        #[validate(length(min = 1))]
        room_name: String,
    },
}

fn good() -> Everything {
    let part = Part { text: "text".to_owned() };
    Everything {
        room_name: "lobby".to_owned(),
        tags: Vec::new(),
        pair: None,
        limit: 5_000_000_000,
        ratio: None,
        word: "word".to_owned(),
        color: None,
        address: None,
        link: None,
        name: "alice".to_owned(),
        number: None,
        parts: vec![part.clone()],
        boxed: None,
        by_key: BTreeMap::new(),
        counts: HashMap::new(),
        flat: Flat { depth: 1 },
        r#type: "a".to_owned(),
    }
}

/// Returns the broken rules, as `field: rule: text`.
fn broken(value: &impl Validate) -> Vec<String> {
    let mut report = ValidationReport::default();
    value.validate(&mut report);
    let details = report.into_result().err().map(|error| error.details().to_vec()).unwrap_or_default();
    details.iter().map(|detail| format!("{}: {}: {}", detail.field, detail.rule, detail.message)).collect()
}

fn breaks(change: impl FnOnce(&mut Everything), expected: &str) {
    let mut value = good();
    change(&mut value);
    assert_eq!(broken(&value), [expected]);
}

fn main() {
    assert_eq!(broken(&good()), [""; 0]);
    assert_eq!(Everything::check_rules(), Ok(()));
    let bad = || Part { text: String::new() };
    let text = "length: must have at least 1 character, it has 0";

    breaks(|it| it.room_name.clear(), "roomName: length: must have 1 to 50 characters, it has 0");
    breaks(|it| it.room_name = "A".to_owned(), "roomName: regex: must match `^[a-z ]*$`");
    breaks(|it| it.tags = vec![String::new(); 4], "tags: length: must have at most 3 elements, it has 4");
    breaks(|it| it.pair = Some(vec![1]), "pair: length: must be a pair");
    breaks(|it| it.limit = 0, "limit: range: must be from 1 to 5000000000, it is 0");
    breaks(|it| it.ratio = Some(1.5), "ratio: range: must be more than -1.5 and less than 1.5, it is 1.5");
    breaks(|it| it.word = "1".to_owned(), "theWord: regex: must be a word");
    breaks(|it| it.color = Some("red".to_owned()), "color: regex: must match `^#`");
    breaks(|it| it.address = Some("nobody".to_owned()), "address: email: must be an email address");
    breaks(|it| it.link = Some("nowhere".to_owned()), "link: url: must be a link");
    breaks(|it| it.name = "admin".to_owned(), "name: custom: must not be `admin`");
    breaks(|it| it.number = Some(3), "number: custom: must be even, it is 3");
    breaks(|it| it.parts.push(bad()), &format!("parts[1].text: {text}"));
    breaks(|it| it.boxed = Some(Box::new(bad())), &format!("boxed.text: {text}"));
    breaks(|it| drop(it.by_key.insert("a".to_owned(), vec![bad()])), &format!("byKey.a[0].text: {text}"));
    breaks(|it| it.flat.depth = 0, "depth: range: must be at least 1, it is 0");
    breaks(|it| it.r#type.clear(), &format!("type: {text}"));

    assert_eq!(broken(&Target::Room { room: String::new() }), [format!("Room.room: {text}")]);
    assert_eq!(broken(&Target::User(String::new())), [format!("User: {text}")]);
    assert_eq!(broken(&Target::Pair(10, 10)), ["Pair.1: range: must be at most 9, it is 10"]);
    assert_eq!(broken(&Target::Everyone), [""; 0]);
    assert_eq!(broken(&Tagged::ToRoom { room_name: String::new() }), [format!("roomName: {text}")]);
}
