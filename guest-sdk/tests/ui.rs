//! Mistakes and what the compiler says about them: one file for each.

#[test]
fn mistakes_are_refused_with_what_to_write_instead() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
