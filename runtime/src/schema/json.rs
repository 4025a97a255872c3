//! JSON Schema, written by hand: this is the only JSON of the crate.

use super::document::{Code, Document, Entry, Field, Shape, Slot, Type, Variant};
use super::{Parts, name_of};
use std::fmt::Write;

/// A JSON value; objects keep the order in which they are built.
enum Json {
    Text(String),
    Number(u64),
    Signed(i64),
    False,
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

fn text(text: &str) -> Json {
    Json::Text(text.to_owned())
}

fn object<const N: usize>(fields: [(&str, Json); N]) -> Json {
    Json::Object(fields.map(|(name, value)| (name.to_owned(), value)).into())
}

fn list<T>(items: &[T], of: impl Fn(&T) -> Json) -> Json {
    Json::List(items.iter().map(of).collect())
}

pub(super) fn write(document: &Document) -> String {
    let definitions = document.types.iter().map(|named| {
        let mut definition = shape(document, &named.shape);
        if let (Json::Object(fields), false) = (&mut definition, named.doc.is_empty()) {
            fields.insert(0, ("description".to_owned(), text(&named.doc)));
        }
        (named.name.clone(), definition)
    });
    let mut contract = vec![
        ("version".to_owned(), text(&document.version)),
        (
            "stateVersion".to_owned(),
            Json::Number(document.state_version.into()),
        ),
        (
            "entries".to_owned(),
            list(&document.entries, |item| entry(document, item)),
        ),
        (
            "state".to_owned(),
            list(&document.state, |item| slot(document, item)),
        ),
        ("errors".to_owned(), list(&document.errors, code)),
        ("reasons".to_owned(), list(&document.reasons, code)),
    ];
    if let Some(event) = &document.event {
        contract.push(("event".to_owned(), of(document, event)));
    }
    let root = object([
        ("$schema", text("https://json-schema.org/draft/2020-12/schema")),
        ("title", text(&document.name)),
        ("description", text(&document.doc)),
        ("$defs", Json::Object(definitions.collect())),
        ("x-salus", Json::Object(contract)),
    ]);
    let mut out = String::new();
    root.write(&mut out, 0);
    out.push('\n');
    out
}

fn entry(document: &Document, entry: &Entry) -> Json {
    object([
        ("kind", text(&format!("{:?}", entry.kind).to_lowercase())),
        ("number", Json::Number(entry.number.into())),
        ("name", text(&entry.name)),
        ("description", text(&entry.doc)),
        ("argument", of(document, &entry.argument)),
        ("output", of(document, &entry.output)),
    ])
}

fn slot(document: &Document, slot: &Slot) -> Json {
    object([
        ("place", Json::Number(slot.place.into())),
        ("name", text(&slot.name)),
        ("description", text(&slot.doc)),
        ("kind", text(&format!("{:?}", slot.kind).to_lowercase())),
        ("key", of(document, &slot.key)),
        ("value", of(document, &slot.value)),
    ])
}

fn code(code: &Code) -> Json {
    object([
        ("code", Json::Number(code.code.into())),
        ("name", text(&code.name)),
        ("description", text(&code.doc)),
    ])
}

fn shape(document: &Document, shape: &Shape) -> Json {
    match shape {
        Shape::Alias(alias) => of(document, alias),
        Shape::Struct(fields) => parts(document, fields),
        Shape::Enum(variants) if variants.iter().all(|variant| variant.fields.is_empty()) => {
            object([("enum", list(variants, |variant| text(&variant.name)))])
        }
        Shape::Enum(variants) => object([("oneOf", list(variants, |item| variant(document, item)))]),
    }
}

fn variant(document: &Document, variant: &Variant) -> Json {
    if variant.fields.is_empty() {
        return object([("const", text(&variant.name))]);
    }
    closed(vec![(variant.name.clone(), parts(document, &variant.fields))])
}

fn parts(document: &Document, fields: &[Field]) -> Json {
    match Parts::of(fields) {
        Parts::None => object([("type", text("null"))]),
        Parts::One(one) => of(document, one),
        Parts::Tuple(parts) => tuple(document, parts.into_iter()),
        Parts::Named(fields) => {
            let fields = fields
                .iter()
                .map(|field| (field.name.clone(), of(document, &field.of)));
            closed(fields.collect())
        }
    }
}

/// An object with exactly these fields.
fn closed(fields: Vec<(String, Json)>) -> Json {
    let required = fields.iter().map(|(name, _)| text(name)).collect();
    object([
        ("type", text("object")),
        ("properties", Json::Object(fields)),
        ("required", Json::List(required)),
        ("additionalProperties", Json::False),
    ])
}

fn tuple<'a>(document: &Document, parts: impl ExactSizeIterator<Item = &'a Type>) -> Json {
    let length = parts.len() as u64;
    object([
        ("type", text("array")),
        (
            "prefixItems",
            Json::List(parts.map(|part| of(document, part)).collect()),
        ),
        ("items", Json::False),
        ("minItems", Json::Number(length)),
    ])
}

fn of(document: &Document, ty: &Type) -> Json {
    match ty {
        Type::Unit => object([("type", text("null"))]),
        Type::Bool => object([("type", text("boolean"))]),
        Type::U8 => integer(0, u8::MAX.into()),
        Type::U16 => integer(0, u16::MAX.into()),
        Type::U32 => integer(0, u32::MAX.into()),
        Type::I8 => integer(i8::MIN.into(), i8::MAX.cast_unsigned().into()),
        Type::I16 => integer(i16::MIN.into(), i16::MAX.cast_unsigned().into()),
        Type::I32 => integer(i32::MIN.into(), i32::MAX.cast_unsigned().into()),
        Type::U64 => pattern("^[0-9]{1,20}$"),
        Type::I64 => pattern("^-?[0-9]{1,19}$"),
        Type::Bytes(length) => pattern(&format!("^([0-9a-f]{{2}}){{{length}}}$")),
        Type::Text(length) => object([
            ("type", text("string")),
            ("maxLength", Json::Number((*length).into())),
        ]),
        Type::List(byte) if **byte == Type::U8 => pattern("^([0-9a-f]{2})*$"),
        Type::List(item) => object([("type", text("array")), ("items", of(document, item))]),
        Type::Option(some) => object([(
            "anyOf",
            Json::List(vec![of(document, some), of(document, &Type::Unit)]),
        )]),
        Type::Tuple(parts) => tuple(document, parts.iter()),
        Type::Descending(key) => of(document, key),
        Type::Named(position) => {
            object([("$ref", text(&format!("#/$defs/{}", name_of(document, *position))))])
        }
    }
}

fn integer(minimum: i64, maximum: u64) -> Json {
    object([
        ("type", text("integer")),
        ("minimum", Json::Signed(minimum)),
        ("maximum", Json::Number(maximum)),
    ])
}

fn pattern(pattern: &str) -> Json {
    object([("type", text("string")), ("pattern", text(pattern))])
}

impl Json {
    fn write(&self, out: &mut String, depth: usize) {
        match self {
            Self::Text(text) => quote(out, text),
            Self::Number(number) => out.push_str(&number.to_string()),
            Self::Signed(number) => out.push_str(&number.to_string()),
            Self::False => out.push_str("false"),
            Self::List(items) => lines(out, depth, ['[', ']'], items, |out, item, depth| {
                item.write(out, depth);
            }),
            Self::Object(fields) => lines(out, depth, ['{', '}'], fields, |out, (name, value), depth| {
                quote(out, name);
                out.push_str(": ");
                value.write(out, depth);
            }),
        }
    }
}

/// Items between brackets, each on a line of its own.
fn lines<T>(
    out: &mut String,
    depth: usize,
    [open, close]: [char; 2],
    items: &[T],
    write: impl Fn(&mut String, &T, usize),
) {
    let inner = depth.saturating_add(1);
    out.push(open);
    for (index, item) in items.iter().enumerate() {
        out.push_str(if index == 0 { "\n" } else { ",\n" });
        out.push_str(&"  ".repeat(inner));
        write(out, item, inner);
    }
    if !items.is_empty() {
        out.push('\n');
        out.push_str(&"  ".repeat(depth));
    }
    out.push(close);
}

fn quote(out: &mut String, text: &str) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            control if control.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            plain => out.push(plain),
        }
    }
    out.push('"');
}
