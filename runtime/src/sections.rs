use wasmparser::{Parser, Payload};

/// The content of a module's first custom section of a name; `None` if it has none, or is no module.
pub fn custom_section<'a>(wasm: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let payloads = Parser::new(0).parse_all(wasm);
    payloads.map_while(Result::ok).find_map(|payload| match payload {
        Payload::CustomSection(section) if section.name() == name => Some(section.data()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_section_of_a_name_is_found() {
        let wasm =
            wat::parse_str(r#"(module (@custom "a" "1") (memory 1) (@custom "b" "2") (@custom "b" "3"))"#);
        let wasm = wasm.expect("a module");
        assert_eq!(custom_section(&wasm, "a"), Some(&b"1"[..]));
        assert_eq!(custom_section(&wasm, "b"), Some(&b"2"[..]));
        assert_eq!(custom_section(&wasm, "c"), None);
        assert_eq!(custom_section(b"no module", "a"), None);
    }
}
