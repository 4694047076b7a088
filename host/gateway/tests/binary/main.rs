//! The binary as an operator starts it and as a hostile caller meets it.

#[cfg(test)]
mod gateway;

#[cfg(test)]
mod tests {
    use crate::gateway::{Gateway, tollgate};
    use serde_json::{Value, json};
    use std::path::Path;

    fn example(file: &str) -> Vec<u8> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/breast-cancer");
        std::fs::read(root.join(file)).unwrap()
    }

    #[test]
    fn it_starts_with_default_settings_and_the_commands_find_it() {
        let gateway = Gateway::start();
        let output = gateway.run(&["token", "list", "--json"]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let tokens: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(tokens[0]["name"], "admin");
    }

    #[test]
    fn one_idempotency_key_from_many_sides_at_once_is_one_change() {
        let gateway = Gateway::start();
        let ask = || {
            let headers = "idempotency-key: k\r\n";
            gateway.ask("POST", "/models", headers, br#"{"name": "m"}"#)
        };
        let replies: Vec<_> = std::thread::scope(|scope| {
            let asking: Vec<_> = (0..16).map(|_| scope.spawn(ask)).collect();
            asking.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let made: Vec<_> = replies
            .iter()
            .filter(|(status, _)| *status == 201)
            .collect();
        assert!(!made.is_empty(), "{replies:?}");
        for reply in &replies {
            let same = reply.0 == 201 && reply.1 == made[0].1;
            let busy = reply.0 == 409 && reply.1.contains("idempotency_key_busy");
            assert!(same || busy, "{reply:?}");
        }
        assert_eq!(gateway.ask("GET", "/models/m", "", b"").0, 200);
    }

    #[test]
    fn the_secret_of_a_new_token_is_not_kept_for_its_idempotency_key() {
        let gateway = Gateway::start();
        let ask = || {
            let body = br#"{"name": "ci", "role": "viewer"}"#;
            gateway.ask("POST", "/tokens", "idempotency-key: k\r\n", body)
        };
        let (first, again) = (ask(), ask());
        assert_eq!((first.0, again.0), (201, 409), "{again:?}");
        let made: Value = serde_json::from_str(&first.1).unwrap();
        let secret = made["secret"].as_str().unwrap().rsplit('_').next().unwrap();
        for entry in std::fs::read_dir(gateway.data()).unwrap().flatten() {
            let bytes = std::fs::read(entry.path()).unwrap_or_default();
            let found = bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes());
            assert!(!found, "{} holds the secret", entry.path().display());
        }
    }

    #[test]
    fn requests_that_cannot_mean_what_they_say_are_refused_by_field() {
        let gateway = Gateway::start();
        let settings = |settings: Value| json!({"name": "e", "settings": settings});
        let level = json!({"source": "s", "metrics": {"m": {"value": 1, "level": 7, "n": 1,
            "ci_low": null, "ci_high": null, "method": "x", "greater_is_better": true}}});
        let cases = [
            ("/models", json!(["m", ""]), "body: "),
            ("/models", json!({}), "body: "),
            ("/models?nmae=m", json!({"name": "m"}), "nmae"),
            (
                "/endpoints",
                settings(json!({"gates": [], "dataset": "d"})),
                "settings.dataset",
            ),
            (
                "/endpoints",
                settings(json!({"gates": ["g"]})),
                "settings.gates",
            ),
            (
                "/tokens",
                json!({"name": "t", "role": "viewer", "expires_at": 5}),
                "expires_at",
            ),
            ("/models/m/versions/x/metrics", level.clone(), "version: "),
            ("/models/m/versions/1/metrics", level, "level"),
        ];
        for (path, body, names) in cases {
            let (status, said) = gateway.post(path, &body);
            assert_eq!(status, 400, "{path} {body}: {said}");
            assert!(said.contains(names), "{path} {body}: {said}");
        }
        for path in ["/models?endpoint=e", "/endpoints?limit=3", "/whoami?x"] {
            assert_eq!(gateway.ask("GET", path, "", b"").0, 400, "{path}");
        }
    }

    #[test]
    fn files_that_were_changed_on_disk_are_not_used_and_doctor_names_them() {
        let gateway = Gateway::start();
        let model = gateway.upload(&example("models/champion.onnx"));
        let rows = gateway.upload(&example("heldout.csv"));
        assert_eq!(gateway.post("/models", &json!({"name": "m"})).0, 201);
        let (status, said) = gateway.post("/models/m/versions", &json!({"artifact": model}));
        assert_eq!(status, 201, "{said}");
        let dataset = json!({"name": "d", "artifact": rows, "label": "label", "task": "binary"});
        assert_eq!(gateway.post("/datasets", &dataset).0, 201);
        let evaluate = || {
            let body = json!({"model": "m", "version": 1, "dataset": "d"});
            gateway.post("/evaluations", &body)
        };
        for digest in [&model, &rows] {
            let file = gateway.artifact(digest);
            let whole = std::fs::read(&file).unwrap();
            let mut changed = whole.clone();
            let last = changed.len() - 2;
            changed[last] ^= 1;
            std::fs::remove_file(&file).unwrap();
            std::fs::write(&file, changed).unwrap();
            let (status, said) = evaluate();
            assert_eq!(status, 500, "{said}");
            let output = gateway.run(&["doctor", "--json"]);
            assert_eq!(output.status.code(), Some(1), "{output:?}");
            let report = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(report.contains(digest.as_str()), "{report}");
            std::fs::write(&file, whole).unwrap();
        }
        let (status, said) = evaluate();
        assert_eq!(status, 201, "{said}");
    }

    #[test]
    fn doctor_makes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        // Nor in a folder that is there and is none of a gateway's.
        for arguments in [&["doctor"][..], &["doctor", "--data", "."]] {
            let output = tollgate(folder.path(), arguments).output().unwrap();
            assert_eq!(output.status.code(), Some(1), "{output:?}");
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        }
    }

    #[test]
    fn a_reader_that_has_seen_enough_is_no_failure() {
        let folder = tempfile::tempdir().unwrap();
        for arguments in [&["completions", "bash"][..], &["config"]] {
            let mut command = tollgate(folder.path(), arguments);
            let (reader, writer) = std::io::pipe().unwrap();
            drop(reader);
            let output = command.stdout(writer).output().unwrap();
            assert_eq!(output.status.code(), Some(0), "{output:?}");
        }
    }

    #[test]
    fn wrong_settings_and_names_are_wrong_usage() {
        let folder = tempfile::tempdir().unwrap();
        for arguments in [
            &["serve", "--log", "tollgate=loud"][..],
            &["serve", "--data", "a?b"],
            &["serve", "--database", "mysql://u:s3cret@h/db"],
            &["token", "revoke", "ci#old"],
            &["model", "versions", "../tokens"],
            &["gate", "replay", "dec_1"],
            &["predict", "churn"],
            &["promote", "churn", "--endpoint", "e", "--reason", "x"],
        ] {
            let output = tollgate(folder.path(), arguments).output().unwrap();
            assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(!said.is_empty() && !said.contains("s3cret"), "{said}");
        }
    }
}
