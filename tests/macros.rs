//! What the attributes accept, and how they refuse the rest: one fixture for each mistake.

#[test]
fn every_accepted_form_compiles_and_every_mistake_is_reported_once() {
    let cases = trybuild::TestCases::new();
    cases.pass("ui/pass/*.rs");
    cases.compile_fail("ui/fail/*.rs");
}
