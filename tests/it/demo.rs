//! The demo is a test: the program that the README names, run to its end.

use std::process::{Command, Output};
use tests::places;

fn demo(data: &std::path::Path) -> (Output, String) {
    let output = Command::new(xtask::shell::binary(&places::root(), "xtask"))
        .args(["demo", "--once", "--built", "--port", "0", "--data"])
        .arg(data)
        .env("CARGO_MANIFEST_DIR", places::root().join("xtask"))
        .env("XTASK_TOLLGATE", places::tollgate())
        .output()
        .unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    (output, said)
}

#[test]
fn the_demo_holds_and_can_be_played_again_on_the_same_folder() {
    let data = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let (output, said) = demo(data.path());
        assert!(output.status.success(), "{said}");
        let text = String::from_utf8_lossy(&output.stdout);
        let second = text.lines().nth(1).unwrap();
        let at: f64 = second
            .trim_start_matches(['[', ' '])
            .split('s')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        assert!(at < 1.0, "the story's first line came after {at} s");
        assert!(text.contains(", 0 failed;"), "{said}");
    }
}
