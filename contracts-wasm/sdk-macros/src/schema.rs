//! `#[derive(Schema)]`: a type's description, as constants.

use crate::documentation;
use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, Fields, Result};

/// `schema` is the path of the module that describes types.
pub(crate) fn expand(schema: &TokenStream, item: TokenStream) -> Result<TokenStream> {
    let item: DeriveInput = syn::parse2(item)?;
    if !item.generics.params.is_empty() {
        let message = "a type with parameters has no name of its own in a schema";
        return Err(Error::new_spanned(&item.generics, message));
    }
    let shape = match &item.data {
        Data::Struct(data) => match &data.fields {
            Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
                let of = fields.unnamed.iter().map(|field| &field.ty);
                quote!(#schema::Shape::Alias(#(<#of as #schema::Schema>::TYPE)*))
            }
            fields if fields.is_empty() => {
                return Err(Error::new_spanned(
                    &item.ident,
                    "a message without fields is `()`",
                ));
            }
            fields => {
                let fields = list(schema, fields);
                quote!(#schema::Shape::Struct(&[#(#fields),*]))
            }
        },
        Data::Enum(data) => {
            let variants = data.variants.iter().map(|variant| {
                let name = variant.ident.to_string();
                let fields = list(schema, &variant.fields);
                quote!(#schema::Variant { name: #name, fields: &[#(#fields),*] })
            });
            quote!(#schema::Shape::Enum(&[#(#variants),*]))
        }
        Data::Union(_) => return Err(Error::new_spanned(&item.ident, "a union has no description")),
    };
    let ident = &item.ident;
    let name = ident.to_string();
    let doc = documentation::line(&item.attrs);
    Ok(quote! {
        impl #schema::Schema for #ident {
            const TYPE: &'static #schema::Type = &#schema::Type::Named(&#schema::Named {
                module: ::core::module_path!(),
                name: #name,
                doc: #doc,
                shape: #shape,
            });
        }
    })
}

/// Fields with their names; those without a name are called by their position.
fn list(schema: &TokenStream, fields: &Fields) -> Vec<TokenStream> {
    let described = fields.iter().enumerate().map(|(position, field)| {
        let name = field
            .ident
            .as_ref()
            .map_or_else(|| position.to_string(), ToString::to_string);
        let of = &field.ty;
        quote!(#schema::Field { name: #name, of: <#of as #schema::Schema>::TYPE })
    });
    described.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_description_is_refused() {
        let expand = |item| expand(&quote!(schema), item);
        let refusal = |item| expand(item).unwrap_err().to_string();
        assert!(
            refusal(quote!(
                struct Wrap<T>(T);
            ))
            .contains("parameters")
        );
        assert!(
            refusal(quote!(
                struct Nothing;
            ))
            .contains("`()`")
        );
        assert!(refusal(quote!(union Bits { a: u8, b: u16 })).contains("union"));
        assert!(
            expand(quote!(
                enum Scope {
                    Record(u32),
                    Class { class: u8 },
                    All,
                }
            ))
            .is_ok()
        );
    }
}
