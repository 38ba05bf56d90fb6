//! Expands the fields of the struct: the body of `construct()`, and `user()`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::Fields;
use syn::spanned::Spanned as _;

use super::bounds;
use crate::consumer::model::{ConsumerField, ConsumerStruct, FieldSource};
use crate::crate_path::respan;

/// Returns the body of `construct()`.
pub(super) fn construct(consumer: &ConsumerStruct) -> TokenStream {
    if let Fields::Unit = consumer.item.fields {
        return quote!(__agentcore::Ok(Self));
    }
    let is_param = |field: &ConsumerField| matches!(field.source, FieldSource::Path(_) | FieldSource::Query(_));
    // A `cfg` may remove the only field that needs the trait.
    let parse_param = consumer.fields.iter().any(is_param).then(|| {
        quote! {
            #[allow(unused_imports)]
            use __agentcore::ParseParam as _;
        }
    });
    let fields = consumer.fields.iter().map(|field| {
        let (ident, cfgs, value) = (&field.ident, &field.cfgs, value(field));
        quote!(#(#cfgs)* #ident: #value)
    });
    quote! {
        #parse_param
        __agentcore::Ok(Self { #(#fields),* })
    }
}

fn value(field: &ConsumerField) -> TokenStream {
    let ty = &field.ty;
    let span = ty.span();
    match &field.source {
        FieldSource::Path(name) => {
            quote_spanned!(span=> __agentcore::Param::<#ty>::new(#name).parse(__agentcore_request.path(#name))?)
        }
        FieldSource::Query(name) => {
            quote_spanned!(span=> __agentcore::Param::<#ty>::new(#name).parse(__agentcore_request.query(#name))?)
        }
        FieldSource::State => {
            let state = bounds::state_field(ty);
            quote!(#state.get(__agentcore_request)?)
        }
        FieldSource::Expr(expr) => quote!(#expr),
        FieldSource::Default => quote_spanned!(span=> <#ty as ::core::default::Default>::default()),
    }
}

/// Returns `user()`, when a field has `#[user]`.
pub(super) fn user(consumer: &ConsumerStruct) -> Option<TokenStream> {
    let field = consumer.fields.iter().find(|field| field.user.is_some())?;
    let span = field.ty.span();
    let ident = respan(&field.ident, span);
    let user = quote_spanned!(span=> __agentcore::AsUserId::as_user_id(&self.#ident));
    Some(quote! {
        fn user(&self) -> __agentcore::Option<&__agentcore::UserId> {
            #user
        }
    })
}
