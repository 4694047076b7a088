//! The sharp edges of the engine, found by experiment, each with the guard that
//! covers it. Edges 8, 10, 11 and 12 have a second line of defence below
//! admission, tested beside the code.

use super::fixture::{
    allowing, answering, bundle, check, empty, evaluate, found, input, reason_codes, with_tests,
};
use domain::{decision::Outcome, ports::engine::GateEngine};
use gates::{GateLimits, RegoGates};
use serde_json::json;
use std::time::{Duration, Instant};

#[test]
fn edge_01_data_cannot_shadow_rules() {
    for package in ["params", "params.gate"] {
        let mut bundle = empty();
        bundle.manifest.package = package.to_owned();
        let module = format!("package {package}\n{}", allowing(""));
        bundle.modules.insert("gate.rego".to_owned(), module);
        assert_eq!(found(&bundle), ["data_overlap"]);
        assert_eq!(evaluate(&bundle).outcome, Outcome::Deny);
    }
    // Parameters that imitate the rules stay below data.params.
    let mut bundle = bundle(&answering(&json!({"allow": false, "checks": []})));
    let imitation =
        json!({"gate": {"decision": {"allow": true, "checks": [check("auc", "pass")]}}});
    bundle
        .manifest
        .parameters
        .insert("team".to_owned(), imitation);
    assert_eq!(evaluate(&bundle).outcome, Outcome::Deny);
}

#[test]
fn edge_02_a_second_default_is_refused() {
    let twice = format!("{}\ndefault decision := {{}}", allowing(""));
    assert_eq!(found(&bundle(&twice)), ["duplicate_default"]);
    // Also across modules, and for other rules.
    let mut bundle = bundle(&allowing("default limit := 1"));
    let more = "package team.gate\ndefault limit := 2".to_owned();
    bundle.modules.insert("more.rego".to_owned(), more);
    assert_eq!(found(&bundle), ["duplicate_default"]);
}

#[test]
fn edge_03_no_module_can_add_rules_to_a_foreign_package() {
    for package in [
        "team",
        "team.gates",
        "team.other",
        "other",
        "team.gate_test",
    ] {
        let mut bundle = bundle(&allowing(""));
        let module = format!("package {package}\nallow if true");
        bundle.modules.insert("more.rego".to_owned(), module);
        assert_eq!(found(&bundle), ["foreign_package"], "{package}");
        assert_eq!(evaluate(&bundle).outcome, Outcome::Deny);
    }
    let mut bundle = bundle(&allowing(""));
    let helper = "package team.gate.limits\nfloor := 0.9".to_owned();
    bundle.modules.insert("limits.rego".to_owned(), helper);
    assert!(found(&bundle).is_empty(), "packages below are its own");
}

#[test]
fn edge_04_text_and_null_do_not_beat_a_floor() {
    // `"x" > 5` and `null < 0.8` are true in Rego: the input cannot hold text
    // where a number belongs, and a check's numbers cannot be text.
    let mut value = serde_json::to_value(input()).unwrap();
    value["metrics"]["roc_auc"]["candidate"]["value"] = json!("0.2");
    let errors = gates::validate_input(&value).unwrap_err();
    assert!(
        errors[0].contains("metrics.roc_auc.candidate"),
        "{errors:?}"
    );
    let text = json!({"allow": true, "checks": [
        {"id": "auc", "status": "pass", "message": "", "observed": "0.99"}]});
    let verdict = evaluate(&bundle(&answering(&text)));
    assert_eq!(reason_codes(&verdict), ["decision_malformed"]);
}

#[test]
fn edge_05_a_policy_that_only_denies_what_it_sees_does_not_allow() {
    let module = r#"
        default decision := {"allow": false, "checks": []}
        decision := {"allow": count(objections) == 0, "checks": [], "deny": objections}
        objections contains {"code": "low", "message": "too low"} if {
            input.metrics.no_such_metric.candidate.value < 0.9
        }"#;
    let verdict = evaluate(&bundle(module));
    assert_eq!(verdict.outcome, Outcome::Deny);
    assert_eq!(reason_codes(&verdict), ["check_missing"]);
}

#[test]
fn edge_06_unknown_functions_are_found_before_they_are_reached() {
    for rule in [
        "never if { false; no_such_function(1) }",
        "never if { false; count([], 1) }",
        "never if { false; data.team.gate.nothing(1) }",
        "f(x) := x\nnever if { false; f(1, 2) }",
    ] {
        let found = found(&bundle(&allowing(rule)));
        assert_eq!(found.len(), 1, "{rule}: {found:?}");
        assert!(["forbidden_call", "wrong_arguments"].contains(&found[0].as_str()));
    }
    let known = "f(x) := x\nonce if { f(1) == 1; data.team.gate.f(2) == 2 }";
    assert!(found(&bundle(&allowing(known))).is_empty());
}

#[test]
fn edge_07_a_parse_bomb_is_refused_without_parsing_it() {
    for (open, close) in [("[", "]"), ("{", "}"), ("{\"k\": ", "}"), ("(", ")")] {
        let bomb = format!("x := {}1{}", open.repeat(30), close.repeat(30));
        let start = Instant::now();
        assert_eq!(found(&bundle(&allowing(&bomb))), ["too_deep"], "{open}");
        assert!(start.elapsed() < Duration::from_secs(2), "{open}");
    }
    // Brackets in text and comments do not count.
    let text = format!("x := \"{0}\" # {0}\ny := `{0}`", "[".repeat(40));
    assert!(found(&bundle(&allowing(&text))).is_empty());
}

#[test]
fn edge_08_one_liners_that_abort_the_process_are_refused() {
    for call in [
        "numbers.range(1, 1e12)",
        "numbers.range_step(1, 1e12, 1)",
        "bits.lsh(1, 1000000000000)",
        "array.concat([1], [2])",
        "replace(\"a\", \"\", \"b\")",
        "strings.replace_n({}, \"b\")",
        // By other names for the same thing.
        "numbers[\"range\"](1, 1e12)",
    ] {
        assert_eq!(
            found(&bundle(&allowing(&format!("x := {call}")))),
            ["forbidden_call"],
            "{call}"
        );
        let verdict = evaluate(&bundle(&allowing(&format!("x := {call}"))));
        assert_eq!(reason_codes(&verdict), ["policy_error"], "{call}");
    }
    // Ways to write the name that the parser itself does not take.
    for call in ["numbers[`range`](1, 1e12)", "numbers[0].range(1, 1e12)"] {
        let verdict = evaluate(&bundle(&allowing(&format!("x := {call}"))));
        assert_eq!(reason_codes(&verdict), ["policy_error"], "{call}");
    }
    let swapped = "f(a, b) := 1\ntest_x if { f(1, 1e12) with data.team.gate.f as numbers.range }";
    assert_eq!(
        found(&with_tests(&allowing(""), swapped)),
        ["forbidden_with"]
    );
    // A width is data in `sprintf`, so it is the function that is bounded.
    let wide =
        "decision := {\"allow\": true, \"checks\": [], \"x\": sprintf(\"%2000000000d\", [1])}";
    let module = format!("default decision := {{\"allow\": false, \"checks\": []}}\n{wide}");
    assert_eq!(reason_codes(&evaluate(&bundle(&module))), ["policy_error"]);
}

#[test]
fn edge_08_values_that_double_are_stopped() {
    // Each line doubles the text; forty would be a terabyte.
    let mut lines = vec!["a0 := \"xxxxxxxx\"".to_owned()];
    for i in 0..40 {
        lines.push(format!("a{} := concat(\"\", [a{i}, a{i}])", i + 1));
    }
    lines.push("decision := {\"allow\": a40 == \"\", \"checks\": []}".to_owned());
    lines.push("default decision := {\"allow\": false, \"checks\": []}".to_owned());
    let verdict = evaluate(&bundle(&lines.join("\n")));
    assert_eq!(reason_codes(&verdict), ["policy_error"]);
    assert!(verdict.reasons[0].message.contains("concat"), "{verdict:?}");
}

#[test]
fn edge_09_what_cannot_be_interrupted_is_given_up() {
    // Squaring a whole number again and again: each line takes four times as
    // long, inside one operation that the timer cannot stop.
    let mut lines = vec!["a0 := 123456789".to_owned()];
    for i in 0..26 {
        lines.push(format!("a{} := a{i} * a{i}", i + 1));
    }
    lines.push("decision := {\"allow\": a26 == 1, \"checks\": []}".to_owned());
    lines.push("default decision := {\"allow\": false, \"checks\": []}".to_owned());
    let gates = RegoGates::new(GateLimits {
        evaluation: Duration::from_millis(100),
        abandon: Duration::from_millis(300),
        ..GateLimits::default()
    });
    let bundle = bundle(&lines.join("\n"));
    let start = Instant::now();
    let verdict = gates.evaluate(&bundle, &input());
    assert_eq!(reason_codes(&verdict), ["policy_error"]);
    assert!(start.elapsed() < Duration::from_secs(20));
    assert!(gates.admit(&bundle).is_err());
}

#[test]
fn edge_09_loops_are_stopped_by_the_timer() {
    let module = allowing(
        "xs := [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]\n\
         slow := count([1 | some a in xs; some b in xs; some c in xs; some d in xs; some e in xs; some f in xs])\n",
    ).replace("if true", "if slow > 0");
    let gates = RegoGates::new(GateLimits {
        evaluation: Duration::from_millis(50),
        ..GateLimits::default()
    });
    let verdict = gates.evaluate(&bundle(&module), &input());
    assert_eq!(reason_codes(&verdict), ["policy_error"]);
    assert!(
        verdict.reasons[0].message.contains("time limit"),
        "{verdict:?}"
    );
}

#[test]
fn edge_10_numbers_that_cannot_be_written_deny() {
    for number in ["1e308 * 10", "-1e308 * 10", "99999999999 * 1e300"] {
        let module = format!(
            r#"default decision := {{"allow": false, "checks": []}}
            decision := {{"allow": true, "checks": [
                {{"id": "auc", "status": "pass", "message": "m", "observed": {number}}}]}}"#
        );
        let verdict = evaluate(&bundle(&module));
        assert_eq!(verdict.outcome, Outcome::Deny, "{number}: {verdict:?}");
    }
}

#[test]
fn edge_11_undefined_is_a_denial_not_a_text() {
    let verdict = evaluate(&bundle(
        "decision := {\"allow\": true, \"checks\": []} if false",
    ));
    assert_eq!(
        reason_codes(&verdict),
        ["policy_error"],
        "without a default it is not admitted"
    );
    let partial = "default decision := {\"allow\": false, \"checks\": []}\n\
        decision := {\"allow\": input.metrics.nothing.candidate.n, \"checks\": []}";
    assert_eq!(reason_codes(&evaluate(&bundle(partial))), ["check_missing"]);
}

#[test]
fn edge_12_builtin_errors_end_the_evaluation_also_under_not() {
    let module = allowing("").replace(
        "if true",
        "if { not 1 / (input.candidate.version - 2) == 1 }",
    );
    let verdict = evaluate(&bundle(&module));
    assert_eq!(reason_codes(&verdict), ["policy_error"]);
    assert!(found(&bundle(&module)).contains(&"policy_error".to_owned()));
}

#[test]
fn edge_12_dotted_heads_have_the_value_that_rego_says() {
    let module = allowing("m.a := 1\nm.b := 2").replace("if true", "if m == {\"a\": 1, \"b\": 2}");
    assert_eq!(evaluate(&bundle(&module)).outcome, Outcome::Allow);
}

#[test]
fn edge_13_data_driven_tests_are_refused() {
    for head in [
        "test_x[name] if { some name in [\"a\"]; false }",
        "test_x contains name if { some name in [\"a\"] }",
        "test_x(a) if { a }",
        "default test_x := true",
    ] {
        let bundle = with_tests(&allowing(""), head);
        assert_eq!(found(&bundle), ["data_driven_test"], "{head}");
        assert!(RegoGates::default().test(&bundle).is_err(), "{head}");
    }
}
