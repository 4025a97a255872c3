//! `#[contract_impl]`: which function answers which entry, and the exports through which the host calls them.

use crate::documentation;
use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use std::collections::BTreeMap;
use syn::spanned::Spanned;
use syn::{
    Attribute, Error, Expr, ExprLit, FnArg, Ident, ImplItem, ImplItemFn, ItemImpl, Lit, Meta, Result,
    ReturnType, Type, TypeReference,
};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Instantiate,
    Execute,
    Query,
    Decide,
    Migrate,
}

impl Kind {
    const ALL: [Self; 5] = [
        Self::Instantiate,
        Self::Execute,
        Self::Query,
        Self::Decide,
        Self::Migrate,
    ];

    /// The attribute, and what follows `salus_` in the export's name.
    fn name(self) -> &'static str {
        match self {
            Self::Instantiate => "instantiate",
            Self::Execute => "execute",
            Self::Query => "query",
            Self::Decide => "decide",
            Self::Migrate => "migrate",
        }
    }

    fn of(attribute: &Attribute) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| attribute.path().is_ident(kind.name()))
    }

    /// Whether there may be several, told apart by the first byte of the input.
    fn numbered(self) -> bool {
        matches!(self, Self::Execute | Self::Query)
    }

    fn writes(self) -> bool {
        matches!(self, Self::Instantiate | Self::Execute | Self::Migrate)
    }

    /// The variant of the schema's `EntryKind`.
    fn variant(self) -> Ident {
        match self {
            Self::Instantiate => format_ident!("Instantiate"),
            Self::Execute => format_ident!("Execute"),
            Self::Query => format_ident!("Query"),
            Self::Decide => format_ident!("Decide"),
            Self::Migrate => format_ident!("Migrate"),
        }
    }
}

/// A function that answers an entry.
struct Entry {
    kind: Kind,
    number: Expr,
    function: Ident,
    doc: String,
    /// `None`: the entry takes no argument.
    argument: Option<Type>,
    answer: Type,
}

pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    if !arguments.is_empty() {
        return Err(Error::new_spanned(arguments, "takes no arguments"));
    }
    let mut item: ItemImpl = syn::parse2(item)?;
    if let Some((_, path, _)) = &item.trait_ {
        return Err(Error::new_spanned(path, "entries are the contract's own methods"));
    }
    let entries = entries(&mut item)?;
    if entries.is_empty() {
        let message =
            "no entry: mark methods with #[instantiate], #[execute], #[query], #[decide] or #[migrate]";
        return Err(Error::new_spanned(&item.self_ty, message));
    }
    let contract = &item.self_ty;
    let distinct = distinct(&entries)?;
    let exports = Kind::ALL
        .iter()
        .filter_map(|kind| export(contract, &entries, *kind));
    let described = entries.iter().map(describe);
    let own_reasons = entries.iter().any(|entry| entry.kind == Kind::Decide).then(|| {
        quote!(const _: () = ::salus_sdk::exports::own_reasons(<#contract as ::salus_sdk::Contract>::DESCRIPTION.reasons);)
    });
    Ok(quote! {
        #item

        impl ::salus_sdk::Entries for #contract {
            const ENTRIES: &'static [::salus_sdk::abi::schema::Entry] = &[#(#described),*];
        }

        #distinct
        #own_reasons

        #[allow(dead_code, reason = "natively nobody calls the exports; they are there to be checked")]
        #[allow(unsafe_code, reason = "names of exports and sections are unsafe attributes; they are those of salus0")]
        const _: () = {
            #[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
            extern "C" fn salus_abi_1() {}

            #[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
            extern "C" fn salus_alloc(len: i32) -> i32 {
                ::salus_sdk::exports::room(len)
            }

            #(#exports)*

            const SCHEMA_LENGTH: usize = ::salus_sdk::abi::schema::length(
                &<#contract as ::salus_sdk::Contract>::DESCRIPTION,
                <#contract as ::salus_sdk::Entries>::ENTRIES,
            );
            #[cfg_attr(target_arch = "wasm32", used, unsafe(link_section = "salus_schema"))]
            static SCHEMA: [u8; SCHEMA_LENGTH] = ::salus_sdk::abi::schema::bytes(
                &<#contract as ::salus_sdk::Contract>::DESCRIPTION,
                <#contract as ::salus_sdk::Entries>::ENTRIES,
            );
        };
    })
}

/// Takes the marks off the methods. The order is that of the source.
fn entries(item: &mut ItemImpl) -> Result<Vec<Entry>> {
    let mut entries: Vec<Entry> = Vec::new();
    for item in &mut item.items {
        let ImplItem::Fn(function) = item else { continue };
        let Some((kind, attribute)) = mark(function)? else {
            continue;
        };
        let before = entries.iter().rfind(|entry| entry.kind == kind);
        if before.is_some() && !kind.numbered() {
            let message = format!("a contract has one #[{}]", kind.name());
            return Err(Error::new_spanned(attribute, message));
        }
        let number = number(kind, &attribute, before)?;
        entries.push(entry(kind, number, function)?);
    }
    Ok(entries)
}

/// The mark of a method, taken off it.
fn mark(function: &mut ImplItemFn) -> Result<Option<(Kind, Attribute)>> {
    let mut marks = Vec::new();
    function.attrs.retain(|attribute| {
        let kind = Kind::of(attribute);
        marks.extend(kind.map(|kind| (kind, attribute.clone())));
        kind.is_none()
    });
    if let [_, (_, second), ..] = marks.as_slice() {
        return Err(Error::new_spanned(second, "a method answers one entry"));
    }
    Ok(marks.pop())
}

/// The number that the mark gives, or else the next one after the entry before.
fn number(kind: Kind, attribute: &Attribute, before: Option<&Entry>) -> Result<Expr> {
    if let Meta::List(_) = attribute.meta {
        if kind.numbered() {
            return attribute.parse_args();
        }
        let message = format!("#[{}] has no number", kind.name());
        return Err(Error::new_spanned(attribute, message));
    }
    let Some(before) = before else {
        return Ok(syn::parse_quote!(0u8));
    };
    let Some(number) = literal(&before.number) else {
        let message = "give this entry's number too: the one before it is a constant";
        return Err(Error::new_spanned(attribute, message));
    };
    let next = number
        .checked_add(1)
        .ok_or_else(|| Error::new_spanned(attribute, "entries have numbers up to 255"))?;
    Ok(syn::parse_quote!(#next))
}

fn literal(number: &Expr) -> Option<u8> {
    match number {
        Expr::Lit(ExprLit {
            lit: Lit::Int(number),
            ..
        }) => number.base10_parse().ok(),
        _ => None,
    }
}

fn entry(kind: Kind, number: Expr, function: &ImplItemFn) -> Result<Entry> {
    let signature = &function.sig;
    let shape = format!(
        "an entry is `fn(&self, cx: &{}Ctx, argument: A)`, or without an argument",
        if kind.writes() { "mut " } else { "" }
    );
    let refuse = |spanned: &dyn quote::ToTokens| Error::new_spanned(spanned, &shape);
    let mut inputs = signature.inputs.iter();
    match inputs.next() {
        Some(FnArg::Receiver(receiver)) if receiver.mutability.is_none() => {}
        _ => return Err(refuse(signature)),
    }
    match inputs.next() {
        Some(FnArg::Typed(context)) => check_context(kind, &context.ty)?,
        _ => return Err(refuse(signature)),
    }
    let argument = match (inputs.next(), inputs.next()) {
        (None, _) => None,
        (Some(FnArg::Typed(argument)), None) => Some((*argument.ty).clone()),
        _ => return Err(refuse(signature)),
    };
    let ReturnType::Type(_, answer) = &signature.output else {
        let message = "an entry returns a `Result`, and `#[decide]` a `RuleDecision`";
        return Err(Error::new_spanned(signature, message));
    };
    Ok(Entry {
        kind,
        number,
        function: signature.ident.clone(),
        doc: documentation::line(&function.attrs),
        argument,
        answer: (**answer).clone(),
    })
}

/// Only what may write is handed a context that writes.
fn check_context(kind: Kind, ty: &Type) -> Result<()> {
    let Type::Reference(TypeReference { mutability, .. }) = ty else {
        return Err(Error::new_spanned(
            ty,
            "the context is lent: `&Ctx` or `&mut Ctx`",
        ));
    };
    if mutability.is_some() && !kind.writes() {
        let message = format!("#[{}] only reads: take `&Ctx`", kind.name());
        return Err(Error::new_spanned(ty, message));
    }
    Ok(())
}

/// Refuses two entries of a kind with one number: here if both are plain numbers, else when the contract is compiled.
fn distinct(entries: &[Entry]) -> Result<TokenStream> {
    let mut taken: BTreeMap<(Kind, u8), &Ident> = BTreeMap::new();
    let mut checks = TokenStream::new();
    for (index, entry) in entries.iter().enumerate() {
        let named: Vec<&Entry> = match literal(&entry.number) {
            Some(number) => {
                if let Some(other) = taken.insert((entry.kind, number), &entry.function) {
                    let message = format!("entry {number} is `{other}` already");
                    return Err(Error::new_spanned(&entry.function, message));
                }
                let others = entries.iter().take(index);
                others.filter(|other| literal(&other.number).is_none()).collect()
            }
            None => entries.iter().take(index).collect(),
        };
        for other in named.into_iter().filter(|other| other.kind == entry.kind) {
            let (a, b) = (&other.number, &entry.number);
            let message = format!(
                "`{}` and `{}` have the same number",
                other.function, entry.function
            );
            checks.extend(
                quote_spanned!(entry.function.span()=> const _: () = ::core::assert!(#a != #b, #message);),
            );
        }
    }
    Ok(checks)
}

/// The exported function of a kind, if the contract has such entries.
fn export(contract: &Type, entries: &[Entry], kind: Kind) -> Option<TokenStream> {
    let entries: Vec<&Entry> = entries.iter().filter(|entry| entry.kind == kind).collect();
    let first = entries.first()?;
    let export = format_ident!("salus_{}", kind.name());
    let run = if kind.numbered() {
        let arms = entries.iter().map(|entry| {
            let (constant, number) = (constant(entry), &entry.number);
            let call = call(contract, entry);
            (
                quote!(const #constant: u8 = #number;),
                quote!(#constant => #call,),
            )
        });
        let (constants, arms): (Vec<_>, Vec<_>) = arms.unzip();
        quote! {
            #(#constants)*
            let (number, argument) = ::salus_sdk::exports::numbered(input)?;
            match number {
                #(#arms)*
                _ => ::core::result::Result::Err(::salus_sdk::Abort::UNKNOWN_ENTRY),
            }
        }
    } else {
        let call = call(contract, first);
        quote!(let argument = input; #call)
    };
    Some(quote! {
        #[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
        extern "C" fn #export(ptr: i32, len: i32) -> i64 {
            ::salus_sdk::exports::call(ptr, len, |cx, input| { #run })
        }
    })
}

/// The pattern of an entry's number: a constant, since a number may be an expression.
fn constant(entry: &Entry) -> Ident {
    format_ident!("{}", entry.function.to_string().to_uppercase())
}

fn call(contract: &Type, entry: &Entry) -> TokenStream {
    let function = &entry.function;
    let run = if entry.kind.writes() {
        quote!(write)
    } else {
        quote!(read)
    };
    let span = entry.answer.span();
    let handler = match &entry.argument {
        Some(argument) => {
            quote_spanned!(span=> |cx, argument: #argument| <#contract as ::salus_sdk::Contract>::STATE.#function(cx, argument))
        }
        None => quote_spanned!(span=> |cx, (): ()| <#contract as ::salus_sdk::Contract>::STATE.#function(cx)),
    };
    quote!(::salus_sdk::exports::#run(cx, argument, #handler))
}

fn describe(entry: &Entry) -> TokenStream {
    let Entry {
        number, doc, answer, ..
    } = entry;
    let kind = entry.kind.variant();
    let number = if entry.kind.numbered() {
        quote!(#number)
    } else {
        quote!(0)
    };
    let name = entry.function.to_string();
    let argument = entry
        .argument
        .as_ref()
        .map_or_else(|| quote!(()), |ty| quote!(#ty));
    quote! {
        ::salus_sdk::abi::schema::Entry {
            kind: ::salus_sdk::abi::schema::EntryKind::#kind,
            number: #number,
            name: #name,
            doc: #doc,
            argument: <#argument as ::salus_sdk::abi::schema::Schema>::TYPE,
            output: <<#answer as ::salus_sdk::Answer>::Value as ::salus_sdk::abi::schema::Schema>::TYPE,
        }
    }
}

#[cfg(test)]
mod tests;
