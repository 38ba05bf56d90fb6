//! The input that the attributes accept, and the compile error for each mistake: one fixture for each.

#[test]
fn every_accepted_form_compiles_and_every_mistake_is_reported_once() {
    let cases = trybuild::TestCases::new();
    cases.pass("ui/pass/*.rs");
    cases.compile_fail("ui/fail/*.rs");
}
