//! `tollgate endpoint`, `evaluate`, `promote`, `token`, `ledger`.

use super::{
    Connection, Output,
    client::text,
    output::{INCONCLUSIVE, REFUSED},
};
use crate::world::SystemClock;
use anyhow::Context as _;
use clap::{Args, Subcommand};
use domain::{
    name::{EndpointName, TokenName},
    ports::Clock as _,
};
use reqwest::Method;
use serde_json::{Value, json};
use std::process::ExitCode;

/// A day in milliseconds.
const DAY_MS: i64 = 24 * 3600 * 1000;

const ENDPOINT_COLUMNS: [&str; 7] = [
    "name",
    "settings.access",
    "settings.gates",
    "route.generation",
    "route.variants.0.model",
    "route.variants.0.version",
    "route.variants.0.transform",
];

#[derive(Debug, Subcommand)]
pub(crate) enum EndpointCommand {
    /// Make an endpoint; it serves nothing until a version is promoted
    Create(CreateEndpoint),
    /// Change settings; what is not given stays
    Set(CreateEndpoint),
    /// List endpoints and what they serve
    List {
        #[command(flatten)]
        connection: Connection,
    },
    /// Show one endpoint
    Show {
        /// The endpoint
        name: EndpointName,
        #[command(flatten)]
        connection: Connection,
    },
}

#[derive(Debug, Args)]
pub(crate) struct CreateEndpoint {
    /// Name of the endpoint
    name: EndpointName,
    /// Gate that every promotion must pass; may be repeated
    #[arg(long = "gate")]
    gates: Vec<String>,
    /// Data set whose evaluations count as evidence
    #[arg(long)]
    dataset: Option<String>,
    /// Who may call predictions: open or token
    #[arg(long)]
    access: Option<String>,
    /// Request header that keeps a caller on one variant
    #[arg(long)]
    sticky_header: Option<String>,
    /// Deadline of a prediction
    #[arg(long)]
    timeout_ms: Option<u32>,
    #[command(flatten)]
    connection: Connection,
}

impl CreateEndpoint {
    /// `settings` with what was given on the command line.
    fn onto(&self, mut settings: Value) -> Value {
        if !self.gates.is_empty() {
            settings["gates"] = json!(self.gates);
        }
        let texts = [
            ("dataset", &self.dataset),
            ("access", &self.access),
            ("sticky_header", &self.sticky_header),
        ];
        for (name, value) in texts {
            if let Some(value) = value {
                settings[name] = json!(value);
            }
        }
        if let Some(timeout) = self.timeout_ms {
            settings["timeout_ms"] = timeout.into();
        }
        settings
    }
}

impl EndpointCommand {
    pub(crate) async fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let endpoint = match self {
            Self::Create(create) => {
                let settings = create.onto(json!({ "gates": [] }));
                let body = json!({ "name": create.name, "settings": settings });
                create
                    .connection
                    .client()?
                    .post("/endpoints", &body)
                    .await?
            }
            Self::Set(set) => {
                let client = set.connection.client()?;
                let known = client.get(&format!("/endpoints/{}", set.name)).await?;
                let settings = set.onto(known["settings"].clone());
                let path = format!("/endpoints/{}/settings", set.name);
                client.send_json(Method::PUT, &path, &settings).await?
            }
            Self::List { connection } => {
                let endpoints = connection.client()?.list("/endpoints").await?;
                output.list(&endpoints, &ENDPOINT_COLUMNS);
                return Ok(ExitCode::SUCCESS);
            }
            Self::Show { name, connection } => {
                connection
                    .client()?
                    .get(&format!("/endpoints/{name}"))
                    .await?
            }
        };
        if output.json {
            output.value(&endpoint);
        } else {
            output.list(&[endpoint], &ENDPOINT_COLUMNS);
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// `model/version`.
pub(super) fn version_ref(text: &str) -> Result<(String, u32), String> {
    let (model, version) = text
        .split_once('/')
        .ok_or("write model/version, as in churn/3")?;
    let version = version
        .parse()
        .map_err(|_| format!("{version:?} is not a version number"))?;
    Ok((model.to_owned(), version))
}

#[derive(Debug, Args)]
pub(crate) struct Evaluate {
    /// The version, as in churn/3
    #[arg(value_parser = version_ref)]
    version: (String, u32),
    /// Data set to run it over
    #[arg(long)]
    dataset: String,
    /// Version to run beside it on the same rows, as in churn/2
    #[arg(long, value_parser = version_ref)]
    baseline: Option<(String, u32)>,
    /// Column to cut by; may be repeated
    #[arg(long = "slice")]
    slices: Vec<String>,
    /// Seed of resampling
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    connection: Connection,
}

impl Evaluate {
    pub(crate) async fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let mut body = json!({
            "model": self.version.0,
            "version": self.version.1,
            "dataset": self.dataset,
            "slices": self.slices,
            "seed": self.seed,
        });
        if let Some((model, version)) = self.baseline {
            body["baseline"] = json!({ "model": model, "version": version });
        }
        let evaluation = self
            .connection
            .client()?
            .post("/evaluations", &body)
            .await?;
        if output.json {
            output.value(&evaluation);
            return Ok(ExitCode::SUCCESS);
        }
        let metrics = evaluation["metrics"]
            .as_object()
            .context("an evaluation without metrics")?;
        let rows: Vec<Value> = metrics
            .iter()
            .map(|(name, metric)| {
                json!({
                    "metric": name,
                    "value": metric["value"],
                    "low": metric["ci_low"],
                    "high": metric["ci_high"],
                    "n": metric["n"],
                    "method": metric["method"],
                    "diff": evaluation["baseline"]["differences"][name]["value"],
                    "diff low": evaluation["baseline"]["differences"][name]["ci_low"],
                    "diff high": evaluation["baseline"]["differences"][name]["ci_high"],
                })
            })
            .collect();
        output.say(&format!("evaluation {}", text(&evaluation, "/id")?));
        output.list(
            &rows,
            &[
                "metric",
                "value",
                "low",
                "high",
                "n",
                "diff",
                "diff low",
                "diff high",
                "method",
            ],
        );
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Promote {
    /// The version, as in churn/3
    #[arg(value_parser = version_ref)]
    version: (String, u32),
    /// The endpoint
    #[arg(long)]
    endpoint: String,
    /// Why
    #[arg(long)]
    reason: String,
    /// Override soft gates, and why; goes on the record
    #[arg(long = "override")]
    overriding: Option<String>,
    #[command(flatten)]
    connection: Connection,
}

impl Promote {
    pub(crate) async fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let mut body = json!({
            "endpoint": self.endpoint,
            "model": self.version.0,
            "version": self.version.1,
            "reason": self.reason,
        });
        if let Some(reason) = self.overriding {
            body["override"] = json!({ "reason": reason });
        }
        let answer = self.connection.client()?.post("/promotions", &body).await?;
        let status = text(&answer, "/promotion/status")?;
        if output.json {
            output.value(&answer);
        } else {
            show_decision(output, &answer["decision"]);
            output.say(&format!(
                "{status} (decision {})",
                text(&answer, "/decision/id")?
            ));
        }
        Ok(match status.as_str() {
            "promoted" => ExitCode::SUCCESS,
            "inconclusive" => ExitCode::from(INCONCLUSIVE),
            _ => ExitCode::from(REFUSED),
        })
    }
}

/// Check by check, gate by gate.
fn show_decision(output: Output, decision: &Value) {
    let no_items = Vec::new();
    let items = |value: &Value| value.as_array().cloned().unwrap_or_default();
    for result in decision["results"].as_array().unwrap_or(&no_items) {
        let verdict = &result["verdict"];
        output.say(&format!(
            "gate {} ({}): {}",
            result["gate"].as_str().unwrap_or("?"),
            result["enforcement"].as_str().unwrap_or("?"),
            verdict["outcome"].as_str().unwrap_or("?"),
        ));
        let columns = [
            "status", "id", "observed", "bound", "n", "ci_low", "ci_high", "message",
        ];
        output.list(&items(&verdict["checks"]), &columns);
        let failed = items(&verdict["reasons"]);
        let others: Vec<Value> = failed
            .into_iter()
            .filter(|reason| reason["code"] != "check_failed")
            .collect();
        if !others.is_empty() {
            output.list(&others, &["code", "message"]);
        }
    }
    let own = items(&decision["reasons"]);
    if !own.is_empty() {
        output.list(&own, &["code", "message"]);
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token; its secret is printed once
    Create {
        /// What it is for
        name: TokenName,
        /// client, viewer, developer, approver or admin
        #[arg(long)]
        role: String,
        /// Days after which it stops working; never, if not given
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=3650))]
        days: Option<u32>,
        #[command(flatten)]
        connection: Connection,
    },
    /// List tokens
    List {
        #[command(flatten)]
        connection: Connection,
    },
    /// Revoke a token
    Revoke {
        /// The token
        name: TokenName,
        #[command(flatten)]
        connection: Connection,
    },
}

impl TokenCommand {
    pub(crate) async fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        match self {
            Self::Create {
                name,
                role,
                days,
                connection,
            } => {
                let mut body = json!({ "name": name, "role": role });
                if let Some(days) = days {
                    let now = SystemClock.now().0;
                    body["expires_at"] = (now + i64::from(days) * DAY_MS).into();
                }
                let made = connection.client()?.post("/tokens", &body).await?;
                if output.json {
                    output.value(&made);
                } else {
                    output.say(&text(&made, "/secret")?);
                }
            }
            Self::List { connection } => {
                let tokens = connection.client()?.list("/tokens").await?;
                output.list(&tokens, &["name", "role", "id", "created_at", "expires_at"]);
            }
            Self::Revoke { name, connection } => {
                connection
                    .client()?
                    .delete(&format!("/tokens/{name}"))
                    .await?;
                output.say(&format!("revoked {name}"));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Ledger {
    /// First entry
    #[arg(long, default_value_t = 1)]
    from: u64,
    #[command(flatten)]
    connection: Connection,
}

impl Ledger {
    pub(crate) async fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let client = self.connection.client()?;
        let mut entries = Vec::new();
        let mut from = self.from.to_string();
        loop {
            let mut page = client.get(&format!("/ledger?from={from}")).await?;
            if let Value::Array(items) = page["items"].take() {
                entries.extend(items);
            }
            match page["next"].as_str() {
                Some(next) => from = next.to_owned(),
                None => break,
            }
        }
        output.list(
            &entries,
            &["seq", "event", "subject", "actor", "at", "hash"],
        );
        Ok(ExitCode::SUCCESS)
    }
}
