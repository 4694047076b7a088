//! The story: a champion serves through a transform, a worse candidate is
//! refused with reasons, a better one takes over while a client keeps calling.
//!
//! It may be told again on the same data folder: models, plugin, gate and data
//! set are found by content and used again; only the endpoint is a new one, so
//! that there is a first promotion to see.

use super::{
    example::{Example, gate_bundle, probabilities},
    show::Show,
    table,
    traffic::{Report, Traffic},
};
use crate::{
    admin::{Client, list, number, text},
    gateway::{Gateway, program},
};
use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path};

const MODEL: &str = "tumour";
const PLUGIN: &str = "tabular";
const GATE: &str = "quality";
const DATASET: &str = "breast-cancer-heldout";
/// Answers that the client must have from each champion.
const ANSWERS: u64 = 100;

/// All that is needed to tell it.
pub struct Story<'a> {
    /// Where to show it.
    pub show: &'a Show,
    /// The gateway's program, for `gate replay`.
    pub binary: &'a Path,
    /// The repository.
    pub root: &'a Path,
    /// The folder of built guests.
    pub guests: &'a Path,
    /// The running gateway.
    pub gateway: &'a Gateway,
    /// Whether somebody wants it to end now.
    pub stopped: &'a dyn Fn() -> bool,
}

/// A registered version and what the story calls it.
struct Version {
    label: &'static str,
    file: &'static str,
    number: u64,
}

impl Story<'_> {
    /// Tells it; fails at the first step that does not hold.
    pub fn tell(&self) -> Result<()> {
        let admin = self.gateway.admin()?;
        let me = admin.get("/whoami")?;
        self.show.line(&format!(
            "admin token found; we are {} ({})",
            text(&me, "/name")?,
            text(&me, "/role")?
        ));
        let example = Example::read(self.root)?;
        let transform = self.transform(&admin, &example)?;
        self.gate_and_data(&admin, &example)?;
        let endpoint = self.endpoint(&admin)?;
        let [champion, worse, better] = self.versions(&admin, &example, &transform)?;
        self.evaluations(&admin, &champion, &[&worse, &better])?;

        self.show.line(&format!(
            "asking to promote v{} (the {})",
            champion.number, champion.label
        ));
        let first = self.promote(&admin, &endpoint, &champion, "promoted")?;
        self.show_checks(&first);
        let body = example.predict_body(0..1)?;
        let path = format!("/v1/models/{endpoint}:predict");
        let caller = self.caller(&admin, &endpoint)?;
        self.numbers_hold(&caller, &path, &example, &champion)?;

        let traffic = Traffic::start(caller.clone(), path.clone(), body.clone());
        traffic.wait_for(&champion.number.to_string(), ANSWERS)?;
        self.show
            .line("a client calls predictions without pause from here on");
        self.stop_if_asked()?;

        self.show.line(&format!(
            "asking to promote v{} (the {})",
            worse.number, worse.label
        ));
        let refused = self.promote(&admin, &endpoint, &worse, "denied")?;
        self.show_checks(&refused);
        self.show.line(&format!(
            "asking to promote v{} (the {})",
            better.number, better.label
        ));
        let cleared = self.promote(&admin, &endpoint, &better, "promoted")?;
        self.show_checks(&cleared);
        traffic.wait_for(&better.number.to_string(), ANSWERS)?;
        self.swap_was_clean(&traffic.finish()?, &champion, &better)?;
        self.numbers_hold(&caller, &path, &example, &better)?;

        self.replay(&refused)?;
        self.replay(&cleared)?;
        self.say_how_to_call(&caller, &path, &body)
    }

    fn transform(&self, admin: &Client, example: &Example) -> Result<String> {
        let file = self.guests.join(format!("{PLUGIN}.wasm"));
        let component = admin.upload(&file)?;
        let settings = example.settings()?;
        let limits = json!({"isolation": "warm"});
        let body = json!({"component": component, "settings": settings, "limits": limits});
        let path = format!("/plugins/{PLUGIN}/revisions");
        let revision = self.show.during("compiling the transform", || {
            created(admin, &path, &body, || {
                let all = list(&admin.get(&path)?, "/items");
                let same = |item: &Value| {
                    item.get("component") == body.get("component")
                        && item.get("settings") == body.get("settings")
                        && item.pointer("/limits/isolation") == body.pointer("/limits/isolation")
                };
                all.into_iter()
                    .find(same)
                    .context("no revision with this component and settings")
            })
        })?;
        let digest = text(&revision, "/digest")?;
        self.show.line(&format!(
            "transform {PLUGIN} admitted with settings for {} columns, revision {}",
            example.columns.len(),
            short(&digest)
        ));
        Ok(digest)
    }

    fn gate_and_data(&self, admin: &Client, example: &Example) -> Result<()> {
        let bundle = gate_bundle(&self.root.join("policies").join(GATE))?;
        let gate = self.show.during("running the gate's own tests", || {
            admin.put(&format!("/gates/{GATE}"), &bundle)
        })?;
        let checks = list(&gate, "/bundle/manifest/required_checks");
        let checks: Vec<&str> = checks.iter().filter_map(Value::as_str).collect();
        self.show.line(&format!(
            "gate {GATE} admitted, its own tests pass; every promotion must prove: {}",
            checks.join(", ")
        ));
        let artifact = admin.upload(&example.heldout())?;
        let body =
            json!({"name": DATASET, "artifact": artifact, "label": "label", "task": "binary"});
        let data = created(admin, "/datasets", &body, || {
            admin.get(&format!("/datasets/{DATASET}"))
        })?;
        ensure!(
            text(&data, "/digest")? == artifact,
            "the data folder holds another data set called {DATASET}; choose another folder with --data"
        );
        let rows = number(&data, "/rows")?;
        ensure!(
            rows == example.rows.len() as u64,
            "{rows} rows registered, the file has {}",
            example.rows.len()
        );
        self.show.line(&format!(
            "held-out data registered: {rows} rows, {}",
            short(&artifact)
        ));
        Ok(())
    }

    /// A new endpoint: `tumour`, else `tumour-2`, `tumour-3`…
    fn endpoint(&self, admin: &Client) -> Result<String> {
        let all = list(&admin.get("/endpoints")?, "/items");
        let taken: Vec<String> = all
            .iter()
            .filter_map(|item| text(item, "/name").ok())
            .collect();
        let names = (1_u32..).map(|n| {
            if n == 1 {
                MODEL.to_owned()
            } else {
                format!("{MODEL}-{n}")
            }
        });
        let name = names.take(100_000).find(|name| !taken.contains(name));
        let name = name.context("no name is left for the endpoint")?;
        let settings = json!({"gates": [GATE], "dataset": DATASET, "access": "token"});
        admin.post("/endpoints", &json!({"name": name, "settings": settings}))?;
        self.show.line(&format!(
            "endpoint {name} made; it needs a token and serves nothing yet"
        ));
        Ok(name)
    }

    fn versions(&self, admin: &Client, example: &Example, transform: &str) -> Result<[Version; 3]> {
        let about = json!({"name": MODEL, "description": "Is a breast tumour malignant?"});
        created(admin, "/models", &about, || {
            admin.get(&format!("/models/{MODEL}"))
        })?;
        let path = format!("/models/{MODEL}/versions");
        let known = list(&admin.get(&path)?, "/items");
        let register = |label, file| -> Result<Version> {
            let artifact = admin.upload(&example.model(file))?;
            let is_it = |item: &&Value| {
                item.get("artifact").and_then(Value::as_str) == Some(&artifact)
                    && item.get("transform").and_then(Value::as_str) == Some(transform)
            };
            let version = match known.iter().find(is_it) {
                Some(known) => known.clone(),
                None => admin.post(&path, &json!({"artifact": artifact, "transform": transform, "lineage": {"file": file}}))?,
            };
            let number = number(&version, "/version")?;
            self.show.line(&format!(
                "{MODEL} v{number} registered: the {label}, {file} ({})",
                text(&version, "/format")?
            ));
            Ok(Version {
                label,
                file,
                number,
            })
        };
        Ok([
            register("champion", "champion.onnx")?,
            register("worse candidate", "candidate-worse.json")?,
            register("better candidate", "candidate-better.onnx")?,
        ])
    }

    fn evaluations(
        &self,
        admin: &Client,
        champion: &Version,
        candidates: &[&Version],
    ) -> Result<()> {
        self.evaluate(admin, champion, None)?;
        candidates
            .iter()
            .try_for_each(|candidate| self.evaluate(admin, candidate, Some(champion)))
    }

    fn evaluate(
        &self,
        admin: &Client,
        version: &Version,
        baseline: Option<&Version>,
    ) -> Result<()> {
        let mut body = json!({"model": MODEL, "version": version.number, "dataset": DATASET});
        if let (Some(baseline), Some(fields)) = (baseline, body.as_object_mut()) {
            fields.insert(
                "baseline".to_owned(),
                json!({"model": MODEL, "version": baseline.number}),
            );
        }
        let sealed = self
            .show
            .during("evaluating", || admin.post("/evaluations", &body))?;
        let auc = interval(&sealed, "/metrics/roc_auc").context("the evaluation has no ROC AUC")?;
        let versus = interval(&sealed, "/baseline/differences/roc_auc")
            .map(|difference| format!(", minus the champion's {difference}"))
            .unwrap_or_default();
        ensure!(
            sealed.get("seal").is_some_and(Value::is_string),
            "the evaluation is not sealed: {sealed}"
        );
        self.show.line(&format!(
            "{MODEL} v{} evaluated by the gateway on {} rows: ROC AUC {auc}{versus}",
            version.number,
            number(&sealed, "/rows")?
        ));
        Ok(())
    }

    /// Asks for a promotion and checks what came of it; the decision.
    fn promote(
        &self,
        admin: &Client,
        endpoint: &str,
        version: &Version,
        wanted: &str,
    ) -> Result<Value> {
        let reason = format!("demo: the {}", version.label);
        let body = json!({"endpoint": endpoint, "model": MODEL, "version": version.number, "reason": reason});
        let answer = admin.post("/promotions", &body)?;
        let status = text(&answer, "/promotion/status")?;
        let decision = answer.get("decision").cloned().unwrap_or_default();
        if status != wanted {
            self.show_checks(&decision);
            bail!(
                "the promotion of v{} should be {wanted} and is {status}",
                version.number
            );
        }
        self.show.line(&match status.as_str() {
            "promoted" => format!("cleared: {endpoint} is served by v{} now", version.number),
            _ => format!("refused: {endpoint} keeps what it serves"),
        });
        Ok(decision)
    }

    fn show_checks(&self, decision: &Value) {
        self.show.block(&table::checks(decision));
        let reasons = table::reasons(decision);
        if !reasons.is_empty() {
            self.show.block(&reasons);
        }
    }

    /// A token that may call predictions and nothing else.
    fn caller(&self, admin: &Client, endpoint: &str) -> Result<Client> {
        let body = json!({"name": format!("demo-client-{endpoint}"), "role": "client"});
        let secret = text(&admin.post("/tokens", &body)?, "/secret")?;
        let caller = admin.with_token(Some(&secret));
        let refused = caller.send(reqwest::Method::GET, "/admin/v1/endpoints", None)?;
        ensure!(
            refused.status == 403,
            "a client's token may read the admin API: {}",
            refused.status
        );
        let file = self.gateway.data.join("demo-client.token");
        // A file of an earlier run keeps its mode, which was the same.
        let mut options = std::fs::File::options();
        let mut file = options
            .create(true)
            .write(true)
            .truncate(true)
            .mode(0o600)
            .open(file)?;
        file.write_all(secret.as_bytes())?;
        Ok(caller)
    }

    /// Predictions equal those of the library that trained the model.
    fn numbers_hold(
        &self,
        caller: &Client,
        path: &str,
        example: &Example,
        version: &Version,
    ) -> Result<()> {
        let expected = example.expected(version.file)?;
        let body = example.predict_body(0..expected.len())?;
        let reply = caller.predict(path, &body)?;
        let given = probabilities(&reply.good()?)?;
        ensure!(
            given.len() == expected.len(),
            "{} answers for {} rows",
            given.len(),
            expected.len()
        );
        let off = given
            .iter()
            .zip(&expected)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f64::max);
        ensure!(
            off <= 1e-5,
            "predictions of v{} differ from its library's by {off}",
            version.number
        );
        self.show.line(&format!(
            "v{} answers as the library that trained it: largest difference over {} rows {off:.1e}",
            version.number,
            expected.len()
        ));
        Ok(())
    }

    fn swap_was_clean(&self, report: &Report, before: &Version, after: &Version) -> Result<()> {
        let counts: Vec<String> = report
            .versions
            .iter()
            .map(|(name, n)| format!("v{name} {n}"))
            .collect();
        self.show.line(&format!(
            "the client got {} answers ({}), {} failed; longest wait {:.1} ms",
            report.requests,
            counts.join(", then "),
            report.failed,
            report.slowest.as_secs_f64() * 1e3
        ));
        ensure!(
            report.failed == 0,
            "requests failed during the swap: {}",
            report.failures.join("; ")
        );
        ensure!(
            !report.went_back,
            "an older version answered after a newer one"
        );
        let order: Vec<&str> = report
            .versions
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        ensure!(
            order == [before.number.to_string(), after.number.to_string()],
            "other versions answered than the two champions: {order:?}"
        );
        Ok(())
    }

    fn replay(&self, decision: &Value) -> Result<()> {
        let id = text(decision, "/id")?;
        let output = program(self.binary)
            .args([
                "gate",
                "replay",
                &id,
                "--server",
                &self.gateway.url,
                "--token-file",
            ])
            .arg(self.gateway.data.join("admin.token"))
            .output()?;
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        ensure!(
            output.status.success(),
            "`tollgate gate replay {id}` ended with {}: {said} {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
        self.show.line(&format!("tollgate gate replay {id}"));
        for line in said.lines() {
            self.show.block(&format!("            {line}"));
        }
        Ok(())
    }

    fn say_how_to_call(&self, caller: &Client, path: &str, body: &str) -> Result<()> {
        let row = self.gateway.data.join("demo-row.json");
        std::fs::write(&row, body)?;
        let token = self.gateway.data.join("demo-client.token");
        let answer = caller.predict(path, body)?;
        let said = answer.good()?;
        self.show.line("call it yourself (one held-out row):");
        self.show.block(&format!(
            "  curl -s {}{path} -H \"Authorization: Bearer $(cat {})\" -d @{}",
            self.gateway.url,
            token.display(),
            row.display()
        ));
        self.show.block(&format!("  {said}"));
        Ok(())
    }

    fn stop_if_asked(&self) -> Result<()> {
        ensure!(!(self.stopped)(), "stopped");
        Ok(())
    }
}

/// Creates something, or gets the one that is there already.
fn created(
    admin: &Client,
    path: &str,
    body: &Value,
    existing: impl FnOnce() -> Result<Value>,
) -> Result<Value> {
    let content = Some((body.to_string().into_bytes(), "application/json"));
    let reply = admin.send(reqwest::Method::POST, &format!("/admin/v1{path}"), content)?;
    if reply.status == 409 {
        existing()
    } else {
        reply.good()
    }
}

/// A metric or difference with its interval.
fn interval(value: &Value, pointer: &str) -> Option<String> {
    let metric = value.pointer(pointer)?;
    let at = |name: &str| metric.get(name).and_then(Value::as_f64);
    Some(format!(
        "{:.3} ({:.3} to {:.3})",
        at("value")?,
        at("ci_low")?,
        at("ci_high")?
    ))
}

fn short(digest: &str) -> String {
    digest.chars().take("sha256:".len() + 12).collect()
}
