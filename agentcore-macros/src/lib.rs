//! The attributes of `agentcore`: `#[message]`, `#[consumer]`, `#[on]` and `#[main]`.
//!
//! Applications use them through `agentcore`, which re-exports them with their reference and holds the items that
//! generated code names.
//!
//! Each attribute has four steps. *Parse* turns the tokens into a model in which every value keeps its span. *Validate*
//! checks the rules that involve more than one value. *Expand* generates the code and cannot fail. The user's item
//! always comes first in the output, followed by one error for each mistake.

mod args;
mod consumer;
mod crate_path;
mod diagnostics;
mod entry_point;
mod message;
#[cfg(test)]
mod tests;

use proc_macro::TokenStream;

/// Expands to the item with its derives, and to the impls of `Payload`, `Validate` and `Message`.
#[proc_macro_attribute]
pub fn message(args: TokenStream, item: TokenStream) -> TokenStream {
    message::attribute(args.into(), item.into()).into()
}

/// Expands to the item, and to the impl that makes the struct a consumer or the methods its handlers.
#[proc_macro_attribute]
pub fn consumer(args: TokenStream, item: TokenStream) -> TokenStream {
    consumer::attribute(args.into(), item.into()).into()
}

/// Expands to an error: `#[consumer]` on the impl block reads and removes it.
#[proc_macro_attribute]
pub fn on(args: TokenStream, item: TokenStream) -> TokenStream {
    consumer::misplaced_on(args.into(), item.into()).into()
}

/// Expands to a `fn main` that runs the function.
#[proc_macro_attribute]
pub fn main(args: TokenStream, item: TokenStream) -> TokenStream {
    entry_point::attribute(args.into(), item.into()).into()
}
