//! The lexical view against the places where a naive search goes wrong.

use super::*;

#[test]
fn masking_keeps_length_lines_and_code() {
    let source =
        "let a = \"{ todo!() \\\" }\"; // { é\nlet b = r#\"}\"#; /* { /* } */ */ f('}', b'{');\n";
    let masked = mask(source);
    assert_eq!(masked.len(), source.len());
    assert_eq!(masked.lines().count(), source.lines().count());
    assert!(!masked.contains(['{', '}', '"']), "{masked}");
    assert!(masked.contains("let b = ") && masked.contains("f("));
}

#[test]
fn a_lifetime_is_not_a_character() {
    let masked = mask("fn f<'a>(x: &'a str) -> char { '\\'' } struct S<'b>(&'b u8);");
    assert!(masked.contains("<'a>(x: &'a str)"));
    assert!(masked.contains("S<'b>"));
    assert!(!masked.contains('\\'));
}

#[test]
fn functions_are_found_with_their_length_and_test_mark() {
    let source = "pub fn one(x: [u8; 3]) -> u8 {\n    x[0]\n}\n\
                  trait T { fn declared(&self); }\n\
                  #[test]\n#[ignore = \"why\"]\nfn a_claim_of_words() { let f: fn (u8) = g; }\n";
    let found = functions(&mask(source));
    let names: Vec<_> = found.iter().map(|f| (f.name.as_str(), f.num_lines, f.is_test)).collect();
    assert_eq!(names, [("one", 3, false), ("a_claim_of_words", 1, true)]);
    assert_eq!(found[1].line, 7);
}

#[test]
fn lines_of_test_modules_are_not_counted() {
    let source = "//! Head.\nfn a() {}\n\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n";
    assert_eq!(lines_without_tests(&mask(source)), 3);
    assert_eq!(lines_without_tests(&mask("fn a() {}\n#[cfg(test)]\nmod tests;\n")), 1);
}
