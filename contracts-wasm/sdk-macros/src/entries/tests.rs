use super::*;

fn refusal(methods: TokenStream) -> String {
    expand(quote!(), quote!(impl Rule { #methods }))
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default()
}

#[test]
fn mistakes_are_named_where_they_stand() {
    let cases = [
        (
            quote!(
                fn helper(&self) {}
            ),
            "no entry",
        ),
        (
            quote!(
                #[query]
                fn q(&self, cx: &mut Ctx) -> R {}
            ),
            "#[query] only reads: take `&Ctx`",
        ),
        (
            quote!(
                #[decide]
                fn d(&self, cx: &mut Ctx, a: A) -> R {}
            ),
            "#[decide] only reads",
        ),
        (
            quote!(
                #[query]
                fn q(cx: &Ctx) -> R {}
            ),
            "an entry is `fn(&self, cx: &Ctx, argument: A)`",
        ),
        (
            quote!(
                #[execute]
                fn e(&self) -> R {}
            ),
            "an entry is `fn(&self, cx: &mut Ctx, argument: A)`",
        ),
        (
            quote!(
                #[execute]
                fn e(&self, cx: &mut Ctx, a: A, b: B) -> R {}
            ),
            "an entry is",
        ),
        (
            quote!(
                #[execute]
                fn e(&self, cx: Ctx) -> R {}
            ),
            "the context is lent",
        ),
        (
            quote!(
                #[execute]
                fn e(&self, cx: &mut Ctx) {}
            ),
            "returns a `Result`",
        ),
        (
            quote!(
                #[execute]
                #[query]
                fn e(&self, cx: &Ctx) -> R {}
            ),
            "answers one entry",
        ),
        (
            quote!(
                #[decide(1)]
                fn d(&self, cx: &Ctx, a: A) -> R {}
            ),
            "#[decide] has no number",
        ),
        (
            quote!(
                #[decide]
                fn d(&self, cx: &Ctx, a: A) -> R {}
                #[decide]
                fn e(&self, cx: &Ctx, a: A) -> R {}
            ),
            "a contract has one #[decide]",
        ),
    ];
    for (methods, message) in cases {
        let text = methods.to_string();
        let refusal = refusal(methods);
        assert!(refusal.contains(message), "{text}: {refusal}");
    }
}

#[test]
fn two_entries_of_one_number_are_refused() {
    let one = quote!(
        #[execute(1)]
        fn one(&self, cx: &mut Ctx) -> R {}
    );
    let other = quote!(
        #[execute(1)]
        fn other(&self, cx: &mut Ctx) -> R {}
    );
    let query = quote!(
        #[query(1)]
        fn query(&self, cx: &Ctx) -> R {}
    );
    assert_eq!(refusal(quote!(#one #other)), "entry 1 is `one` already");
    assert_eq!(refusal(quote!(#one #query)), "", "kinds are numbered apart");
    let zero = quote!(
        #[execute(0)]
        fn zero(&self, cx: &mut Ctx) -> R {}
    );
    let next = quote!(
        #[execute]
        fn next(&self, cx: &mut Ctx) -> R {}
    );
    assert_eq!(
        refusal(quote!(#one #zero #next)),
        "entry 1 is `one` already",
        "counted on"
    );
}

#[test]
fn named_numbers_are_compared_when_the_contract_is_compiled() {
    let named = quote!(
        #[execute(entry::ADD)]
        fn add(&self, cx: &mut Ctx) -> R {}
    );
    let plain = quote!(
        #[execute(4)]
        fn plain(&self, cx: &mut Ctx) -> R {}
    );
    let code = expand(quote!(), quote!(impl Rule { #named #plain }))
        .unwrap()
        .to_string();
    assert!(code.contains("entry :: ADD != 4"), "{code}");
    let next = quote!(
        #[execute]
        fn next(&self, cx: &mut Ctx) -> R {}
    );
    assert!(refusal(quote!(#named #next)).contains("give this entry's number too"));
}

#[test]
fn numbers_count_on_in_the_order_of_the_source() {
    let methods = quote! {
        #[query] fn first(&self, cx: &Ctx) -> R {}
        #[query(7)] fn second(&self, cx: &Ctx, a: A) -> R {}
        #[query] fn third(&self, cx: &Ctx) -> R {}
    };
    let code = expand(quote!(), quote!(impl Rule { #methods }))
        .unwrap()
        .to_string();
    for constant in [
        "const FIRST : u8 = 0u8",
        "const SECOND : u8 = 7",
        "const THIRD : u8 = 8u8",
    ] {
        assert!(code.contains(constant), "{constant} in {code}");
    }
    assert!(!code.contains("# [query"), "marks are gone: {code}");
}
