//! `#[contract]`: a struct of storage, and where each field lies.

use crate::documentation;
use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::{Error, Expr, Field, Fields, Ident, ItemStruct, LitInt, Result, Token, Type};

/// What stands in the parentheses of the attribute.
#[derive(Default)]
struct Arguments {
    state_version: Option<LitInt>,
    events: Option<Type>,
    errors: Option<Expr>,
    reasons: Option<Expr>,
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut arguments = Self::default();
        while !input.is_empty() {
            let key: Ident = input.parse()?;
            input.parse::<Token![=]>()?;
            match key.to_string().as_str() {
                "state_version" => arguments.state_version = Some(input.parse()?),
                "events" => arguments.events = Some(input.parse()?),
                "errors" => arguments.errors = Some(input.parse()?),
                "reasons" => arguments.reasons = Some(input.parse()?),
                _ => {
                    let message = "known here: state_version, events, errors, reasons";
                    return Err(Error::new(key.span(), message));
                }
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(arguments)
    }
}

/// A field, and the first byte of its keys.
struct Slot {
    field: Ident,
    of: Type,
    place: Expr,
    doc: String,
}

pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let arguments: Arguments = syn::parse2(arguments)?;
    let mut item: ItemStruct = syn::parse2(item)?;
    if !item.generics.params.is_empty() {
        return Err(Error::new_spanned(&item.generics, "a contract has no parameters"));
    }
    let slots = slots(&mut item.fields)?;
    let (name, visibility) = (&item.ident, &item.vis);
    let version = arguments.state_version.as_ref().ok_or_else(|| {
        Error::new_spanned(
            name,
            "say which version of the state this is: #[contract(state_version = 1)]",
        )
    })?;
    let state: Vec<_> = slots
        .iter()
        .map(|Slot { field, of, place, .. }| quote!(#field: <#of>::new(#place)))
        .collect();
    let described: Vec<_> = slots.iter().map(describe).collect();
    let distinct = distinct(&slots);
    let event = match &arguments.events {
        Some(event) => quote!(::core::option::Option::Some(<#event as schema::Schema>::TYPE)),
        None => quote!(::core::option::Option::None),
    };
    let errors = table(arguments.errors.as_ref());
    let reasons = table(arguments.reasons.as_ref());
    let label = name.to_string();
    let doc = documentation::line(&item.attrs);
    Ok(quote! {
        #[derive(::core::fmt::Debug)]
        #item

        impl #name {
            /// Where the state lies. The values are on the chain.
            #[allow(dead_code, reason = "a contract may reach its state through its methods only")]
            #visibility const STATE: Self = Self { #(#state),* };
        }

        const _: () = {
            use ::salus_sdk::abi::schema;

            #distinct

            impl ::salus_sdk::Contract for #name {
                const STATE: Self = Self::STATE;
                const DESCRIPTION: schema::Description = schema::Description {
                    name: #label,
                    doc: #doc,
                    version: ::core::env!("CARGO_PKG_VERSION"),
                    state_version: #version,
                    state: &[#(#described),*],
                    event: #event,
                    errors: #errors,
                    reasons: #reasons,
                };
            }
        };
    })
}

fn table(table: Option<&Expr>) -> TokenStream {
    table.map_or_else(|| quote!(&[]), |table| quote!(#table))
}

/// Takes the places off the fields.
fn slots(fields: &mut Fields) -> Result<Vec<Slot>> {
    let fields = match fields {
        Fields::Named(fields) => &mut fields.named,
        Fields::Unit => return Ok(Vec::new()),
        Fields::Unnamed(fields) => {
            let message = "fields of a contract have names, which stand in its schema";
            return Err(Error::new_spanned(fields, message));
        }
    };
    (0u8..=u8::MAX)
        .zip(fields.iter_mut())
        .map(|(position, field)| slot(position, field))
        .collect()
}

fn slot(position: u8, field: &mut Field) -> Result<Slot> {
    let mut place: Option<Expr> = None;
    for attribute in field
        .attrs
        .iter()
        .filter(|attribute| attribute.path().is_ident("at"))
    {
        if place.replace(attribute.parse_args()?).is_some() {
            return Err(Error::new_spanned(attribute, "a field lies at one place"));
        }
    }
    field.attrs.retain(|attribute| !attribute.path().is_ident("at"));
    let name = field.ident.clone();
    Ok(Slot {
        field: name.ok_or_else(|| Error::new_spanned(&*field, "fields of a contract have names"))?,
        of: field.ty.clone(),
        place: place.unwrap_or_else(|| syn::parse_quote!(#position)),
        doc: documentation::line(&field.attrs),
    })
}

fn describe(slot: &Slot) -> TokenStream {
    let Slot {
        field,
        of,
        place,
        doc,
    } = slot;
    let name = field.to_string();
    quote! {
        schema::Slot {
            place: #place,
            name: #name,
            doc: #doc,
            kind: <#of as ::salus_sdk::Stored>::KIND,
            key: <#of as ::salus_sdk::Stored>::KEY,
            value: <#of as ::salus_sdk::Stored>::VALUE,
        }
    }
}

/// Refuses two fields at one place, when the contract is compiled: a place may be a constant that is only named here.
fn distinct(slots: &[Slot]) -> TokenStream {
    let checks = slots.iter().enumerate().flat_map(|(index, one)| {
        slots.iter().skip(index.saturating_add(1)).map(move |other| {
            let (a, b) = (&one.place, &other.place);
            let message = format!("`{}` and `{}` lie at the same place", one.field, other.field);
            quote_spanned! {other.field.span()=>
                #[allow(clippy::assertions_on_constants, reason = "it is there to fail when it must")]
                const _: () = ::core::assert!(#a != #b, #message);
            }
        })
    });
    quote!(#(#checks)*)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(arguments: TokenStream, item: TokenStream) -> String {
        expand(arguments, item).unwrap_err().to_string()
    }

    #[test]
    fn mistakes_are_named() {
        let version = quote!(state_version = 1);
        let missing = refusal(
            quote!(),
            quote!(
                struct Rule;
            ),
        );
        assert!(missing.contains("state_version = 1"), "{missing}");
        let unknown = refusal(
            quote!(version = 1),
            quote!(
                struct Rule;
            ),
        );
        assert!(unknown.starts_with("known here: state_version"), "{unknown}");
        let tuple = refusal(
            version.clone(),
            quote!(
                struct Rule(Item<u8>);
            ),
        );
        assert!(tuple.contains("have names"), "{tuple}");
        let generic = refusal(
            version.clone(),
            quote!(
                struct Rule<T> {
                    item: Item<T>,
                }
            ),
        );
        assert!(generic.contains("no parameters"), "{generic}");
        let twice = quote!(
            struct Rule {
                #[at(1)]
                #[at(2)]
                item: Item<u8>,
            }
        );
        assert!(refusal(version, twice).contains("one place"));
    }

    #[test]
    fn places_count_up_unless_they_are_given_and_each_pair_is_compared() {
        let item = quote! {
            struct Rule {
                first: Item<u8>,
                #[at(b'x')]
                second: Item<u8>,
                third: Item<u8>,
            }
        };
        let code = expand(quote!(state_version = 1), item).unwrap().to_string();
        for place in ["new (0u8)", "new (b'x')", "new (2u8)"] {
            assert!(code.contains(place), "{place} in {code}");
        }
        assert!(code.contains("`first` and `second` lie at the same place"));
        assert!(code.contains("`second` and `third` lie at the same place"));
        assert!(!code.contains("# [at"), "{code}");
    }
}
