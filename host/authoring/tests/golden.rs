//! Golden cases over real components: the guests that `cargo xtask guests` builds.

#[cfg(test)]
mod tests {
    use authoring::golden::{Golden, Report, play, update};
    use plugins::trial::Trial;
    use serde_json::{Value, json};
    use std::path::{Path, PathBuf};

    fn guest(name: &str) -> Vec<u8> {
        let folder = std::env::var_os("TOLLGATE_GUESTS").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/guests"),
            PathBuf::from,
        );
        let path = folder.join(format!("{name}.wasm"));
        std::fs::read(&path).unwrap_or_else(|error| {
            panic!("{}: {error}: run cargo xtask guests first", path.display())
        })
    }

    fn golden(file: &Value) -> Golden {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("golden.json");
        std::fs::write(&path, file.to_string()).unwrap();
        Golden::read(&path).unwrap()
    }

    fn played(name: &str, file: &Value) -> Report {
        play(&Trial::new().unwrap(), &guest(name), &golden(file)).unwrap()
    }

    /// Every difference on a line of its own, after the case's name.
    fn told(report: &Report) -> Vec<String> {
        let of = |case: &authoring::golden::CaseReport| {
            let name = case.name.clone();
            let differences = case.differences.iter();
            let lines = differences.map(move |difference| format!("{name}: {difference}"));
            lines.collect::<Vec<_>>()
        };
        report.cases.iter().flat_map(of).collect()
    }

    fn tabular() -> Value {
        json!({ "columns": [
            {"name": "a", "steps": [{"impute": 5}, {"standard": {"mean": 1, "std": 2}}]},
            {"name": "b", "steps": []},
        ]})
    }

    #[test]
    fn differences_name_case_tensor_index_expected_and_got() {
        let case = |name: &str, expect: Value| json!({ "name": name, "columns": {"a": [3, null], "b": [1, 2]}, "expect": expect });
        let tensors = |shape: Value, values: Value| json!({ "tensors": [{"name": "input", "shape": shape, "values": values}] });
        let report = played(
            "tabular",
            &json!({ "kind": "transform", "settings": tabular(), "cases": [
                case("right", tensors(json!([2, 2]), json!([1, 1, 2, 2]))),
                case("wrong", tensors(json!([2, 2]), json!([1, "NaN", 2, 2.5]))),
                case("shape", tensors(json!([4, 1]), json!([1, 1, 2, 2]))),
                case("fewer", tensors(json!([2, 2]), json!([1]))),
                case("name", json!({ "tensors": [{"name": "other", "values": [1, 1, 2, 2]}] })),
                case("none", Value::Null),
                case("a failure", json!({ "failure": {"code": "negative"} })),
            ]}),
        );
        assert_eq!(
            told(&report),
            [
                "wrong: tensor \"input\" [0, 1]: expected NaN, got 1.0",
                "wrong: tensor \"input\" [1, 1]: expected 2.5, got 2.0",
                "shape: tensor \"input\", shape: expected [4,1], got [2,2]",
                "fewer: tensor \"input\", number of values: expected 1, got 4",
                "name: tensor \"input\", name: expected \"other\", got \"input\"",
                "none: apply: expected an `expect` (write one, or run `plugin test --update`), got tensors \"input\" [2, 2]",
                "a failure: apply: expected {\"failure\":{\"code\":\"negative\"}}, got tensors \"input\" [2, 2]",
            ]
        );
        assert!(report.cases[0].cost.fuel > 0 && report.cases[0].cost.peak_memory > 0);
    }

    #[test]
    fn fuel_comes_again_and_is_held_to_its_bound() {
        let file = |most: u64| {
            json!({ "kind": "transform", "settings": tabular(), "cases": [{
                "name": "one", "max_fuel": most, "columns": {"a": [3], "b": [1]},
                "expect": { "tensors": [{"name": "input", "values": [1, 1]}] },
            }]})
        };
        let first = played("tabular", &file(100_000_000));
        let fuel = first.cases[0].cost.fuel;
        assert!(first.passed(), "{:?}", told(&first));
        assert_eq!(played("tabular", &file(fuel)).cases[0].cost.fuel, fuel);
        assert_eq!(
            told(&played("tabular", &file(fuel - 1))),
            [format!(
                "one: fuel: expected at most {}, got {fuel}",
                fuel - 1
            )]
        );
    }

    #[test]
    fn what_a_guest_refuses_and_what_it_does_wrong_are_told_apart() {
        let case = |deed: &str, expect: Value| json!({ "name": deed, "settings": deed, "columns": {"x": [1]}, "expect": expect });
        let report = played(
            "hostile",
            &json!({ "kind": "transform", "limits": {"memory_bytes": 8_388_608}, "cases": [
                case("refuse", json!({ "failure": {
                    "fault": "invalid-input", "code": "no-good", "field": "x", "row": 0 } })),
                case("refuse-settings", json!({ "failure": {"fault": "invalid-settings", "code": "other"} })),
                case("panic", Value::Null),
                case("lying-shape", Value::Null),
                case("log-flood", json!({ "failure": {} })),
            ]}),
        );
        let told = told(&report);
        assert!(report.cases[0].passed(), "{told:?}");
        assert_eq!(
            told[0],
            "refuse-settings: configure, failure.code: expected \"other\", got \"bad-settings\""
        );
        assert!(
            told[1].starts_with("panic: apply: expected an `expect`"),
            "{told:?}"
        );
        assert!(told[1].contains("the plugin trapped"), "{told:?}");
        assert!(
            told[2].contains("the plugin broke its contract: output \"y\""),
            "{told:?}"
        );
        assert!(told[3].contains("more than 1000 log lines"), "{told:?}");
        assert_eq!(report.cases[4].lines.len(), 64);
    }

    #[test]
    fn a_transform_that_remembers_is_found() {
        let report = played(
            "hostile",
            &json!({ "kind": "transform", "cases": [{
                "name": "count", "settings": "count", "columns": {"x": [1]},
                "expect": { "tensors": [{"name": "y", "values": [1]}] },
            }]}),
        );
        assert_eq!(
            told(&report),
            [
                "count: apply, a second time in one instance: expected the same answer, \
              got another: it depends on what it saw before"
            ]
        );
    }

    #[test]
    fn a_detector_is_played_straight_and_restored() {
        let report = played(
            "detector",
            &json!({ "kind": "detector", "settings": {"features": [{"name": "x"}]}, "cases": [
                { "name": "moves", "reference": {"x": [1, 2, 3, 4]}, "windows": [
                    { "columns": {"x": [2.5, 2.5]}, "expect": {"scores": [{"feature": "x", "statistic": 0, "drifted": false}]} },
                    { "columns": {"x": [50, 50]}, "expect": {"scores": [{"statistic": 1, "drifted": false, "p_value": 0.5}]} },
                ]},
                { "name": "too short", "reference": {"x": [1]}, "windows": [],
                  "expect": {"failure": {"fault": "invalid-input", "code": "too-few-rows"}} },
                { "name": "no such column", "reference": {"y": [1]}, "windows": [] },
            ]}),
        );
        let told = told(&report);
        assert_eq!(told.len(), 4, "{told:?}");
        assert!(
            told[0]
                .starts_with("moves: window 1, score of \"x\", statistic: expected 1.0, got 52."),
            "{told:?}"
        );
        assert_eq!(
            told[1],
            "moves: window 1, score of \"x\", drifted: expected false, got true"
        );
        assert_eq!(
            told[2],
            "moves: window 1, score of \"x\", p_value: expected 0.5, got none"
        );
        assert_eq!(
            told[3],
            "no such column: columns: expected rows that fit the settings' features, \
             got reference: column \"x\" is missing"
        );
    }

    #[test]
    fn an_actions_requests_are_compared_and_answered() {
        let exchange = |body: &str| json!([{ "expect": {"target": "webhook", "method": "post", "path": "/", "body": body}, "respond": {"status": 204} }]);
        let report = played(
            "action",
            &json!({ "kind": "action", "cases": [
                { "name": "right", "event": {"reason": "why"}, "exchanges": exchange("why"), "expect": {"done": "answered 204"} },
                { "name": "body", "event": {"reason": "why"}, "exchanges": exchange("other"), "expect": {"done": "answered 204"} },
                { "name": "unexpected", "exchanges": [], "expect": {"failure": {"fault": "upstream", "retryable": true}} },
                { "name": "left over", "exchanges": [{}, {"expect": {"path": "/more"}}], "expect": {"done": "answered 200"} },
                { "name": "refused", "exchanges": [{"refuse": "timed-out"}], "expect": {"failure": {"code": "no-answer"}} },
                { "name": "words", "exchanges": [{}], "expect": {"done": "something else"} },
            ]}),
        );
        assert_eq!(
            told(&report),
            [
                "body: request 0, body: expected \"other\", got \"why\"",
                "unexpected: request 0: expected no more requests, got post /",
                "left over: request 1: expected {\"path\":\"/more\"}, got no such request",
                "words: run, done: expected \"something else\", got \"answered 200\"",
            ]
        );
    }

    #[test]
    fn an_update_writes_what_was_observed_and_then_all_passes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("golden.json");
        for (name, file) in [
            (
                "tabular",
                json!({ "kind": "transform", "settings": tabular(), "cases": [
                    {"name": "new", "columns": {"a": [3, null], "b": [1, "inf"]}},
                    {"name": "wrong", "columns": {"a": [1], "b": [1]}, "expect": {"tensors": []}},
                ]}),
            ),
            (
                "detector",
                json!({ "kind": "detector", "settings": {"features": [{"name": "x"}]}, "cases": [
                    {"name": "new", "reference": {"x": [1, 2]}, "windows": [{"columns": {"x": [5]}}]},
                ]}),
            ),
            (
                "action",
                json!({ "kind": "action", "cases": [
                    {"name": "new", "exchanges": [{"expect": {"path": "/wrong"}}]},
                ]}),
            ),
        ] {
            std::fs::write(&path, file.to_string()).unwrap();
            let trial = Trial::new().unwrap();
            let read = || Golden::read(&path).unwrap();
            let before = play(&trial, &guest(name), &read()).unwrap();
            assert!(!before.passed(), "{name}");
            assert!(update(&path, &before).unwrap() > 0);
            let after = play(&trial, &guest(name), &read()).unwrap();
            assert!(after.passed(), "{name}: {:?}", told(&after));
        }
    }

    #[test]
    fn a_trap_is_never_written_down() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("golden.json");
        let file = json!({ "kind": "transform", "cases": [
            {"name": "panic", "settings": "panic", "columns": {"x": [1]}},
        ]});
        std::fs::write(&path, file.to_string()).unwrap();
        let golden = Golden::read(&path).unwrap();
        let report = play(&Trial::new().unwrap(), &guest("hostile"), &golden).unwrap();
        assert_eq!(update(&path, &report).unwrap(), 0);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), file.to_string());
    }

    #[test]
    fn files_that_are_not_golden_say_where() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("golden.json");
        for (text, why) in [
            ("{", "EOF while parsing"),
            (
                r#"{"kind": "transform", "cases": []}"#,
                "write at least one",
            ),
            (
                r#"{"kind": "transform", "cases": [{"name": "x", "colums": {}}]}"#,
                "unknown field `colums`",
            ),
            (
                r#"{"kind": "transform", "cases": [{"name": "x", "event": {}}]}"#,
                "has event, which belongs to kind action",
            ),
            (
                r#"{"kind": "action", "cases": [{"name": "x", "exchanges": [{"refuse": "no"}]}]}"#,
                "exchange 0: write",
            ),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = Golden::read(&path).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
