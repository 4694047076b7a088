//! What admission refuses beside the sharp edges.

use super::fixture::{allowing, answering, bundle, empty, found};
use domain::ports::engine::GateEngine;
use gates::RegoGates;
use serde_json::json;

#[test]
fn a_plain_gate_is_admitted() {
    assert_eq!(found(&bundle(&allowing(""))), Vec::<String>::new());
    let stricter = answering(
        &json!({"allow": false, "checks": [], "deny": [{"code": "no", "message": "never"}]}),
    );
    assert_eq!(found(&bundle(&stricter)), Vec::<String>::new());
}

#[test]
fn a_manifest_says_what_is_required_once_and_by_valid_names() {
    let with = |change: fn(&mut domain::gate::GateManifest)| {
        let mut bundle = bundle(&allowing(""));
        change(&mut bundle.manifest);
        found(&bundle)
    };
    assert_eq!(with(|m| m.required_checks.clear()), ["no_required_checks"]);
    assert_eq!(
        with(|m| m.required_checks.push("auc".to_owned())),
        ["duplicate_check"]
    );
    assert_eq!(
        with(|m| m.required_checks.push("A b".to_owned())),
        ["bad_check_id"]
    );
    assert_eq!(with(|m| m.max_evidence_age_s = 0), ["bad_age"]);
    assert!(with(|m| m.package = "Team Gate".to_owned()).contains(&"bad_package".to_owned()));
    let large = |m: &mut domain::gate::GateManifest| {
        m.parameters
            .insert("big".to_owned(), "x".repeat(70_000).into());
    };
    assert_eq!(with(large), ["too_large"]);
}

#[test]
fn the_entry_point_needs_a_default() {
    let module = "decision := {\"allow\": true, \"checks\": []}";
    assert_eq!(found(&bundle(module)), ["no_default"]);
    assert_eq!(found(&empty()), ["no_default"]);
}

#[test]
fn sizes_are_limited() {
    let comment = |n: usize| allowing(&format!("# {}\n", "x".repeat(400)).repeat(n));
    assert_eq!(found(&bundle(&comment(200))), ["too_large"]);
    assert_eq!(found(&bundle(&allowing(&"\n".repeat(5000)))), ["too_large"]);
    let wide = format!("x := \"{}\"", "x".repeat(600));
    assert_eq!(found(&bundle(&allowing(&wide))), ["not_rego"]);
    let mut many = bundle(&allowing(""));
    for i in 0..40 {
        many.modules.insert(
            format!("m{i}.rego"),
            format!("package team.gate\nx{i} := 1"),
        );
    }
    assert_eq!(found(&many), ["too_large"]);
}

#[test]
fn long_chains_of_operators_are_refused_before_they_overflow_a_stack() {
    for operator in ["+ 1\n", "| {1}\n", "* 1\n"] {
        let chain = format!("x := {{1}}\n{}", operator.repeat(3000))
            .replace("{1}\n+", "1\n+")
            .replace("{1}\n*", "1\n*");
        assert_eq!(
            found(&bundle(&allowing(&chain))),
            ["too_deep"],
            "{operator}"
        );
    }
}

#[test]
fn long_bodies_and_paths_are_refused_before_they_overflow_a_stack() {
    let body = format!(
        "a := [1]\nx if {{\n{} }}",
        "a[_]; a[_]; a[_]\n".repeat(1000)
    );
    assert_eq!(found(&bundle(&allowing(&body))), ["too_large"]);
    let path = format!("x := input{}", ".a\n".repeat(2000));
    let found = found(&bundle(&allowing(&path)));
    assert!(
        ["too_deep", "not_rego"].contains(&found[0].as_str()),
        "{found:?}"
    );
}

#[test]
fn paths_are_plain_and_end_in_rego() {
    for path in [
        "gate.txt",
        "../gate.rego",
        "/gate.rego",
        "a b.rego",
        ".rego\n",
    ] {
        let mut bundle = empty();
        let module = format!("package team.gate\n{}", allowing(""));
        bundle.modules.insert(path.to_owned(), module);
        assert!(found(&bundle).contains(&"bad_path".to_owned()), "{path}");
    }
}

#[test]
fn clock_chance_network_and_debugging_are_refused_with_what_to_do() {
    for (call, advice) in [
        ("time.now_ns()", "input.request.at_ms"),
        ("rand.intn(\"a\", 2)", "may call"),
        ("http.send({})", "may call"),
        ("uuid.rfc4122(\"a\")", "may call"),
        ("opa.runtime()", "may call"),
        ("net.cidr_expand(\"10.0.0.0/8\")", "may call"),
        ("trace(\"x\")", "message"),
        ("print(\"x\")", "message"),
        ("walk(input)", "may call"),
    ] {
        let error = RegoGates::default()
            .admit(&bundle(&allowing(&format!("x := {call}"))))
            .unwrap_err();
        let finding = &error.findings[0];
        assert_eq!(finding.code, "forbidden_call", "{call}");
        assert!(
            finding.message.contains(advice),
            "{call}: {}",
            finding.message
        );
        assert_eq!(
            (finding.file.as_str(), finding.line),
            ("gate.rego", Some(4)),
            "{call}"
        );
    }
}

#[test]
fn references_to_what_does_not_exist_are_refused() {
    for (rule, code) in [
        ("x := data.params.min_acu", "unknown_parameter"),
        ("x := data.params[\"min_acu\"]", "unknown_parameter"),
        ("x := data.other.gate.allow", "unknown_reference"),
        ("x := data[input.request.action]", "unknown_reference"),
        ("x := count(data)", "unknown_reference"),
        ("x := input.metric.roc_auc", "unknown_reference"),
        (
            "x := input.metrics[\"roc_auc\"].ci_low",
            "unknown_reference",
        ),
        (
            "x contains n if { some n; input.slices[n].rows > 1 }",
            "unknown_reference",
        ),
        (
            "x if input.schema with input.schema as true",
            "forbidden_with",
        ),
    ] {
        assert_eq!(found(&bundle(&allowing(rule))), [code], "{rule}");
    }
    let import = format!("import data.other.gate as g\n{}", allowing("x := g.allow"));
    assert_eq!(found(&bundle(&import)), ["unknown_reference"]);
    let optional = "x := object.get(data.params, \"min_acu\", 0.9)";
    assert!(found(&bundle(&allowing(optional))).is_empty());
}

#[test]
fn what_regorus_itself_refuses_is_reported() {
    for rule in ["x if {", "x := y", "a := b\nb := a", "allow { true }"] {
        let found = found(&bundle(&allowing(rule)));
        assert!(!found.is_empty(), "{rule}");
    }
}

#[test]
fn rules_and_packages_of_one_name_are_refused() {
    let mut bundle = bundle(&allowing("limits := 1"));
    let helper = "package team.gate.limits\nfloor := 0.9".to_owned();
    bundle.modules.insert("limits.rego".to_owned(), helper);
    assert_eq!(found(&bundle), ["rule_conflict"]);
}

#[test]
fn a_document_of_the_wrong_shape_shows_at_admission() {
    let misspelt = answering(&json!({"allow": true, "checks": [], "denny": []}));
    assert_eq!(found(&bundle(&misspelt))[0], "decision_malformed");
}

#[test]
fn a_rule_that_cannot_be_unified_shows_at_admission() {
    let conflict = "x := 1 if input.schema\nx := 2 if input.schema";
    let module = allowing(conflict).replace("if true", "if x > 0");
    assert_eq!(found(&bundle(&module))[0], "policy_error");
}
