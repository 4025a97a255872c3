//! WIT: the interface that generators of bindings know. The chain runs core modules all the same: what is described here are messages, not
//! a component's exports.

use super::document::{Document, Entry, EntryKind, Field, Named, Shape, Type, Variant};
use super::{Parts, name_of};

/// Words that WIT keeps for itself; as names they are written with a `%`.
const KEYWORDS: [&str; 40] = [
    "as",
    "async",
    "bool",
    "borrow",
    "char",
    "constructor",
    "enum",
    "export",
    "f32",
    "f64",
    "flags",
    "from",
    "func",
    "future",
    "import",
    "include",
    "interface",
    "list",
    "map",
    "option",
    "own",
    "package",
    "record",
    "resource",
    "result",
    "s16",
    "s32",
    "s64",
    "s8",
    "static",
    "stream",
    "string",
    "tuple",
    "type",
    "u16",
    "u32",
    "u64",
    "u8",
    "use",
    "variant",
];

pub(super) fn write(document: &Document) -> String {
    let contract = words(&document.name);
    let mut out = format!("package salus:{contract}{};\n\n", version(&document.version));
    comment(&mut out, "", &document.doc);
    out.push_str("interface contract {\n");
    for named in &document.types {
        definition(&mut out, document, named);
    }
    if let Some(event) = document.event.as_ref().map(|event| of(document, event))
        && event != "event"
    {
        comment(&mut out, "  ", "What the contract emits");
        out.push_str(&format!("  type event = {event};\n\n"));
    }
    for entry in &document.entries {
        function(&mut out, document, entry);
    }
    out.push_str(&format!(
        "}}\n\nworld {contract}-contract {{\n  export contract;\n}}\n"
    ));
    out
}

/// WIT takes plain versions of three numbers.
fn version(version: &str) -> String {
    let numbers: Vec<&str> = version.split('.').collect();
    let plain = |number: &&str| !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit());
    if numbers.len() == 3 && numbers.iter().all(plain) {
        format!("@{version}")
    } else {
        String::new()
    }
}

fn comment(out: &mut String, indent: &str, line: &str) {
    if !line.is_empty() {
        out.push_str(&format!("{indent}/// {line}.\n"));
    }
}

fn definition(out: &mut String, document: &Document, named: &Named) {
    let name = name(&named.name);
    if let Shape::Enum(variants) = &named.shape {
        for variant in variants {
            payload(out, document, &named.name, variant);
        }
    }
    comment(out, "  ", &named.doc);
    match &named.shape {
        Shape::Alias(alias) => out.push_str(&format!("  type {name} = {};\n\n", of(document, alias))),
        Shape::Struct(fields) => match Parts::of(fields) {
            Parts::Named(fields) => record(out, document, &name, fields),
            _ => out.push_str(&format!("  type {name} = {};\n\n", parts(document, fields))),
        },
        Shape::Enum(variants) => enumeration(out, document, named, variants),
    }
}

fn record(out: &mut String, document: &Document, name: &str, fields: &[Field]) {
    out.push_str(&format!("  record {name} {{\n"));
    for field in fields {
        out.push_str(&format!(
            "    {}: {},\n",
            self::name(&field.name),
            of(document, &field.of)
        ));
    }
    out.push_str("  }\n\n");
}

/// A variant carries one type: several fields with names become a record of their own.
fn payload(out: &mut String, document: &Document, of: &str, variant: &Variant) {
    if let Parts::Named(fields) = Parts::of(&variant.fields) {
        record(out, document, &payload_name(of, variant), fields);
    }
}

fn payload_name(of: &str, variant: &Variant) -> String {
    format!("{}-{}", words(of), words(&variant.name))
}

fn enumeration(out: &mut String, document: &Document, named: &Named, variants: &[Variant]) {
    let plain = variants.iter().all(|variant| variant.fields.is_empty());
    let keyword = if plain { "enum" } else { "variant" };
    out.push_str(&format!("  {keyword} {} {{\n", name(&named.name)));
    for variant in variants {
        let carried = match Parts::of(&variant.fields) {
            Parts::None => String::new(),
            Parts::Named(_) => format!("({})", payload_name(&named.name, variant)),
            _ => format!("({})", parts(document, &variant.fields)),
        };
        out.push_str(&format!("    {}{carried},\n", name(&variant.name)));
    }
    out.push_str("  }\n\n");
}

/// What stands without names.
fn parts(document: &Document, fields: &[Field]) -> String {
    match fields {
        [field] => of(document, &field.of),
        fields => tuple(document, fields.iter().map(|field| &field.of)),
    }
}

fn tuple<'a>(document: &Document, parts: impl Iterator<Item = &'a Type>) -> String {
    let parts: Vec<String> = parts.map(|part| of(document, part)).collect();
    format!("tuple<{}>", parts.join(", "))
}

fn of(document: &Document, ty: &Type) -> String {
    match ty {
        Type::Unit => "_".to_owned(),
        Type::Bool => "bool".to_owned(),
        Type::U8 => "u8".to_owned(),
        Type::U16 => "u16".to_owned(),
        Type::U32 => "u32".to_owned(),
        Type::U64 => "u64".to_owned(),
        Type::I8 => "s8".to_owned(),
        Type::I16 => "s16".to_owned(),
        Type::I32 => "s32".to_owned(),
        Type::I64 => "s64".to_owned(),
        Type::Bytes(_) => "list<u8>".to_owned(),
        Type::Text(_) => "string".to_owned(),
        Type::List(item) => format!("list<{}>", of(document, item)),
        Type::Option(some) => format!("option<{}>", of(document, some)),
        Type::Tuple(parts) => tuple(document, parts.iter()),
        Type::Descending(key) => of(document, key),
        Type::Named(position) => name(name_of(document, *position)),
    }
}

fn function(out: &mut String, document: &Document, entry: &Entry) {
    let kind = format!("{:?}", entry.kind).to_lowercase();
    let numbered = matches!(entry.kind, EntryKind::Execute | EntryKind::Query);
    let (function, label) = if numbered {
        let label = format!("{kind} {}", entry.number);
        (format!("{kind}-{}", words(&entry.name)), label)
    } else {
        // A type may have the kind's name, and both live in one interface.
        (format!("entry-{kind}"), kind)
    };
    let doc = if entry.doc.is_empty() {
        label
    } else {
        format!("{label}: {}", entry.doc)
    };
    comment(out, "  ", &doc);
    let argument = match &entry.argument {
        Type::Unit => String::new(),
        argument => format!("argument: {}", of(document, argument)),
    };
    let output = of(document, &entry.output);
    let output = if entry.kind == EntryKind::Decide {
        output
    } else {
        format!("result<{output}, u16>")
    };
    out.push_str(&format!("  {function}: func({argument}) -> {output};\n"));
}

/// A name in WIT's kebab case, told from a keyword.
fn name(name: &str) -> String {
    let words = words(name);
    if KEYWORDS.contains(&words.as_str()) {
        format!("%{words}")
    } else {
        words
    }
}

/// `OfficeHours`, `office_hours` as `office-hours`.
fn words(name: &str) -> String {
    let mut words = String::new();
    let mut lower = false;
    for letter in name.chars() {
        let separator = letter == '_' || letter == '-';
        if separator || (letter.is_ascii_uppercase() && lower) {
            words.push('-');
        }
        if !separator {
            words.push(letter.to_ascii_lowercase());
        }
        lower = letter.is_ascii_lowercase() || letter.is_ascii_digit();
    }
    words
}
