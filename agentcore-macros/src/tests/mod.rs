//! The properties that hold for every input, correct or not: no attribute panics, the user's item is in the output
//! unchanged, and no attribute of the framework is left on it, which the compiler would reject.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test stops where it fails")]

mod snapshots;

use proc_macro2::{Group, TokenStream, TokenTree};

type Expand = fn(TokenStream, TokenStream) -> TokenStream;

/// Attributes with arguments and an item that they accept.
const ACCEPTED: &[(Expand, &str, &str)] = &[
    (
        crate::message::attribute,
        r#""say", crate = ::agentcore"#,
        r#"#[derive(Debug)] #[serde(rename_all = "camelCase")] pub struct Say {
            #[validate(length(min = 1, max = 50, message = "m"), regex = "^[a-z]+$")] pub room: String,
            #[validate(range(min = -1, exclusive_max = 2.5), custom(function = check), nested, url, email)] x: Option<f64>,
            #[validate(regex(path = ROOM))] r: String,
        }"#,
    ),
    (crate::message::attribute, r#""nothing""#, "struct Nothing;"),
    (
        crate::message::attribute,
        "",
        r#"#[serde(tag = "kind")] enum Target { Room { #[validate(length(min = 1))] room: String }, All, One(#[validate(email)] u8) }"#,
    ),
    (
        crate::consumer::attribute,
        r#"path = "/ws/{user_id}", sends(Said, Typing)"#,
        r#"struct Chat { #[path] #[user] user_id: UserId, #[query("t")] token: Option<String>, #[state] history: History,
            #[default(3 + 4)] lives: u32, lines: u32 }"#,
    ),
    (
        crate::consumer::attribute,
        "",
        r#"impl<T: Store> Chat<T> where T: Send {
            const MOST: u32 = 3;
            fn plain(&self) -> u32 { 7 }
            #[on("say", rate_limit = "10/1m", timeout = "5s", cancel_safe)]
            pub async fn say(&mut self, cx: &Context<Self>, msg: Say) -> Result<()> { unfinished. }
            #[on(connect)] async fn hello(&mut self) {}
            #[on(disconnect)] async fn bye(&mut self, reason: CloseReason) {}
        }"#,
    ),
    (crate::entry_point::attribute, "crate = ::agentcore", "async fn main() -> Result<()> { Ok(()) }"),
];

/// The attributes that must not be left on an item.
const REMOVED: &[&str] = &["# [validate", "# [on", "# [path", "# [query", "# [user", "# [state", "# [default"];

fn tokens(text: &str) -> TokenStream {
    text.parse().unwrap()
}

/// Returns all variants with one token missing, at any depth.
fn with_one_missing(tokens: &TokenStream) -> Vec<TokenStream> {
    let trees: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let mut all = Vec::new();
    for (at, tree) in trees.iter().enumerate() {
        let (before, after) = (&trees[..at], &trees[at + 1..]);
        let around =
            |inner: Option<TokenTree>| before.iter().cloned().chain(inner).chain(after.iter().cloned()).collect();
        all.push(around(None));
        if let TokenTree::Group(group) = tree {
            for inner in with_one_missing(&group.stream()) {
                all.push(around(Some(TokenTree::Group(Group::new(group.delimiter(), inner)))));
            }
        }
    }
    all
}

/// Returns the last tokens of an item, which no attribute changes.
fn body(item: &str) -> String {
    let item = tokens(item).to_string();
    item.rsplit(']').next().unwrap_or_default().trim().to_owned()
}

#[test]
fn correct_input_expands_without_errors() {
    for (attribute, args, item) in ACCEPTED {
        let expanded = attribute(tokens(args), tokens(item)).to_string();
        assert!(!expanded.contains("compile_error"), "{expanded}");
        assert!(REMOVED.iter().all(|removed| !expanded.contains(removed)), "{expanded}");
    }
}

#[test]
fn a_method_body_is_not_parsed() {
    let (attribute, args, item) = ACCEPTED[4];
    assert!(attribute(tokens(args), tokens(item)).to_string().contains("unfinished ."));
}

#[test]
fn an_argument_list_with_a_missing_token_leaves_the_item_unchanged() {
    for (attribute, args, item) in ACCEPTED {
        for args in with_one_missing(&tokens(args)) {
            let expanded = attribute(args.clone(), tokens(item)).to_string();
            assert!(REMOVED.iter().all(|removed| !expanded.contains(removed)), "{args}: {expanded}");
            assert!(expanded.contains(&body(item)), "{args}: {expanded}");
        }
    }
}

#[test]
fn an_item_with_a_missing_token_does_not_panic() {
    for (attribute, args, item) in ACCEPTED {
        for item in with_one_missing(&tokens(item)) {
            let expanded = attribute(tokens(args), item.clone()).to_string();
            // The compiler rejects tokens that are not an item before it expands an attribute. A wrong kind of item is
            // returned as it is.
            if syn::parse2::<syn::Item>(item).is_ok() && !expanded.contains("must be on") {
                assert!(REMOVED.iter().all(|removed| !expanded.contains(removed)), "{expanded}");
            }
        }
    }
}
