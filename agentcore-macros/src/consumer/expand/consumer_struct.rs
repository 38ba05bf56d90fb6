//! The struct half: `ConsumerStruct`, `SentBy`, and the entry in the inventory.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Fields, Type};

use super::super::model::{Field, Source, StructHalf};
use crate::crate_path::respan;

/// The item and its impls; for an item that is wrong, what the rest of the user's code needs to be right.
pub(in super::super) fn struct_half(half: &StructHalf, correct: bool) -> TokenStream {
    let item = &half.item;
    let construct = construct_impl(half, correct);
    let sent_by = sent_by(half);
    let entry = (correct && item.generics.params.is_empty()).then(|| entry(half));
    quote! {
        #item
        const _: () = {
            #construct
            #sent_by
            #entry
        };
    }
}

fn construct_impl(half: &StructHalf, correct: bool) -> TokenStream {
    let private = half.paths.private();
    let ident = &half.item.ident;
    let name = ident.to_string();
    let path = half.path.as_ref().map_or_else(String::new, syn::LitStr::value);
    let (generics, arguments, clause) = half.item.generics.split_for_impl();
    let required = if correct { required(half) } else { quote!(#private::Vec::new()) };
    let sends = sends(half);
    let construct = if correct { construct(half) } else { quote!(loop {}) };
    let user = if correct { user(half) } else { None };
    // The one place that asks for the impl half: whoever mounts the consumer asks for this half alone.
    let at = half.paths.private_at(ident.span());
    let mount = if correct { quote_spanned!(ident.span()=> #at::mount::<Self>()) } else { quote!(loop {}) };
    quote! {
        #[automatically_derived]
        impl #generics #private::ConsumerStruct for #ident #arguments #clause {
            const NAME: &'static str = #name;
            const PATH: &'static str = #path;
            fn mount() -> #private::Mount {
                #mount
            }
            fn required() -> #private::Vec<#private::RequiredState> {
                #required
            }
            fn sends() -> #private::Vec<#private::Description> {
                #sends
            }
            fn construct(__agentcore_request: &#private::UpgradeRequest<'_>) -> #private::Result<Self> {
                #construct
            }
            #user
        }
    }
}

/// A `#[state]` field; both uses are the same tokens at the same place, so an error in them is reported once.
fn state(half: &StructHalf, ty: &Type) -> TokenStream {
    let span = ty.span();
    let private = half.paths.private_at(span);
    quote_spanned!(span=> #private::state_field::<#ty>())
}

fn required(half: &StructHalf) -> TokenStream {
    let private = half.paths.private();
    let fields = half.fields.iter().filter(|field| matches!(field.source, Source::State));
    let states = fields.map(|Field { ty, cfgs, .. }| {
        let state = state(half, ty);
        quote!(#(#cfgs)* #state.required())
    });
    quote!(#private::Vec::from([#(#states),*]))
}

/// The bound on a sent type is that of its `SentBy`, so that a type that cannot be sent is reported once.
fn sends(half: &StructHalf) -> TokenStream {
    let private = half.paths.private();
    let sent = half.sends.iter().map(|ty| quote!(#private::sent::<Self, #ty>()));
    quote!(#private::Vec::from([#(#sent),*]))
}

fn construct(half: &StructHalf) -> TokenStream {
    if let Fields::Unit = half.item.fields {
        return quote! {
            let _ = __agentcore_request;
            ::core::result::Result::Ok(Self)
        };
    }
    let fields = half.fields.iter().map(|field| {
        let (ident, cfgs, value) = (&field.ident, &field.cfgs, value(half, field));
        quote!(#(#cfgs)* #ident: #value)
    });
    let private = half.paths.private();
    quote! {
        #[allow(unused_imports)]
        use #private::ParseParam as _;
        let _ = __agentcore_request;
        ::core::result::Result::Ok(Self { #(#fields),* })
    }
}

fn value(half: &StructHalf, field: &Field) -> TokenStream {
    let ty = &field.ty;
    let span = ty.span();
    let private = half.paths.private_at(span);
    match &field.source {
        Source::Path(name) => {
            quote_spanned!(span=> #private::Param::<#ty>::new(#name).parse(__agentcore_request.path(#name))?)
        }
        Source::Query(name) => {
            quote_spanned!(span=> #private::Param::<#ty>::new(#name).parse(__agentcore_request.query(#name))?)
        }
        Source::State => {
            let state = state(half, ty);
            quote!(#state.get(__agentcore_request)?)
        }
        Source::Expr(expr) => quote!(#expr),
        Source::Default => quote_spanned!(span=> <#ty as ::core::default::Default>::default()),
    }
}

fn user(half: &StructHalf) -> Option<TokenStream> {
    let private = half.paths.private();
    let field = half.fields.iter().find(|field| field.user.is_some())?;
    let span = field.ty.span();
    let at = half.paths.private_at(span);
    let ident = respan(&field.ident, span);
    let as_user_id = quote_spanned!(span=> #at::AsUserId::as_user_id(&self.#ident));
    Some(quote! {
        fn user(&self) -> ::core::option::Option<&#private::UserId> {
            #as_user_id
        }
    })
}

fn sent_by(half: &StructHalf) -> TokenStream {
    let private = half.paths.private();
    let ident = &half.item.ident;
    let (generics, arguments, clause) = half.item.generics.split_for_impl();
    let mut seen = Vec::new();
    let mut impls = TokenStream::new();
    for ty in &half.sends {
        let text = quote!(#ty).to_string();
        if !seen.contains(&text) {
            impls.extend(quote! {
                #[automatically_derived]
                impl #generics #private::SentBy<#ident #arguments> for #ty #clause {}
            });
            seen.push(text);
        }
    }
    impls
}

/// The entry of a concrete consumer; a generic one is mounted explicitly.
fn entry(half: &StructHalf) -> TokenStream {
    let private = half.paths.private();
    let ident = &half.item.ident;
    quote! {
        #private::inventory::submit! {
            #private::MountEntry { mount: <#ident as #private::ConsumerStruct>::mount, module_path: ::core::module_path!() }
        }
    }
}
