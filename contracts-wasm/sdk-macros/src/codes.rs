//! `#[derive(Codes)]` and `#[abi_codes]`: tables of numbers and names.

use crate::documentation;
use proc_macro2::TokenStream;
use quote::quote;
use std::collections::BTreeMap;
use syn::{Data, DeriveInput, Error, Expr, ExprLit, Fields, Ident, Item, ItemMod, Lit, Result};

pub(crate) fn expand_enum(item: TokenStream) -> Result<TokenStream> {
    let item: DeriveInput = syn::parse2(item)?;
    let Data::Enum(data) = &item.data else {
        return Err(Error::new_spanned(
            &item.ident,
            "codes are the variants of an enum",
        ));
    };
    let mut table = Table::default();
    let mut arms = Vec::new();
    for variant in &data.variants {
        let (name, code) = match (&variant.fields, &variant.discriminant) {
            (Fields::Unit, Some((_, code))) => (&variant.ident, code),
            (Fields::Unit, None) => {
                let message = "give it a number that it keeps: a rule's own start at 256";
                return Err(Error::new_spanned(variant, message));
            }
            _ => {
                return Err(Error::new_spanned(
                    variant,
                    "a code is a number: it carries no fields",
                ));
            }
        };
        table.add(name, code, documentation::line(&variant.attrs))?;
        arms.push(quote!(Self::#name => #code));
    }
    let (ident, visibility) = (&item.ident, &item.vis);
    let rows = table.rows(&quote!(::salus_sdk::abi::schema));
    Ok(quote! {
        impl #ident {
            /// Every code with its name, for the contract's schema.
            #[allow(dead_code, reason = "only a contract that names the table uses it")]
            #visibility const TABLE: &'static [::salus_sdk::abi::schema::Code] = &[#(#rows),*];
        }

        impl ::salus_sdk::Codes for #ident {
            fn code(self) -> u16 {
                match self { #(#arms),* }
            }
        }

        impl ::core::convert::From<#ident> for ::salus_sdk::Abort {
            fn from(code: #ident) -> Self {
                Self(::salus_sdk::Codes::code(code))
            }
        }
    })
}

pub(crate) fn expand_module(schema: &TokenStream, item: TokenStream) -> Result<TokenStream> {
    let mut item: ItemMod = syn::parse2(item)?;
    let mut table = Table::default();
    for item in item.content.iter().flat_map(|(_, items)| items) {
        if let Item::Const(constant) = item {
            table.add(
                &constant.ident,
                &constant.expr,
                documentation::line(&constant.attrs),
            )?;
        }
    }
    let rows = table.rows(schema);
    if let Some((_, items)) = &mut item.content {
        items.push(syn::parse_quote! {
            /// Every code with its name, for the contract's schema.
            pub const TABLE: &[#schema::Code] = &[#(#rows),*];
        });
    }
    Ok(quote!(#item))
}

/// Codes by number, so that the schema does not depend on the order in which they stand.
#[derive(Default)]
struct Table(BTreeMap<u16, (Ident, String)>);

impl Table {
    fn add(&mut self, name: &Ident, code: &Expr, doc: String) -> Result<()> {
        let Expr::Lit(ExprLit {
            lit: Lit::Int(number),
            ..
        }) = code
        else {
            return Err(Error::new_spanned(code, "a code is a plain number"));
        };
        let number: u16 = number.base10_parse()?;
        match self.0.insert(number, (name.clone(), doc)) {
            None => Ok(()),
            Some((other, _)) => Err(Error::new_spanned(
                name,
                format!("code {number} is `{other}` already"),
            )),
        }
    }

    fn rows(&self, schema: &TokenStream) -> Vec<TokenStream> {
        let rows = self.0.iter().map(|(code, (name, doc))| {
            let name = documentation::kebab(&name.to_string());
            quote!(#schema::Code { code: #code, name: #name, doc: #doc })
        });
        rows.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_a_number_of_its_own_and_nothing_else() {
        let refusal = |item| expand_enum(item).unwrap_err().to_string();
        assert!(
            refusal(quote!(
                enum Reason {
                    Late,
                }
            ))
            .contains("give it a number")
        );
        assert!(
            refusal(quote!(
                enum Reason {
                    Late(u8) = 256,
                }
            ))
            .contains("no fields")
        );
        assert_eq!(
            refusal(quote!(
                enum Reason {
                    Late = 256,
                    Early = 256,
                }
            )),
            "code 256 is `Late` already"
        );
        assert!(
            expand_enum(quote!(
                enum Reason {
                    Late = 70_000,
                }
            ))
            .is_err(),
            "beyond 16 bits"
        );
        assert!(
            refusal(quote!(
                struct Reason;
            ))
            .contains("variants of an enum")
        );
    }

    #[test]
    fn a_modules_constants_are_listed_by_number() {
        let module = quote! {
            pub mod error {
                /// No such grant.
                pub const UNKNOWN_GRANT: u16 = 3;
                /// Not allowed.
                pub const NOT_ALLOWED: u16 = 1;
                /// The name of a code.
                pub fn name(code: u16) -> &'static str { "" }
            }
        };
        let code = expand_module(&quote!(schema), module).unwrap().to_string();
        let rows = "Code { code : 1u16 , name : \"not-allowed\" , doc : \"Not allowed\" } , \
                    schema :: Code { code : 3u16 , name : \"unknown-grant\"";
        assert!(code.contains(rows), "{code}");
    }
}
