//! The plugin author's path through the real binary, with no gateway running.

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use std::{
        fs,
        path::{Path, PathBuf},
        process::{Command, Output},
    };
    use tempfile::TempDir;

    /// The binary in `folder`, with no setting of this process. Projects in Rust
    /// share the build of their dependencies with the guests of this repository,
    /// and have the same versions of them, so nothing is downloaded.
    fn tollgate(folder: &Path, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("TOLLGATE_") {
                command.env_remove(name);
            }
        }
        let home = std::env::var_os("CARGO_HOME").map_or_else(
            || std::env::home_dir().unwrap().join(".cargo"),
            PathBuf::from,
        );
        command
            .env(
                "CARGO_TARGET_DIR",
                home.join("tollgate-build/guests/plugins"),
            )
            .env("CARGO_NET_OFFLINE", "true")
            .current_dir(folder)
            .args(arguments)
            .output()
            .unwrap()
    }

    fn guest(name: &str) -> String {
        let folder = std::env::var_os("TOLLGATE_GUESTS").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/guests"),
            PathBuf::from,
        );
        let path = folder.join(format!("{name}.wasm")).canonicalize();
        path.unwrap_or_else(|_| panic!("no guest {name}: run cargo xtask guests first"))
            .display()
            .to_string()
    }

    #[track_caller]
    fn ends(output: &Output, code: i32) -> (String, String) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{out}{err}");
        (out, err)
    }

    fn folder_with_golden(cases: &Value) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        let settings = json!({ "columns": [{"name": "a", "steps": [{"impute": 5}]}] });
        let golden = json!({ "kind": "transform", "settings": settings, "cases": cases });
        fs::write(folder.path().join("golden.json"), golden.to_string()).unwrap();
        fs::write(folder.path().join("settings.json"), settings.to_string()).unwrap();
        folder
    }

    #[test]
    fn a_new_project_of_every_kind_in_rust_passes_at_once() {
        let folder = tempfile::tempdir().unwrap();
        for kind in ["transform", "detector", "action"] {
            let name = format!("my-{kind}");
            let made = tollgate(
                folder.path(),
                &["plugin", "new", &name, "--kind", kind, "--lang", "rust"],
            );
            ends(&made, 0);
            let tested = tollgate(folder.path(), &["plugin", "test", &name, "--json"]);
            let (out, _) = ends(&tested, 0);
            assert!(out.contains("\"passed\":true"), "{out}");
            let checked = ["plugin", "check", &name, "--no-build", "--json"];
            let (out, _) = ends(&tollgate(folder.path(), &checked), 0);
            let checked: Value = serde_json::from_str(out.trim()).unwrap();
            assert_eq!(checked["kind"], *kind);
            assert_eq!(checked["problems"], json!([]));
        }
        // The transform goes on: measured, run, broken, and refused.
        let project = folder.path().join("my-transform");
        let measured = tollgate(&project, &["plugin", "bench", "--no-build", "--json"]);
        let (out, _) = ends(&measured, 0);
        let bench: Value = serde_json::from_str(out.trim()).unwrap();
        assert_eq!(bench["calls"].as_array().unwrap().len(), 6, "{bench}");
        fs::write(project.join("rows.csv"), "area,points\n1000,0.1\n,0.15\n").unwrap();
        let run = [
            "plugin",
            "run",
            "--no-build",
            "--input",
            "rows.csv",
            "--json",
        ];
        let (out, _) = ends(&tollgate(&project, &run), 0);
        let ran: Value = serde_json::from_str(out.trim()).unwrap();
        let tensor = &ran["outcome"]["tensors"][0];
        assert_eq!(tensor["shape"], json!([2, 2]));
        assert_eq!(tensor["values"], json!([1.0, 0.0, 0.0, 1.0]));

        let source = project.join("src/lib.rs");
        let good = fs::read_to_string(&source).unwrap();
        fs::write(&source, good.clone() + "\nfn broken( {}\n").unwrap();
        let (_, err) = ends(&tollgate(&project, &["plugin", "watch", "--once"]), 1);
        assert!(err.contains("cargo failed"), "{err}");
        assert!(
            !project.join("my-transform.wasm").exists(),
            "an old component was left behind"
        );
        fs::write(&source, good).unwrap();
        ends(&tollgate(&project, &["plugin", "watch", "--once"]), 0);
    }

    #[test]
    fn a_new_project_never_overwrites() {
        let folder = tempfile::tempdir().unwrap();
        let new = |name: &str| {
            let arguments = ["plugin", "new", name, "--kind", "action", "--lang", "c"];
            tollgate(folder.path(), &arguments)
        };
        fs::create_dir(folder.path().join("empty")).unwrap();
        ends(&new("empty"), 0);
        assert!(ends(&new("empty"), 2).1.contains("is not empty"));
        assert!(
            ends(&new("Bad Name"), 2)
                .1
                .contains("is no name for a plugin")
        );
    }

    #[test]
    fn differences_are_shown_updated_and_written_for_ci() {
        let folder = folder_with_golden(&json!([
            { "name": "right", "columns": {"a": [1]}, "expect": {"tensors": [{"name": "input", "values": [1]}]} },
            { "name": "wrong", "columns": {"a": [1, null]}, "expect": {"tensors": [{"name": "input", "values": [1, 4]}]} },
        ]));
        let tabular = guest("tabular");
        let test = ["plugin", "test", &tabular, "--golden", "golden.json"];
        let (out, _) = ends(&tollgate(folder.path(), &test), 1);
        // What a case costs depends on the compiler that built the guest.
        let shown: Vec<&str> = out
            .lines()
            .map(|line| line.split("  fuel ").next().unwrap().trim_end())
            .collect();
        assert_eq!(
            shown,
            [
                "pass  right",
                "FAIL  wrong",
                "        tensor \"input\" [1, 0]",
                "          expected  4",
                "          got       5.0",
                "1 passed, 1 failed",
            ]
        );
        let junit = [&test[..], &["--junit", "junit.xml"]].concat();
        ends(&tollgate(folder.path(), &junit), 1);
        let xml = fs::read_to_string(folder.path().join("junit.xml")).unwrap();
        assert!(xml.contains("tests=\"2\" failures=\"1\""), "{xml}");
        let update = [&test[..], &["--update"]].concat();
        ends(&tollgate(folder.path(), &update), 0);
        ends(&tollgate(folder.path(), &test), 0);
    }

    #[test]
    fn a_component_that_no_gateway_takes_is_told_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let check = |file: &str| tollgate(folder.path(), &["plugin", "check", file]);
        let (out, _) = ends(&check(&guest("wasi")), 1);
        assert!(out.contains("wasm32-unknown-unknown"), "{out}");
        fs::write(folder.path().join("core.wasm"), b"\0asm\x01\0\0\0").unwrap();
        let (out, _) = ends(&check("core.wasm"), 1);
        assert!(out.contains("tollgate plugin build"), "{out}");
        // Its contract depends on settings, and without any there is none.
        let (out, _) = ends(&check(&guest("tabular")), 1);
        assert!(out.contains("correct the settings"), "{out}");
        assert!(ends(&check("nothing"), 2).1.contains("plugin.toml"));
    }
}
