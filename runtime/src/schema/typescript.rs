//! TypeScript: types of the messages, and the numbers of entries and codes as constants.

use super::document::{Code, Document, Entry, EntryKind, Field, Shape, Type, Variant};
use super::{Parts, name_of};

const HEAD: &str = "\
/** Bytes, as lower-case hexadecimal digits. */
export type Hex = string;
/** A number of 64 bits, as decimal digits: `number` would round it. */
export type Decimal = string;
";

/// Names that what is generated uses itself; a type of such a name is written with a `_` behind it.
const RESERVED: [&str; 3] = ["Hex", "Decimal", "Contract"];

pub(super) fn write(document: &Document) -> String {
    let mut out = format!(
        "// {} {}, state version {}. Generated from the contract's schema.\n\n{HEAD}",
        document.name, document.version, document.state_version
    );
    for named in &document.types {
        out.push('\n');
        comment(&mut out, "", &named.doc);
        out.push_str(&definition(document, &type_name(&named.name), &named.shape));
    }
    contract(&mut out, document);
    numbers(&mut out, document, EntryKind::Execute);
    numbers(&mut out, document, EntryKind::Query);
    codes(&mut out, "errors", &document.errors);
    codes(&mut out, "reasons", &document.reasons);
    out
}

/// A line of documentation, which may not end its comment early.
fn comment(out: &mut String, indent: &str, line: &str) {
    if !line.is_empty() {
        out.push_str(&format!("{indent}/** {}. */\n", line.replace("*/", "* /")));
    }
}

fn definition(document: &Document, name: &str, shape: &Shape) -> String {
    match shape {
        Shape::Alias(alias) => format!("export type {name} = {};\n", of(document, alias)),
        Shape::Struct(fields) => match Parts::of(fields) {
            Parts::Named(fields) => {
                let fields = fields
                    .iter()
                    .map(|field| format!("  {}: {};\n", field.name, of(document, &field.of)));
                format!("export interface {name} {{\n{}}}\n", fields.collect::<String>())
            }
            _ => format!("export type {name} = {};\n", parts(document, fields)),
        },
        Shape::Enum(variants) => {
            let variants = variants
                .iter()
                .map(|item| format!("\n  | {}", variant(document, item)));
            format!("export type {name} ={};\n", variants.collect::<String>())
        }
    }
}

fn variant(document: &Document, variant: &Variant) -> String {
    if variant.fields.is_empty() {
        return format!("\"{}\"", variant.name);
    }
    format!("{{ {}: {} }}", variant.name, parts(document, &variant.fields))
}

fn parts(document: &Document, fields: &[Field]) -> String {
    match Parts::of(fields) {
        Parts::None => "null".to_owned(),
        Parts::One(one) => of(document, one),
        Parts::Tuple(parts) => tuple(document, parts.into_iter()),
        Parts::Named(fields) => {
            let fields = fields
                .iter()
                .map(|field| format!("{}: {}", field.name, of(document, &field.of)));
            format!("{{ {} }}", fields.collect::<Vec<_>>().join("; "))
        }
    }
}

fn tuple<'a>(document: &Document, parts: impl Iterator<Item = &'a Type>) -> String {
    let parts: Vec<String> = parts.map(|part| of(document, part)).collect();
    format!("[{}]", parts.join(", "))
}

fn of(document: &Document, ty: &Type) -> String {
    match ty {
        Type::Unit => "null".to_owned(),
        Type::Bool => "boolean".to_owned(),
        Type::U8 | Type::U16 | Type::U32 | Type::I8 | Type::I16 | Type::I32 => "number".to_owned(),
        Type::U64 | Type::I64 => "Decimal".to_owned(),
        Type::Bytes(_) => "Hex".to_owned(),
        Type::Text(_) => "string".to_owned(),
        Type::List(byte) if **byte == Type::U8 => "Hex".to_owned(),
        Type::List(item) => format!("Array<{}>", of(document, item)),
        Type::Option(some) => format!("{} | null", of(document, some)),
        Type::Tuple(parts) => tuple(document, parts.iter()),
        Type::Descending(key) => of(document, key),
        Type::Named(position) => type_name(name_of(document, *position)),
    }
}

fn type_name(name: &str) -> String {
    let underscore = if RESERVED.contains(&name) { "_" } else { "" };
    format!("{name}{underscore}")
}

/// What each entry takes and answers, and what is emitted.
fn contract(out: &mut String, document: &Document) {
    out.push('\n');
    comment(out, "", &document.doc);
    out.push_str("export interface Contract {\n");
    for kind in [EntryKind::Instantiate, EntryKind::Decide, EntryKind::Migrate] {
        if let Some(entry) = document.entry(kind, 0) {
            comment(out, "  ", &entry.doc);
            out.push_str(&format!("  {}: {};\n", lower(kind), signature(document, entry)));
        }
    }
    for kind in [EntryKind::Execute, EntryKind::Query] {
        let entries = numbered(document, kind);
        if entries.is_empty() {
            continue;
        }
        out.push_str(&format!("  {}: {{\n", lower(kind)));
        for entry in entries {
            comment(out, "    ", &entry.doc);
            out.push_str(&format!("    {}: {};\n", entry.name, signature(document, entry)));
        }
        out.push_str("  };\n");
    }
    if let Some(event) = &document.event {
        out.push_str(&format!("  event: {};\n", of(document, event)));
    }
    out.push_str("}\n");
}

/// The numbers of a kind's entries.
fn numbers(out: &mut String, document: &Document, kind: EntryKind) {
    let (kind_name, entries) = (lower(kind), numbered(document, kind));
    if entries.is_empty() {
        return;
    }
    out.push_str(&format!("\nexport const {kind_name} = {{\n"));
    for entry in entries {
        out.push_str(&format!("  {}: {},\n", entry.name, entry.number));
    }
    out.push_str(&format!(
        "}} as const satisfies Record<keyof Contract[\"{kind_name}\"], number>;\n"
    ));
}

fn numbered(document: &Document, kind: EntryKind) -> Vec<&Entry> {
    let entries = document.entries.iter();
    entries.filter(|entry| entry.kind == kind).collect()
}

fn lower(kind: EntryKind) -> String {
    format!("{kind:?}").to_lowercase()
}

fn signature(document: &Document, entry: &Entry) -> String {
    let (argument, output) = (of(document, &entry.argument), of(document, &entry.output));
    format!("{{ argument: {argument}; output: {output} }}")
}

fn codes(out: &mut String, name: &str, codes: &[Code]) {
    if codes.is_empty() {
        return;
    }
    out.push_str(&format!("\nexport const {name} = {{\n"));
    for code in codes {
        comment(out, "  ", &code.doc);
        out.push_str(&format!("  \"{}\": {},\n", code.name, code.code));
    }
    out.push_str("} as const;\n");
}
