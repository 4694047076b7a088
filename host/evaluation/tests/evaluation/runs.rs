//! Whole evaluations: a table through a transform and a model to a sealed
//! record. Model and transform are a dozen lines each, on the domain's ports.

use crate::reference::fixture;
use domain::{
    batch::{Batch, Buffer, Contract, Element, FieldSpec, OutputSpec},
    digest::Digest,
    error::ErrorKind,
    evidence::{EvaluatedBaseline, Evaluation, Task},
    id::EvaluationId,
    json::canonical,
    model::{Format, VersionRef},
    name::VersionNumber,
    ports::engine::{InferError, Model, PluginError, Transform},
    signature::{Prepared, Signature, TensorSpec, fp32},
    tensor::{DataType, Tensor, TensorData},
    time::Timestamp,
};
use evaluation::{
    dataset::{ReadLimits, Table, read, read_bytes},
    runner::{EvaluateError, Options, Report, Role, RowsError, Subject, evaluate},
    scores::Target,
};
use std::{cell::Cell, time::Duration};

/// A logistic model of two inputs; NaN where the first input is above `limit`.
#[derive(Debug)]
struct Logistic {
    signature: Signature,
    weights: [f32; 2],
    limit: f32,
}

impl Logistic {
    fn new(weights: [f32; 2]) -> Self {
        let mut input = TensorSpec::new("input", DataType::Fp32, vec![-1, 2]);
        input.fields = vec!["radius".into(), "texture".into()];
        Self {
            signature: Signature {
                inputs: vec![input],
                outputs: vec![
                    TensorSpec::new("label", DataType::Int64, vec![-1]),
                    TensorSpec::new("probabilities", DataType::Fp32, vec![-1, 2]),
                ],
            },
            weights,
            limit: f32::INFINITY,
        }
    }
}

impl Model for Logistic {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn format(&self) -> Format {
        Format::Onnx
    }

    fn infer(&self, inputs: &Prepared) -> Result<Vec<Tensor>, InferError> {
        let TensorData::Fp32(values) = &inputs.tensors()[0].data else {
            panic!("the signature says FP32")
        };
        let mut probabilities = Vec::new();
        for row in values.chunks(2) {
            let raw = row[0] * self.weights[0] + row[1] * self.weights[1];
            let p = 1.0 / (1.0 + (-raw).exp());
            let p = if row[0] > self.limit { f32::NAN } else { p };
            probabilities.extend([1.0 - p, p]);
        }
        let n = inputs.rows();
        let label = TensorData::Int64(vec![0; n]);
        Ok(vec![
            Tensor::new("label", vec![n], label).unwrap(),
            fp32("probabilities", vec![n, 2], probabilities),
        ])
    }
}

/// Standardises radius and texture; refuses a batch that holds `poison`.
#[derive(Debug)]
struct Standardise {
    contract: Contract,
    poison: f64,
}

impl Standardise {
    fn new() -> Self {
        let field = |name: &str| FieldSpec {
            name: name.into(),
            element: Element::F64,
            nullable: true,
        };
        Self {
            contract: Contract {
                inputs: vec![field("radius"), field("texture")],
                outputs: vec![OutputSpec {
                    name: "input".into(),
                    element: Element::F32,
                    shape: vec![-1, 2],
                }],
            },
            poison: f64::NAN,
        }
    }
}

impl Transform for Standardise {
    fn contract(&self) -> &Contract {
        &self.contract
    }

    fn apply(&self, batch: &Batch) -> Result<Vec<Tensor>, PluginError> {
        let Buffer::F64(values) = &batch.blocks[0].values else {
            panic!("the contract says f64")
        };
        if values.contains(&self.poison) {
            return Err(PluginError::Trap("poisoned".into()));
        }
        let (radius, texture) = values.split_at(batch.rows);
        let rows = radius.iter().zip(texture);
        let rows = rows.flat_map(|(r, t)| [((r - 14.1) / 3.5) as f32, ((t - 19.3) / 4.3) as f32]);
        Ok(vec![fp32("input", vec![batch.rows, 2], rows.collect())])
    }
}

fn table() -> Table {
    #[derive(serde::Deserialize)]
    struct Tumour {
        radius: f64,
        texture: f64,
        malignant: u8,
    }
    let bytes = std::fs::read(fixture("radius_texture.json")).unwrap();
    let rows: Vec<Tumour> = serde_json::from_slice(&bytes).unwrap();
    let mut text = "radius,texture,ward,malignant\n".to_owned();
    for (i, row) in rows.iter().enumerate() {
        let ward = ["north", "south", "east"][i % 3];
        text += &format!("{},{},{ward},{}\n", row.radius, row.texture, row.malignant);
    }
    read_bytes(text.into(), &ReadLimits::default()).unwrap()
}

fn run(candidate: [f32; 2], options: &Options) -> Result<Report, EvaluateError> {
    let (ours, theirs) = (Logistic::new(candidate), Logistic::new([0.0, 1.0]));
    let (transform, target) = (Standardise::new(), Target::default());
    let subject = |model| Subject {
        model,
        transform: Some(&transform),
        target: &target,
    };
    let clock = ticking();
    evaluate(
        &table(),
        "malignant",
        Task::Binary,
        (&subject(&ours), Some(&subject(&theirs))),
        options,
        &clock,
    )
}

/// A clock that moves on by a millisecond whenever it is read.
fn ticking() -> impl Fn() -> Duration {
    let reads = Cell::new(0);
    move || Duration::from_millis(reads.replace(reads.get() + 1))
}

fn sliced() -> Options {
    Options {
        slices: vec!["ward".into(), "radius".into()],
        seed: 11,
        ..Options::default()
    }
}

fn record(report: Report) -> Evaluation {
    let version = |number| VersionRef {
        model: "tumour".parse().unwrap(),
        version: VersionNumber(number),
    };
    Evaluation {
        id: EvaluationId::from_ulid("01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        version: version(2),
        artifact: Digest::of(b"model"),
        transform: Some(Digest::of(b"transform")),
        dataset: "tumours".parse().unwrap(),
        dataset_digest: Digest::of(b"data"),
        task: Task::Binary,
        rows: report.rows,
        engine: "test 1".into(),
        seed: report.seed,
        metrics: report.metrics,
        slices: report.slices,
        latency: report.latency,
        baseline: report.baseline.map(|baseline| EvaluatedBaseline {
            version: version(1),
            artifact: Digest::of(b"old model"),
            transform: None,
            metrics: baseline.metrics,
            differences: baseline.differences,
        }),
        created_by: "tester".into(),
        started_at: Timestamp(1),
        finished_at: Timestamp(2),
        seal: None,
    }
}

#[test]
fn a_report_compares_candidate_and_baseline_on_all_rows() {
    let report = run([2.0, 1.0], &sliced()).unwrap();
    assert_eq!(report.rows, 569);
    let auc = |metrics: &std::collections::BTreeMap<String, domain::evidence::Metric>| {
        metrics["roc_auc"].value.unwrap()
    };
    let baseline = report.baseline.as_ref().unwrap();
    // The baseline orders by texture alone: scikit-learn's area of that column.
    assert!((auc(&baseline.metrics) - 0.775_824_480_735_690_4).abs() < 1e-3);
    let difference = &baseline.differences["roc_auc"];
    assert!(difference.ci_low.unwrap() > 0.1, "{difference:?}");
    let gap = auc(&report.metrics) - auc(&baseline.metrics);
    assert!((difference.value.unwrap() - gap).abs() < 1e-15);
    assert_eq!(baseline.differences.len(), report.metrics.len());
    // The ticking clock makes every call last one millisecond.
    assert_eq!((report.latency.p99_ms, report.latency.n), (1.0, 200));
}

#[test]
fn slices_cover_every_row_once_per_column() {
    let report = run([2.0, 1.0], &sliced()).unwrap();
    for column in ["ward", "radius"] {
        let slices = report.slices.iter().filter(|slice| slice.column == column);
        assert_eq!(slices.map(|slice| slice.n).sum::<u64>(), 569, "{column}");
    }
    let names: Vec<&str> = report.slices.iter().map(|s| s.value.as_str()).collect();
    assert_eq!(names[..3], ["north", "south", "east"]);
    assert!(names[3].starts_with("[6.981, "), "{names:?}");
    let north = &report.slices[0];
    assert_eq!(north.metrics["accuracy"].n, 190);
    assert!(north.metrics["roc_auc"].ci_low.is_some());
}

#[test]
fn one_seed_gives_one_record_and_its_seal() {
    let text = |options: &Options| {
        let sealed = record(run([2.0, 1.0], options).unwrap()).sealed().unwrap();
        canonical(&sealed).unwrap()
    };
    let first = text(&sliced());
    assert_eq!(first, text(&sliced()));
    let other = Options {
        seed: 12,
        ..sliced()
    };
    assert_ne!(first, text(&other));
}

#[test]
fn a_seal_breaks_when_anything_is_changed() {
    let open = record(run([2.0, 1.0], &Options::default()).unwrap());
    assert!(!open.seal_holds());
    let sealed = open.sealed().unwrap();
    let stored: Evaluation = serde_json::from_str(&canonical(&sealed).unwrap()).unwrap();
    assert!(sealed.seal_holds() && stored.seal_holds());
    let mut changed = sealed.clone();
    changed.metrics.get_mut("roc_auc").unwrap().value = Some(0.99);
    assert!(!changed.seal_holds());
    let mut renamed = sealed;
    renamed.created_by = "somebody else".into();
    assert!(!renamed.seal_holds());
}

/// One subject, no baseline.
fn alone(
    model: &dyn Model,
    transform: Option<&dyn Transform>,
    table: &Table,
) -> Result<Report, EvaluateError> {
    let subject = Subject {
        model,
        transform,
        target: &Target::default(),
    };
    let options = Options::default();
    let clock = ticking();
    evaluate(
        table,
        "malignant",
        Task::Binary,
        (&subject, None),
        &options,
        &clock,
    )
}

#[test]
fn without_a_transform_the_model_takes_the_columns_it_names() {
    let report = alone(&Logistic::new([0.5, 0.1]), None, &table()).unwrap();
    assert!(report.metrics["roc_auc"].value.unwrap() > 0.9);
    assert!(report.baseline.is_none());
}

#[test]
fn a_nan_prediction_stops_the_evaluation_at_its_row() {
    let mut model = Logistic::new([0.5, 0.1]);
    model.limit = 27.5;
    let error = alone(&model, None, &table()).unwrap_err();
    // The first row with a radius above 27.5.
    let message = error.to_string();
    assert!(message.contains("row 212: the prediction NaN"), "{message}");
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[test]
fn a_failing_transform_is_named_with_its_rows_and_kind() {
    let mut transform = Standardise::new();
    // The radius of row 461 only.
    transform.poison = 27.42;
    let model = Logistic::new([1.0, 1.0]);
    let error = alone(&model, Some(&transform), &table()).unwrap_err();
    assert!(
        matches!(
            error,
            EvaluateError::Rows {
                role: Role::Candidate,
                first: 256,
                last: 511,
                cause: RowsError::Transform(PluginError::Trap(_)),
            }
        ),
        "{error}"
    );
    assert_eq!(error.kind(), ErrorKind::Internal);
}

#[test]
fn columns_that_do_not_fit_are_named() {
    let other = read(&fixture("wine.csv"), &ReadLimits::default()).unwrap();
    let mut renamed = other.clone();
    renamed.frame.columns[7].name = "malignant".into();
    let model = Logistic::new([1.0, 1.0]);
    let error = alone(&model, Some(&Standardise::new()), &renamed).unwrap_err();
    assert!(
        error.to_string().contains("\"radius\" is missing"),
        "{error}"
    );
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(matches!(
        alone(&model, None, &other),
        Err(EvaluateError::Labels(_))
    ));
    let unknown = Options {
        slices: vec!["hospital".into()],
        ..Options::default()
    };
    assert!(matches!(
        run([1.0, 1.0], &unknown),
        Err(EvaluateError::SliceColumn(_))
    ));
}

#[test]
fn a_seed_that_json_would_round_is_refused() {
    let options = |seed| Options {
        seed,
        ..Options::default()
    };
    let kept = record(run([1.0, 1.0], &options(1 << 53)).unwrap());
    let stored: Evaluation = serde_json::from_str(&canonical(&kept).unwrap()).unwrap();
    assert_eq!(stored.seed, 1 << 53);
    let error = run([1.0, 1.0], &options((1 << 53) + 1)).unwrap_err();
    assert!(matches!(error, EvaluateError::Seed { .. }), "{error}");
}

#[test]
fn a_model_that_takes_too_long_is_stopped() {
    let options = Options {
        time_limit: Duration::from_millis(1),
        ..Options::default()
    };
    let error = run([1.0, 1.0], &options).unwrap_err();
    assert!(
        matches!(error, EvaluateError::TimedOut { done: 512, .. }),
        "{error}"
    );
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}
