//! What a schema says about an item: one line, and a name.

use syn::{Attribute, Expr, ExprLit, Lit, Meta};

/// The first sentence of an item's documentation, without the marks of links and code; empty if there is none.
pub(crate) fn line(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(text);
    let paragraph: Vec<String> = lines
        .skip_while(String::is_empty)
        .take_while(|line| !line.is_empty())
        .collect();
    let paragraph = paragraph
        .join(" ")
        .replace("[`", "")
        .replace("`]", "")
        .replace('`', "");
    let end = paragraph.find(". ").unwrap_or(paragraph.len());
    paragraph
        .get(..end)
        .unwrap_or_default()
        .trim_end_matches('.')
        .to_owned()
}

fn text(attribute: &Attribute) -> Option<String> {
    let Meta::NameValue(pair) = &attribute.meta else {
        return None;
    };
    match &pair.value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text), ..
        }) if pair.path.is_ident("doc") => Some(text.value().trim().to_owned()),
        _ => None,
    }
}

/// `OutsideHours` and `OUTSIDE_HOURS` as `outside-hours`.
pub(crate) fn kebab(name: &str) -> String {
    let mut kebab = String::new();
    let mut lower = false;
    for letter in name.chars() {
        if letter == '_' {
            kebab.push('-');
            lower = false;
            continue;
        }
        if letter.is_uppercase() && lower {
            kebab.push('-');
        }
        lower = letter.is_lowercase() || letter.is_numeric();
        kebab.extend(letter.to_lowercase());
    }
    kebab
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    #[test]
    fn the_first_sentence_is_the_line() {
        let attributes: Vec<Attribute> = vec![
            parse_quote!(#[doc = " Ends a grant, see [`Grant`]. Caller:"]),
            parse_quote!(#[doc = " the patient."]),
            parse_quote!(#[derive(Clone)]),
            parse_quote!(#[doc = ""]),
            parse_quote!(#[doc = " More."]),
        ];
        assert_eq!(line(&attributes), "Ends a grant, see Grant");
        assert_eq!(line(&attributes[1..]), "the patient");
        assert_eq!(line(&[]), "");
    }

    #[test]
    fn names_become_kebab_case() {
        assert_eq!(kebab("OutsideHours"), "outside-hours");
        assert_eq!(kebab("NOT_ALLOWED"), "not-allowed");
        assert_eq!(kebab("K2Floor"), "k2-floor");
    }
}
