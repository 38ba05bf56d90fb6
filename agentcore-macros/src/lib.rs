//! The attributes of `agentcore`: `#[message]`, `#[consumer]`, `#[on]` and `#[main]`.
//!
//! Use them through `agentcore`, which re-exports them and holds what the generated code names.
//!
//! Each attribute goes the same way: its tokens are parsed into a model, in which every value keeps its span; the
//! model is validated by the rules that need more than one argument; then it is expanded, which cannot fail. The
//! user's item comes first in the output whatever is wrong with it, and everything wrong is reported at once.

mod args;
mod consumer;
mod crate_path;
mod diagnostics;
mod entry_point;
mod message;
#[cfg(test)]
mod tests;

use proc_macro::TokenStream;

/// Makes a struct a message: serde, a JSON Schema and the rules of `#[validate(..)]`, all from one place.
///
/// `#[message("chat_message")]` names the message type: such a struct can be sent and returned. `#[message]` without a
/// name makes a part of other messages, or a payload that several message types share.
///
/// It stands on structs with named fields and on unit structs, which travel as `{}`; without a name also on enums. A
/// message has no lifetimes and no type parameters. `#[serde(..)]` attributes pass through.
///
/// # Rules
/// `#[validate(..)]` on a field takes the rules of the `validator` crate, by their names there:
///
/// | rule | arguments |
/// |---|---|
/// | `length` | `min`, `max`, `equal`: characters of a text, elements of a collection |
/// | `range` | `min`, `max`, `exclusive_min`, `exclusive_max` |
/// | `regex` | `path` of a compiled one, or `pattern`; `regex = r"^[a-z]+$"` for short |
/// | `email`, `url` | |
/// | `custom` | `function`: `fn(&T) -> Result<(), impl Display>` |
/// | `nested` | none: checks the rules of the value's own type |
///
/// All but `custom` and `nested` take `message = ".."`, which reads after the name of the field. A rule on an
/// `Option` is checked when there is a value. The same rules stand in the JSON Schema.
///
/// # Arguments
/// `crate = path`: where `agentcore` is, when not at `::agentcore`.
#[proc_macro_attribute]
pub fn message(args: TokenStream, item: TokenStream) -> TokenStream {
    message::attribute(args.into(), item.into()).into()
}

/// Makes a struct and its impl block a consumer: the state of one connection and its handlers.
///
/// It stands on both halves.
///
/// # On the struct
/// `#[consumer(path = "/ws/{user_id}", sends(Said, UserTyping))]`: the route, and the messages that the consumer
/// sends. Its fields are filled before the upgrade:
///
/// | field | value |
/// |---|---|
/// | `#[path]` | the part `{name}` of the route, parsed with `FromStr` |
/// | `#[query]`, `#[query("name")]` | a value of the query, parsed with `FromStr`; an `Option` may be missing |
/// | `#[state]` | the application's state of this type |
/// | `#[default(expr)]` | the value of `expr` |
/// | none of these | `Default::default()` |
///
/// `#[user]` on one of them says that it names the connection's user.
///
/// # On the impl block
/// `#[consumer]`: the methods with [`#[on(..)]`](macro@on) are the handlers, all others stay as they are.
///
/// # Arguments
/// Both halves take `crate = path`: where `agentcore` is, when not at `::agentcore`.
#[proc_macro_attribute]
pub fn consumer(args: TokenStream, item: TokenStream) -> TokenStream {
    consumer::attribute(args.into(), item.into()).into()
}

/// Makes a method of a `#[consumer]` impl block the handler of a message type.
///
/// `#[on("chat_message")]` names the message type, `#[on(connect)]` and `#[on(disconnect)]` the ends of a connection.
/// A handler is `async` and takes `&mut self`; after it a reference is the context and an owned value the payload
/// (with `disconnect` the `CloseReason`), each of them if the handler wants it. It returns `()`, a message, an
/// `Option` of one, or a `Result` of these; a returned message is the reply.
///
/// # Arguments
/// - `rate_limit = exempt`, a cost as so many messages, `cost(5)`, or a limit of its own: `"10/s"`, `"10/1m"`. It takes effect
///   with a `RateLimit` in the middleware of the application.
/// - `timeout = "5s"`, `"500ms"`: instead of `WS_HANDLER_TIMEOUT`.
/// - `cancel_safe`: the handler may be dropped at any `await`, so a timeout leaves the connection open.
#[proc_macro_attribute]
pub fn on(args: TokenStream, item: TokenStream) -> TokenStream {
    consumer::misplaced_on(args.into(), item.into()).into()
}

/// Runs an `async fn main` on a multi-threaded tokio runtime, with logs on by `LOG_LEVEL`.
///
/// An `Err` is printed as one line on stderr, and the process exits with code 2.
///
/// # Arguments
/// `crate = path`: where `agentcore` is, when not at `::agentcore`.
#[proc_macro_attribute]
pub fn main(args: TokenStream, item: TokenStream) -> TokenStream {
    entry_point::attribute(args.into(), item.into()).into()
}
