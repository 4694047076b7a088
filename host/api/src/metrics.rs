//! Counters of the edge and of predictions, and the page Prometheus reads.
//!
//! Recording is a few relaxed additions; names are looked up without a lock.
//! Labels are endpoints, variants, protocols and classes: never what a caller
//! made up.

use crate::{edge::error::Dialect, state::ApiState};
use arc_swap::ArcSwap;
use axum::{body::Body, extract::State, response::Response};
use domain::{route::Access, token::Role};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use std::{
    collections::HashMap,
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// Upper bounds of the latency buckets, in microseconds.
pub const BUCKETS_US: [u64; 14] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000,
    5_000_000,
];
const CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];
const DIALECTS: [(Dialect, &str); 4] = [
    (Dialect::Oip, "oip"),
    (Dialect::KserveV1, "kserve_v1"),
    (Dialect::Mlflow, "mlflow"),
    (Dialect::Admin, "admin"),
];

/// Answers by class of status, and how long they took.
#[derive(Debug, Default)]
pub struct Series {
    classes: [AtomicU64; CLASSES.len()],
    buckets: [AtomicU64; BUCKETS_US.len()],
    sum_us: AtomicU64,
}

impl Series {
    /// Takes in one answer.
    pub fn record(&self, status: StatusCode, took: Duration) {
        let class = usize::from(status.as_u16() / 100).clamp(2, 5) - 2;
        if let Some(counter) = self.classes.get(class) {
            counter.fetch_add(1, Relaxed);
        }
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        // Answers beyond the last bound are only in the total.
        if let Some(bucket) = self
            .buckets
            .get(BUCKETS_US.partition_point(|&bound| bound < us))
        {
            bucket.fetch_add(1, Relaxed);
        }
        self.sum_us.fetch_add(us, Relaxed);
    }

    /// Answers of a class, 2 to 5.
    pub fn answers(&self, class: usize) -> u64 {
        class
            .checked_sub(2)
            .and_then(|class| self.classes.get(class))
            .map_or(0, |counter| counter.load(Relaxed))
    }

    fn total(&self) -> u64 {
        self.classes
            .iter()
            .map(|counter| counter.load(Relaxed))
            .sum()
    }
}

/// Predictions of one endpoint, by protocol.
#[derive(Debug, Default)]
pub struct EndpointSeries {
    protocols: [Series; 3],
}

impl EndpointSeries {
    /// The series of a protocol; the admin API predicts nothing.
    pub fn protocol(&self, dialect: Dialect) -> &Series {
        let [oip, kserve, mlflow] = &self.protocols;
        match dialect {
            Dialect::Oip | Dialect::Admin => oip,
            Dialect::KserveV1 => kserve,
            Dialect::Mlflow => mlflow,
        }
    }
}

/// All counters of the HTTP side.
#[derive(Debug, Default)]
pub struct Metrics {
    http: [Series; DIALECTS.len()],
    endpoints: ArcSwap<HashMap<String, Arc<EndpointSeries>>>,
    /// Predictions for endpoints that do not exist.
    pub unknown: EndpointSeries,
}

impl Metrics {
    /// Every answer to a path of this dialect.
    pub fn http(&self, dialect: Dialect) -> &Series {
        let [oip, kserve, mlflow, admin] = &self.http;
        match dialect {
            Dialect::Oip => oip,
            Dialect::KserveV1 => kserve,
            Dialect::Mlflow => mlflow,
            Dialect::Admin => admin,
        }
    }

    /// The series of an endpoint that exists; kept for the life of the server.
    pub(crate) fn endpoint(&self, name: &str) -> Arc<EndpointSeries> {
        if let Some(series) = self.endpoints.load().get(name) {
            return Arc::clone(series);
        }
        self.endpoints.rcu(|map| {
            let mut map = HashMap::clone(map);
            map.entry(name.to_owned()).or_default();
            map
        });
        let now = self.endpoints.load();
        now.get(name).map(Arc::clone).unwrap_or_default()
    }
}

/// `GET /metrics`: Prometheus text format 0.0.4.
pub async fn page(State(state): State<Arc<ApiState>>, headers: HeaderMap) -> Response {
    if state.config.metrics_access == Access::Token {
        let identity = state.tokens.identify(&headers, &*state.clock);
        if let Err(failure) = identity.and_then(|identity| identity.require(Role::Viewer)) {
            return failure.respond(Dialect::Admin);
        }
    }
    let mut response = Response::new(Body::from(render(&state)));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"),
    );
    response
}

// Writing to a String cannot fail, so results of `write!` are dropped below.

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ok = write!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
}

fn render(state: &ApiState) -> String {
    let mut out = String::with_capacity(16 << 10);
    let metrics = &state.metrics;
    let http: Vec<(String, &Series)> = DIALECTS
        .iter()
        .map(|&(dialect, name)| (format!("protocol=\"{name}\""), metrics.http(dialect)))
        .collect();
    family(&mut out, "tollgate_http", "HTTP requests", &http);
    let endpoints = metrics.endpoints.load();
    let mut named: Vec<(&str, &EndpointSeries)> = endpoints
        .iter()
        .map(|(name, series)| (name.as_str(), &**series))
        .collect();
    named.sort_by_key(|(name, _)| *name);
    named.push(("", &metrics.unknown));
    let mut predictions = Vec::new();
    for (endpoint, series) in named {
        for (protocol, series) in DIALECTS.iter().map(|d| d.1).zip(&series.protocols) {
            let labels = format!("protocol=\"{protocol}\",endpoint=\"{endpoint}\"");
            predictions.push((labels, series));
        }
    }
    predictions.retain(|(_, series)| series.total() > 0);
    family(
        &mut out,
        "tollgate_prediction",
        "Prediction requests",
        &predictions,
    );
    head(
        &mut out,
        "tollgate_requests_in_flight",
        "gauge",
        "Requests being answered.",
    );
    let _ok = writeln!(
        out,
        "tollgate_requests_in_flight {}",
        state.in_flight.load(Relaxed)
    );
    variants(&mut out, state);
    out
}

/// Counter and histogram of several series.
fn family(out: &mut String, name: &str, what: &str, series: &[(String, &Series)]) {
    let total = format!("{name}_requests_total");
    head(
        out,
        &total,
        "counter",
        &format!("{what} by class of status."),
    );
    for (labels, series) in series {
        for (class, count) in CLASSES.iter().zip(&series.classes) {
            let count = count.load(Relaxed);
            let _ok = writeln!(out, "{total}{{{labels},class=\"{class}\"}} {count}");
        }
    }
    let duration = format!("{name}_duration_seconds");
    head(out, &duration, "histogram", "Time from head to answer.");
    for (labels, series) in series {
        let mut below = 0;
        for (bound, count) in BUCKETS_US.iter().zip(&series.buckets) {
            below += count.load(Relaxed);
            let le = *bound as f64 / 1e6;
            let _ok = writeln!(out, "{duration}_bucket{{{labels},le=\"{le}\"}} {below}");
        }
        // Counters move while they are read; buckets must still ascend.
        let total = series.total().max(below);
        let sum = series.sum_us.load(Relaxed) as f64 / 1e6;
        let _ok = writeln!(
            out,
            "{duration}_bucket{{{labels},le=\"+Inf\"}} {total}\n\
             {duration}_sum{{{labels}}} {sum}\n\
             {duration}_count{{{labels}}} {total}"
        );
    }
}

/// A counter of a variant: name, type, help, value.
type VariantCounter = (
    &'static str,
    &'static str,
    &'static str,
    fn(&serving::LiveVariant) -> f64,
);

const VARIANT_COUNTERS: [VariantCounter; 8] = [
    ("answered_total", "counter", "Requests answered.", |v| {
        v.stats.snapshot().answered as f64
    }),
    ("failed_total", "counter", "Requests that failed.", |v| {
        v.stats.snapshot().failed as f64
    }),
    ("rows_total", "counter", "Rows answered.", |v| {
        v.stats.snapshot().rows as f64
    }),
    (
        "batches_total",
        "counter",
        "Batches of several requests.",
        |v| v.stats.snapshot().batches as f64,
    ),
    (
        "model_p99_seconds",
        "gauge",
        "Running p99 of the model.",
        |v| v.model_guard.p99_ns() as f64 / 1e9,
    ),
    (
        "model_demotions_total",
        "counter",
        "Times the model overran.",
        |v| v.model_guard.demotions() as f64,
    ),
    (
        "transform_p99_seconds",
        "gauge",
        "Running p99 of the transform.",
        |v| v.transform_guard.p99_ns() as f64 / 1e9,
    ),
    (
        "transform_demotions_total",
        "counter",
        "Times the transform overran.",
        |v| v.transform_guard.demotions() as f64,
    ),
];

fn variants(out: &mut String, state: &ApiState) {
    let endpoints = state.serving.endpoints();
    for (name, kind, help, value) in VARIANT_COUNTERS {
        let name = format!("tollgate_variant_{name}");
        head(out, &name, kind, help);
        for endpoint in &endpoints {
            for live in &endpoint.variants {
                let _ok = writeln!(
                    out,
                    "{name}{{endpoint=\"{}\",variant=\"{}\",model=\"{}\",version=\"{}\"}} {}",
                    endpoint.name,
                    escaped(&live.variant.name),
                    live.variant.version.model,
                    live.version_text,
                    value(live)
                );
            }
        }
    }
}

fn escaped(label: &str) -> String {
    label
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_falls_into_the_bucket_whose_bound_it_does_not_exceed() {
        let series = Series::default();
        for us in [0, 50, 51, 5_000_000, 5_000_001] {
            series.record(StatusCode::OK, Duration::from_micros(us));
        }
        let buckets: Vec<u64> = series.buckets.iter().map(|b| b.load(Relaxed)).collect();
        assert_eq!(buckets[..2], [2, 1]);
        assert_eq!(buckets[BUCKETS_US.len() - 1], 1);
        assert_eq!((series.answers(2), series.total()), (5, 5));
    }
}
