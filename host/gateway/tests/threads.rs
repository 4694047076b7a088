//! The binary itself pins candle to one thread, whatever it inherits.

#[cfg(test)]
mod tests {
    use std::process::Command;

    /// What `tollgate doctor` says about threads when the variable is not set.
    fn verdict() -> serde_json::Value {
        let data = tempfile::tempdir().unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_tollgate"))
            .env_remove("RAYON_NUM_THREADS")
            .args(["doctor", "--json", "--data"])
            .arg(data.path())
            .output()
            .unwrap();
        let rows: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        rows.as_array()
            .unwrap()
            .iter()
            .find(|row| row["check"] == "threads")
            .unwrap()
            .clone()
    }

    #[test]
    fn matrix_products_are_pinned_to_one_thread_without_any_setting() {
        assert_eq!(verdict()["state"], "ok");
    }
}
