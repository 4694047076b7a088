//! Tests that policy authors write.

use super::fixture::{allowing, bundle, found, input, with_tests};
use domain::ports::engine::{GateEngine, GateTest};
use gates::RegoGates;

fn run(tests: &str) -> Vec<GateTest> {
    let bundle = with_tests(&allowing("floor := data.params.min_auc"), tests);
    RegoGates::default().test(&bundle).unwrap()
}

#[test]
fn exactly_true_passes_and_nothing_else() {
    let tests = run("test_true if gate.decision.allow\n\
         test_false := false\n\
         test_undefined if not gate.decision.allow\n\
         test_number := 1\n\
         test_error if { 1 / (count([]) + 0) == 1 }\n\
         todo_test_later if false\n\
         helper := 1");
    let results: Vec<_> = tests.iter().map(|t| (t.name.as_str(), t.passed)).collect();
    assert_eq!(
        results,
        [
            ("team.gate_test.test_true", true),
            ("team.gate_test.test_false", false),
            ("team.gate_test.test_undefined", false),
            ("team.gate_test.test_number", false),
            ("team.gate_test.test_error", false),
        ]
    );
    assert!(tests[0].message.is_none());
    assert!(
        tests[4]
            .message
            .as_ref()
            .unwrap()
            .contains("divide by zero")
    );
}

#[test]
fn with_replaces_input_and_parameters() {
    let tests = run("test_input if { x == 3 with input as {\"a\": 3} }\n\
         test_part if { x == 4 with input.a as 4 }\n\
         test_parameters if { gate.floor == 0.5 with data.params.min_auc as 0.5 }\n\
         test_given_parameters if { gate.floor == 0.9 }\n\
         x := input.a");
    assert_eq!(tests.len(), 4);
    assert!(tests.iter().all(|test| test.passed), "{tests:?}");
}

#[test]
fn no_tests_is_an_empty_list() {
    assert_eq!(
        RegoGates::default().test(&bundle(&allowing(""))).unwrap(),
        []
    );
}

#[test]
fn a_test_named_twice_would_hide_a_failure_and_is_refused() {
    let twice = with_tests(&allowing(""), "test_a if true\ntest_a if false");
    assert_eq!(found(&twice), ["duplicate_test"]);
}

#[test]
fn tests_stand_beside_the_policy_and_are_not_evaluated_with_it() {
    let mut inside = bundle(&allowing(""));
    let rule = "package team.gate\ntest_a if true".to_owned();
    inside.modules.insert("a_test.rego".to_owned(), rule);
    assert_eq!(found(&inside), ["foreign_package"]);
    assert_eq!(
        found(&bundle(&allowing("test_a if true"))),
        ["misplaced_test"]
    );
    // A test module that does not parse stops tests, not evaluation: it is
    // never loaded there.
    let broken = with_tests(&allowing(""), "test_a if {");
    assert_eq!(found(&broken), ["not_rego"]);
    let verdict = RegoGates::default().evaluate(&broken, &input());
    assert_eq!(verdict.outcome, domain::decision::Outcome::Allow);
}
