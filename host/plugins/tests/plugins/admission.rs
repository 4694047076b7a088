//! What is admitted, what is not, and what the refusal says.

use crate::support::{HOST, HandClock, guest, limits};
use domain::{
    batch::Element,
    plugin::{Isolation, PluginKind, PluginLimits},
    ports::engine::{AdmitError, PluginEngine},
};
use plugins::{PluginConfig, PluginHost};
use std::sync::Arc;

fn admit(bytes: &[u8]) -> Result<domain::ports::engine::Admitted, AdmitError> {
    HOST.0.admit(bytes, "{}", &limits(Isolation::Fresh))
}

fn malformed(bytes: &[u8]) -> String {
    match admit(bytes) {
        Err(AdmitError::Malformed(why)) => why,
        other => panic!("not malformed: {other:?}"),
    }
}

#[test]
fn each_kind_is_recognised() {
    let transform = admit(&guest("plain")).unwrap();
    assert_eq!(transform.kind, PluginKind::Transform);
    assert_eq!(transform.wit_version, "0.1.0");
    let contract = transform.contract.unwrap();
    assert_eq!(
        (contract.inputs.len(), contract.inputs[29].element),
        (30, Element::F32)
    );
    assert_eq!(contract.outputs[0].shape, [-1, 30]);
    for (name, kind) in [
        ("detector", PluginKind::Detector),
        ("action", PluginKind::Action),
    ] {
        let admitted = admit(&guest(name)).unwrap();
        assert_eq!((admitted.kind, admitted.contract), (kind, None));
    }
}

#[test]
fn what_is_no_component_is_refused_before_it_is_compiled() {
    assert!(malformed(b"(component)").contains("not text"));
    assert!(malformed(b"").contains("magic number"));
    assert!(malformed(b"\x7fELF\x02\x01\x01").contains("native code"));
    assert!(malformed(b"\0asm\x01\0\0\0").contains("core module"));
    assert!(malformed(b"\0asm\x07\0\x05\0").contains("neither"));
    let plain = guest("plain");
    assert!(malformed(&plain[..plain.len() / 2]).contains("cannot be parsed"));
    assert!(malformed(&vec![0; (32 << 20) + 1]).contains("at most 33554432"));
}

#[test]
fn an_empty_component_is_told_what_to_implement() {
    let AdmitError::World(problems) = admit(b"\0asm\x0d\0\x01\0").unwrap_err() else {
        panic!("not a world problem")
    };
    assert!(problems[0].contains("implement one of the worlds"));
}

#[test]
fn a_system_import_is_named_with_its_remedy() {
    let error = admit(&guest("wasi")).unwrap_err().to_string();
    assert!(
        error.contains("it imports wasi:clocks/monotonic-clock@0.2.9"),
        "{error}"
    );
    assert!(
        error.contains("build for wasm32-unknown-unknown"),
        "{error}"
    );
}

#[test]
fn a_damaged_component_never_panics() {
    let plain = guest("plain");
    for at in (8..plain.len()).step_by(97) {
        let mut bytes = plain.clone();
        bytes[at] ^= 0x55;
        // Any answer will do; some damage lies in data or names and is harmless.
        drop(admit(&bytes));
    }
}

#[test]
fn limits_above_the_ceiling_are_refused_all_at_once() {
    let limits = PluginLimits {
        deadline_ms: 0,
        memory_bytes: 1 << 40,
        ..PluginLimits::default()
    };
    let error = HOST
        .0
        .admit(&guest("plain"), "{}", &limits)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("deadline_ms is 0") && error.contains("memory_bytes is"),
        "{error}"
    );
}

#[test]
fn a_variant_takes_no_detector() {
    let bytes = guest("detector");
    let revision = domain::digest::Digest::of(&bytes);
    let error = HOST
        .0
        .load_transform(&revision, &bytes, "{}", &limits(Isolation::Fresh));
    assert!(error.unwrap_err().to_string().contains("of kind detector"));
}

fn cached(folder: &std::path::Path) -> PluginHost {
    let config = PluginConfig {
        cache: Some(folder.to_owned()),
        ..crate::support::config()
    };
    PluginHost::new(config, Arc::new(HandClock::default())).unwrap()
}

fn artifacts(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some()).collect()
}

#[test]
fn artifacts_are_kept_and_altered_ones_are_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let admit = |host: &PluginHost| {
        host.admit(&guest("plain"), "{}", &limits(Isolation::Fresh))
            .unwrap()
    };
    let first = admit(&cached(folder.path()));
    let [artifact] = &artifacts(folder.path())[..] else {
        panic!("not one artifact")
    };
    let good = std::fs::read(artifact).unwrap();
    assert_eq!(admit(&cached(folder.path())), first);

    let mut bad = good.clone();
    let last = bad.len() - 1;
    bad[last] ^= 1;
    std::fs::write(artifact, &bad).unwrap();
    assert_eq!(admit(&cached(folder.path())), first);
    assert_eq!(
        std::fs::read(artifact).unwrap(),
        good,
        "compiled anew and replaced"
    );

    use std::os::unix::fs::PermissionsExt;
    let key = std::fs::metadata(folder.path().join("key")).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
}
