//! Gathering what a gate is shown.

use domain::{
    error::PortResult,
    evidence::Evaluation,
    gate::{
        BaselineRole, GateBaseline, GateCandidate, GateEvaluation, GateEvidence,
        GateExternalMetric, GateInput, GateLatency, GateRequest, INPUT_SCHEMA, gate_metrics,
    },
    model::{ModelVersion, VersionRef},
    ports::store::Store,
    route::{Endpoint, Variant},
    time::Timestamp,
};
use std::collections::BTreeMap;

/// Who asks, and for what reason.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Name of the token.
    pub requester: String,
    /// Role of the token.
    pub role: domain::token::Role,
    /// Why.
    pub reason: String,
    /// When; the pinned clock of the decision.
    pub at: Timestamp,
}

/// The input document for the promotion of `candidate` on `endpoint`.
pub async fn gather(
    store: &dyn Store,
    endpoint: &Endpoint,
    candidate: &ModelVersion,
    asked: &Asked,
) -> PortResult<GateInput> {
    let name = VersionRef {
        model: candidate.model.clone(),
        version: candidate.version,
    };
    let champion = endpoint.route.champion();
    let evaluations = store.evaluations(&name).await?;
    let digest = match &endpoint.settings.dataset {
        Some(dataset) => store.dataset(dataset).await?.map(|record| record.digest),
        None => None,
    };
    let mut missing = Vec::new();
    let counts = |evaluation: &&Evaluation| {
        evaluation.seal_holds()
            && evaluation.artifact == candidate.artifact
            && evaluation.transform == candidate.transform
            && endpoint.settings.dataset.as_ref().is_none_or(|dataset| {
                evaluation.dataset == *dataset && digest == Some(evaluation.dataset_digest)
            })
    };
    let usable: Vec<&Evaluation> = evaluations.iter().filter(counts).collect();
    // Newest first; one that ran the present champion beside it comes before.
    let chosen = usable
        .iter()
        .find(|evaluation| is_paired(evaluation, champion))
        .or_else(|| usable.first())
        .copied();
    if chosen.is_none() {
        missing.push(match &endpoint.settings.dataset {
            Some(dataset) => format!(
                "no sealed evaluation of {name} on the current content of data set {dataset}: run one"
            ),
            None => format!("no sealed evaluation of {name}: run one"),
        });
    }
    let external = store.external(&name).await?;
    Ok(GateInput {
        schema: INPUT_SCHEMA.to_owned(),
        request: GateRequest {
            action: "promote".to_owned(),
            endpoint: endpoint.name.to_string(),
            requester: asked.requester.clone(),
            roles: vec![asked.role.as_str().to_owned()],
            reason: asked.reason.clone(),
            at: asked.at.to_rfc3339(),
            at_ms: asked.at.0,
        },
        candidate: candidate_view(candidate),
        baseline: baseline_view(champion),
        evaluation: chosen.map(|evaluation| GateEvaluation {
            id: evaluation.id.to_string(),
            dataset: evaluation.dataset.to_string(),
            dataset_digest: evaluation.dataset_digest,
            rows: evaluation.rows,
            age_s: asked.at.seconds_since(evaluation.finished_at),
            engine: evaluation.engine.clone(),
            paired: is_paired(evaluation, champion),
        }),
        metrics: chosen.map_or_else(BTreeMap::new, |evaluation| {
            gate_metrics(evaluation, is_paired(evaluation, champion))
        }),
        slices: chosen.map_or_else(Vec::new, |evaluation| evaluation.slices.clone()),
        external_metrics: external
            .into_iter()
            .map(|logged| {
                let view = GateExternalMetric {
                    metric: logged.metric,
                    source: logged.source,
                    logged_by: logged.logged_by,
                    age_s: asked.at.seconds_since(logged.logged_at),
                };
                (logged.name, view)
            })
            .collect(),
        latency: chosen.map(|evaluation| GateLatency {
            p50_ms: evaluation.latency.p50_ms,
            p95_ms: evaluation.latency.p95_ms,
            p99_ms: evaluation.latency.p99_ms,
            n: evaluation.latency.n,
            unit: "ms".to_owned(),
        }),
        evidence: GateEvidence {
            complete: missing.is_empty(),
            missing,
        },
    })
}

/// Whether the present champion was run on the same rows.
fn is_paired(evaluation: &Evaluation, champion: Option<&Variant>) -> bool {
    match (champion, &evaluation.baseline) {
        (Some(champion), Some(baseline)) => {
            champion.version == baseline.version
                && champion.artifact == baseline.artifact
                && champion.transform == baseline.transform
        }
        _ => false,
    }
}

fn candidate_view(candidate: &ModelVersion) -> GateCandidate {
    let format = serde_json::to_value(candidate.format).ok();
    GateCandidate {
        model: candidate.model.to_string(),
        version: candidate.version.0,
        artifact: candidate.artifact,
        format: format
            .and_then(|v| v.as_str().map(str::to_owned))
            .unwrap_or_default(),
        transform: candidate.transform,
        lineage: candidate.lineage.clone(),
        created_by: candidate.created_by.clone(),
    }
}

fn baseline_view(champion: Option<&Variant>) -> GateBaseline {
    match champion {
        Some(champion) => GateBaseline {
            role: BaselineRole::Champion,
            model: Some(champion.version.model.to_string()),
            version: Some(champion.version.version.0),
            artifact: Some(champion.artifact),
        },
        None => GateBaseline {
            role: BaselineRole::None,
            model: None,
            version: None,
            artifact: None,
        },
    }
}
