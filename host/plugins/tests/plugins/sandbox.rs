//! Guests that attack the sandbox: for each, the exact outcome, and that the
//! next call is a good one.

use crate::support::{call, floats, hostile, limits, row, still_works};
use domain::{
    error::ErrorKind,
    plugin::{Isolation, PluginLimits},
    ports::engine::{AdmitError, PluginError},
};

/// What a deed in `apply` leads to, in both modes; the next call is good.
fn outcome(deed: &str) -> PluginError {
    let mut errors: Vec<PluginError> = [Isolation::Fresh, Isolation::Warm]
        .into_iter()
        .map(|isolation| {
            let transform = hostile(deed, &limits(isolation)).unwrap();
            let error = call(&transform).unwrap_err();
            still_works(&transform);
            error
        })
        .collect();
    let warm = errors.pop();
    assert_eq!(errors.first(), warm.as_ref(), "both modes fail alike");
    errors.remove(0)
}

fn refusal(deed: &str) -> String {
    match hostile(deed, &limits(Isolation::Fresh)) {
        Err(AdmitError::Refused(why)) => why,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn an_endless_loop_meets_its_deadline() {
    assert_eq!(outcome("spin"), PluginError::Deadline { deadline_ms: 20 });
}

#[test]
fn an_endless_loop_at_admission_meets_its_deadline() {
    for deed in ["spin-configure", "spin-describe"] {
        assert_eq!(refusal(deed), "transform exceeded its deadline of 20 ms");
    }
}

#[test]
fn an_endless_start_meets_its_deadline() {
    let error = crate::support::load_on(
        &crate::support::HOST.0,
        "startup",
        "{}",
        &limits(Isolation::Fresh),
    );
    assert_eq!(
        error.unwrap_err(),
        AdmitError::Refused("transform exceeded its deadline of 20 ms".into())
    );
}

#[test]
fn endless_recursion_traps() {
    // The guest's own small stack ends first, below the host's limit.
    let PluginError::Trap(message) = outcome("recurse") else {
        panic!("not a trap")
    };
    assert!(
        message.contains("out of bounds") || message.contains("stack"),
        "{message}"
    );
}

#[test]
fn a_memory_bomb_is_refused_memory_and_traps() {
    let PluginError::Trap(message) = outcome("bomb") else {
        panic!("not a trap")
    };
    assert!(
        message.ends_with("after it was refused more than its 8388608 bytes of memory"),
        "{message}"
    );
}

#[test]
fn a_panic_traps() {
    assert!(matches!(outcome("panic"), PluginError::Trap(_)));
}

#[test]
fn an_output_over_the_limit_is_not_taken() {
    let limits = PluginLimits {
        memory_bytes: 64 << 20,
        output_bytes: 1 << 20,
        deadline_ms: 500,
        ..limits(Isolation::Fresh)
    };
    let transform = hostile("huge-output", &limits).unwrap();
    let PluginError::Contract(message) = call(&transform).unwrap_err() else {
        panic!("not a broken contract")
    };
    assert!(message.contains("fuel"), "{message}");
    still_works(&transform);
}

#[test]
fn outputs_that_break_the_contract_are_named() {
    for (deed, expected) in [
        (
            "lying-shape",
            "output \"y\": shape [1, 1] does not hold the 7 values that came back",
        ),
        (
            "overflowing-shape",
            "output \"y\": shape [4294967295, 4294967295] came back, the contract has [-1, 1] and the batch 1 rows",
        ),
        (
            "wrong-element",
            "output \"y\": its values are not of element F32",
        ),
        ("no-outputs", "0 tensors came back, the contract has 1"),
        (
            "odd-raw",
            "output \"y\": 3 raw bytes are not a multiple of the element's 4",
        ),
        (
            "bad-text",
            "output \"y\": its text offsets do not ascend from 0 to the end of the data",
        ),
    ] {
        let transform = hostile(deed, &limits(Isolation::Warm)).unwrap();
        assert_eq!(
            call(&transform),
            Err(PluginError::Contract(expected.into())),
            "{deed}"
        );
    }
}

#[test]
fn contracts_that_make_no_sense_are_refused() {
    assert!(refusal("bad-contract").contains("write -1 (rows) first"));
    assert_eq!(refusal("same-names"), "input \"x\" is named twice");
    let slow = PluginLimits {
        deadline_ms: 5_000,
        memory_bytes: 64 << 20,
        ..limits(Isolation::Fresh)
    };
    assert_eq!(
        hostile("huge-contract", &slow).unwrap_err(),
        AdmitError::Refused("describe must name 1 to 4096 inputs".into())
    );
}

#[test]
fn not_a_number_is_handed_on() {
    let transform = hostile("nan", &limits(Isolation::Fresh)).unwrap();
    let mut batch = row(&[1.0, 1.0]);
    batch.rows = 2;
    batch.blocks[0].fields = 1;
    let tensors = transform.apply(&batch).unwrap();
    assert!(floats(&tensors)[0].is_nan() && floats(&tensors)[1].is_infinite());
}

#[test]
fn a_log_flood_ends_the_call() {
    assert_eq!(
        outcome("log-flood"),
        PluginError::Contract("the call wrote more than 1000 log lines".into())
    );
}

#[test]
fn too_many_log_lines_are_dropped_quietly() {
    let transform = hostile("log-some", &limits(Isolation::Warm)).unwrap();
    for _ in 0..20 {
        assert_eq!(call(&transform), Ok(1.0));
    }
}

#[test]
fn a_refusal_keeps_its_words_but_no_control_characters() {
    assert_eq!(
        outcome("refuse"),
        PluginError::Failure {
            kind: ErrorKind::Invalid,
            code: "no-good".into(),
            message: "x  y".into(),
            field: Some("x".into()),
            row: Some(0),
        }
    );
    assert!(refusal("refuse-settings").contains("line one line two [31m"));
}

#[test]
fn fresh_mode_never_sees_the_call_before() {
    let transform = hostile("canary", &limits(Isolation::Fresh)).unwrap();
    for _ in 0..200 {
        assert_eq!(call(&transform), Ok(0.0));
    }
}

#[test]
fn fresh_mode_never_sees_another_plugin() {
    // Instances of two plugins take turns in the same slots of memory.
    let one = hostile("canary", &limits(Isolation::Fresh)).unwrap();
    let other = crate::support::load_on(
        &crate::support::HOST.0,
        "plain",
        "{}",
        &limits(Isolation::Fresh),
    )
    .unwrap();
    for _ in 0..50 {
        assert_eq!(call(&one), Ok(0.0));
        let plus_one = other.apply(&row(&[6.0; 30])).unwrap();
        assert_eq!(floats(&plus_one), [7.0; 30]);
    }
}

#[test]
fn warm_mode_uses_an_instance_again_and_then_retires_it() {
    let limits = PluginLimits {
        max_reuse: 3,
        ..limits(Isolation::Warm)
    };
    let transform = hostile("count", &limits).unwrap();
    let counts: Vec<f32> = (0..7).map(|_| call(&transform).unwrap()).collect();
    assert_eq!(counts, [1.0, 2.0, 3.0, 1.0, 2.0, 3.0, 1.0]);
}

#[test]
fn a_warm_instance_that_trapped_is_retired() {
    let transform = hostile("trap-on-third", &limits(Isolation::Warm)).unwrap();
    assert_eq!([call(&transform), call(&transform)], [Ok(1.0), Ok(1.0)]);
    assert!(matches!(call(&transform), Err(PluginError::Trap(_))));
    // A new instance counts from one again.
    assert_eq!([call(&transform), call(&transform)], [Ok(1.0), Ok(1.0)]);
}

#[test]
fn a_plugin_that_keeps_failing_is_switched_off_and_comes_back() {
    let (host, clock) = crate::support::host();
    let transform =
        crate::support::load_on(&host, "hostile", "\"panic\"", &limits(Isolation::Fresh)).unwrap();
    for _ in 0..5 {
        assert!(matches!(call(&transform), Err(PluginError::Trap(_))));
    }
    let open = |ms| Err(PluginError::Open { retry_after_ms: ms });
    assert_eq!(call(&transform), open(1_000));
    clock.advance(999);
    assert_eq!(call(&transform), open(1));
    clock.advance(1);
    assert!(
        matches!(call(&transform), Err(PluginError::Trap(_))),
        "one try"
    );
    assert_eq!(call(&transform), open(2_000));
    clock.advance(2_000);
    still_works(&transform);
    assert!(
        matches!(call(&transform), Err(PluginError::Trap(_))),
        "closed again"
    );
}

#[test]
fn more_calls_than_instances_are_told_so() {
    let config = plugins::PluginConfig {
        instances: 1,
        ..crate::support::config()
    };
    let clock = std::sync::Arc::new(crate::support::HandClock::default());
    let host = plugins::PluginHost::new(config, clock).unwrap();
    assert!(host.is_pooled());
    let limits = limits(Isolation::Warm);
    let first = crate::support::load_on(&host, "hostile", "\"\"", &limits).unwrap();
    let second = crate::support::load_on(&host, "hostile", "\"\"", &limits).unwrap();
    // The first keeps its warm instance, and there is only one slot.
    assert_eq!(call(&first), Ok(1.0));
    assert_eq!(call(&second), Err(PluginError::Busy));
}

#[test]
fn a_snapshot_answers_as_configuring_each_time_does() {
    let settings = r#"{"columns":[
        {"name":"a","steps":[{"impute":5},{"standard":{"mean":1,"std":2}}]},
        {"name":"b","steps":[{"ratio":{"by":"a","zero":0}}]}
    ]}"#;
    let batch = row(&[f32::NAN, 4.0]);
    let answers = [true, false].map(|snapshot| {
        let config = plugins::PluginConfig {
            snapshot,
            ..crate::support::config()
        };
        let clock = std::sync::Arc::new(crate::support::HandClock::default());
        let host = plugins::PluginHost::new(config, clock).unwrap();
        let limits = limits(Isolation::Fresh);
        let transform = crate::support::load_on(&host, "tabular", settings, &limits).unwrap();
        let first = transform.apply(&batch).unwrap();
        assert_eq!(
            format!("{first:?}"),
            format!("{:?}", transform.apply(&batch).unwrap())
        );
        floats(&first)
            .iter()
            .map(|x| x.to_bits())
            .collect::<Vec<_>>()
    });
    assert_eq!(answers[0], answers[1]);
    assert_eq!(f32::from_bits(answers[0][0]), 2.0);
}
