//! How regorus is set up, and how it is asked.
//!
//! regorus is built without `http`, `uuid`, `opa-runtime` and `net`. The AST
//! interpreter is the only authority; its bytecode machine differs from it in
//! places and is not used. Builtin errors stay strict: they end the evaluation.

use crate::{convert, functions};
use domain::{gate::GateManifest, json};
use regorus::{Engine, PolicyLengthConfig, Value, utils::limits::ExecutionTimerConfig};
use std::{
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

/// Engine and version, recorded in every decision.
pub(crate) const NAME: &str = "regorus 0.14.1";

/// Longest line of a module, in columns.
pub(crate) const MAX_COLUMNS: NonZeroU32 = NonZeroU32::new(512).unwrap();
/// Largest module in bytes.
pub(crate) const MAX_MODULE_BYTES: NonZeroUsize = NonZeroUsize::new(64 << 10).unwrap();
/// Most lines of a module.
pub(crate) const MAX_LINES: NonZeroUsize = NonZeroUsize::new(4000).unwrap();
/// Steps of the interpreter between two looks at the clock.
const CHECK_INTERVAL: NonZeroU32 = NonZeroU32::new(16).unwrap();

/// Which modules are loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Load {
    /// The policy alone: what is evaluated.
    Policy,
    /// Policy and tests.
    WithTests,
}

/// An engine without modules, every limit set.
pub(crate) fn bare(limit: Duration) -> Result<Engine, String> {
    let mut engine = Engine::new();
    engine.set_rego_v0(false);
    engine.set_strict_builtin_errors(true);
    engine.set_gather_prints(true);
    engine.set_policy_length_config(PolicyLengthConfig {
        max_col: MAX_COLUMNS,
        max_file_bytes: MAX_MODULE_BYTES,
        max_lines: MAX_LINES,
    });
    engine.set_execution_timer_config(ExecutionTimerConfig {
        limit,
        check_interval: CHECK_INTERVAL,
    });
    functions::install(&mut engine).map_err(|error| error.to_string())?;
    Ok(engine)
}

/// Gives the engine its only data: the parameters, under `data.params`.
pub(crate) fn give_parameters(engine: &mut Engine, manifest: &GateManifest) -> Result<(), String> {
    let data = serde_json::json!({ "params": manifest.parameters });
    let text = json::canonical(&data).map_err(|error| error.to_string())?;
    engine
        .add_data_json(&text)
        .map_err(|error| format!("parameters: {error:#}"))
}

/// Evaluates one rule; `None` if it has no value. The input is canonical JSON.
pub(crate) fn ask(
    mut engine: Engine,
    rule: String,
    input: Option<&str>,
) -> Result<Option<serde_json::Value>, String> {
    if let Some(input) = input {
        let input = Value::from_json_str(input).map_err(|error| format!("input: {error:#}"))?;
        engine.set_input(input);
    }
    let answer = engine
        .eval_rule(rule)
        .map_err(|error| format!("{error:#}"))?;
    convert::to_json(&answer)
}

/// Evaluates everything under `package`, for its errors.
pub(crate) fn exercise(mut engine: Engine, package: &str, input: &str) -> Result<(), String> {
    let input = Value::from_json_str(input).map_err(|error| format!("input: {error:#}"))?;
    engine.set_input(input);
    let answer = engine.eval_query(package.to_owned(), false);
    answer.map(drop).map_err(|error| format!("{error:#}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    /// Evaluates `data.p.x` of a module that did not pass admission: what is
    /// tested here is the second line of defence.
    fn eval(module: &str) -> Result<Option<serde_json::Value>, String> {
        eval_within(module, Duration::from_secs(1))
    }

    fn eval_within(module: &str, limit: Duration) -> Result<Option<serde_json::Value>, String> {
        let mut engine = bare(limit)?;
        engine
            .add_policy("p.rego".to_owned(), format!("package p\n{module}"))
            .map_err(|error| format!("{error:#}"))?;
        ask(engine, "data.p.x".to_owned(), Some("{}"))
    }

    #[test]
    fn the_name_recorded_in_decisions_is_the_engine_that_is_built() {
        let lock = include_str!("../../../Cargo.lock");
        let (name, version) = NAME.split_once(' ').unwrap();
        assert!(lock.contains(&format!("name = \"{name}\"\nversion = \"{version}\"")));
    }

    #[test]
    fn clock_and_chance_are_errors_that_say_what_to_use() {
        for call in ["time.now_ns()", "rand.intn(\"a\", 5)", "trace(\"a\")"] {
            let error = eval(&format!("x := {call}")).unwrap_err();
            assert!(error.contains("not available to gates"), "{call}: {error}");
        }
        let error = eval("x := time.now_ns()").unwrap_err();
        assert!(error.contains("input.request.at_ms"), "{error}");
    }

    #[test]
    fn network_and_surroundings_do_not_exist() {
        for call in [
            "http.send({})",
            "opa.runtime()",
            "uuid.rfc4122(\"a\")",
            "net.cidr_expand(\"10.0.0.0/8\")",
        ] {
            let error = eval(&format!("x := {call}")).unwrap_err();
            assert!(error.contains("could not find function"), "{call}: {error}");
        }
    }

    #[test]
    fn aborting_builtins_are_replaced_by_errors() {
        for call in ["numbers.range(1, 1e12)", "numbers.range_step(1, 1e12, 1)"] {
            let error = eval(&format!("x := {call}")).unwrap_err();
            assert!(error.contains("not available to gates"), "{call}: {error}");
        }
    }

    #[test]
    fn edge_12_interpreter_is_the_authority() {
        let dotted = eval("m.a := 1\nm.b := 2\nx := m").unwrap().unwrap();
        assert_eq!(dotted, serde_json::json!({"a": 1, "b": 2}));
        let error = eval("x if { not 1/0 == 1 }").unwrap_err();
        assert!(error.contains("divide by zero"), "{error}");
    }

    #[test]
    fn the_timer_stops_loops_and_not_does_not_swallow_it() {
        let big = "[i, j, k, l, m |
            some i in r; some j in r; some k in r; some l in r; some m in r]";
        let range = "r := [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25]";
        let big = big.replace("[i, j, k, l, m |", "[1 |");
        for rule in [
            format!("{range}\nx := count({big})"),
            format!("{range}\nx if {{ not count({big}) == 0 }}"),
        ] {
            let start = Instant::now();
            let error = eval_within(&rule, Duration::from_millis(50)).unwrap_err();
            assert!(error.contains("time limit"), "{error}");
            assert!(start.elapsed() < Duration::from_secs(5));
        }
    }

    #[test]
    fn edge_10_unrepresentable_numbers_neither_panic_nor_pass() {
        for value in ["1e308 * 10", "-1e308 * 10", "[1e308 * 10]", "1e308 + 1e308"] {
            assert!(eval(&format!("x := {value}")).is_err(), "{value}");
        }
        let message = eval("x := sprintf(\"%v\", [1e308 * 10])");
        assert!(message.is_err(), "{message:?}");
    }

    #[test]
    fn edge_11_undefined_is_nothing_not_text() {
        assert_eq!(eval("x := 1 if { false }").unwrap(), None);
    }

    #[test]
    fn the_regex_limit_holds() {
        let error = eval(r#"x := regex.match("(a{1000}){1000}", "a")"#).unwrap_err();
        assert!(error.contains("regex"), "{error}");
    }
}
