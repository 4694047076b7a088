//! Other servers, installed from PyPI into virtual environments under the user's
//! cache, each started on loopback with the same model, one after another.

use crate::{
    inprocess::Figure,
    load::{Target, once},
    process::{self, Process},
    rounds::{Sample, sample},
    subject::Reference,
};
use anyhow::{Context as _, Result, bail};
use serde_json::json;
use std::{
    net::TcpListener,
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};
use tests::places;

/// How long one may take to start.
const READY_WITHIN: Duration = Duration::from_secs(120);

/// A server and what was measured, or why not.
#[derive(Debug)]
pub(crate) struct Peer {
    /// Its name.
    pub(crate) name: &'static str,
    /// One sample.
    pub(crate) sample: Result<Sample>,
}

/// Name, script in `bench/peers`, path of predictions, and shape of the body.
const PEERS: [(&str, &str, &str, Dialect); 4] = [
    (
        "KServe",
        "kserve",
        "/v2/models/forest/infer",
        Dialect::OpenInference,
    ),
    (
        "MLServer",
        "mlserver",
        "/v2/models/forest/infer",
        Dialect::OpenInference,
    ),
    ("MLflow", "mlflow", "/invocations", Dialect::MlflowInputs),
    ("BentoML", "bentoml", "/predict", Dialect::Rows),
];

#[derive(Debug, Clone, Copy)]
enum Dialect {
    OpenInference,
    MlflowInputs,
    Rows,
}

impl Dialect {
    fn body(self, row: &[f64]) -> String {
        let row: Vec<f32> = row.iter().map(|value| *value as f32).collect();
        let body = match self {
            Self::OpenInference => json!({
                "inputs": [{"name": "input", "shape": [1, row.len()], "datatype": "FP32", "data": row}],
                // MLServer would give the class.
                "outputs": [{"name": "predict_proba"}],
            }),
            Self::MlflowInputs => json!({"inputs": [row]}),
            Self::Rows => json!({"rows": [row]}),
        };
        body.to_string()
    }
}

/// Measures each, whatever happens to the others.
pub(crate) fn measure(reference: &Reference, time: Duration) -> Vec<Peer> {
    let one = |(name, script, path, dialect): (&'static str, &str, &str, Dialect)| {
        eprintln!("peer: {name}");
        Peer {
            name,
            sample: measure_one(script, path, dialect, reference, time),
        }
    };
    PEERS.map(one).into_iter().collect()
}

/// ONNX Runtime in process, through its Python binding.
pub(crate) fn onnx_runtime() -> Result<Vec<Figure>> {
    eprintln!("peer: ONNX Runtime in process");
    let folder = places::root().join("tests/bench/peers");
    let python = xtask::tools::python("peer-onnxruntime", &folder.join("onnxruntime.txt"))?;
    let models = places::root().join("tests/fixtures/reference");
    let mut command = Command::new(python);
    command.arg(folder.join("onnxruntime_peer.py"));
    let files = ["xgb.onnx", "mlp.onnx", "mlp_plain.onnx", "wide.onnx"];
    command.args(files.map(|file| models.join(file)));
    let mut figures = Vec::new();
    for line in xtask::shell::output(&mut command)?.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [file, rows, way, us] = *words.as_slice() else {
            bail!("the script printed {line:?}");
        };
        let way = if way == "bound" {
            " with bound tensors"
        } else {
            ""
        };
        figures.push(Figure {
            what: format!("ONNX Runtime, one thread, from Python{way}: {file}, batch of {rows}"),
            us: us.parse()?,
        });
    }
    Ok(figures)
}

/// Each `bench/peers/<script>.py` takes a model and a port and serves on
/// 127.0.0.1 until it is killed.
fn measure_one(
    script: &str,
    path: &str,
    dialect: Dialect,
    reference: &Reference,
    time: Duration,
) -> Result<Sample> {
    let folder = places::root().join("tests/bench/peers");
    let requirements = folder.join(format!("{script}.txt"));
    let python = xtask::tools::python(&format!("peer-{script}"), &requirements)?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    // Some write files where they are started.
    let place = std::env::temp_dir().join(format!("tollgate-peer-{script}"));
    std::fs::create_dir_all(&place)?;
    let log = place.join("log");
    let output = std::fs::File::create(&log)?;
    let mut command = process::tied(&python)?;
    command
        .arg(folder.join(format!("{script}_peer.py")))
        .arg(&reference.model)
        .arg(port.to_string())
        .current_dir(&place)
        .env("PATH", bin_first(&python)?)
        .env("OMP_NUM_THREADS", "1")
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output);
    let mut process = Process::start(&mut command)?;
    let row = reference.rows.first().context("no rows")?;
    let target = Target::new(
        &format!("127.0.0.1:{port}"),
        path,
        "none",
        &dialect.body(row),
    );
    let began = Instant::now();
    let answer = loop {
        match once(&target) {
            Ok(answer) => break answer,
            Err(error) if began.elapsed() > READY_WITHIN => {
                return Err(error.context(format!("it did not answer; see {}", log.display())));
            }
            Err(_) => sleep(Duration::from_millis(100)),
        }
        if let Some(status) = process.ended()? {
            bail!("it ended with {status}; see {}", log.display());
        }
    };
    check(&answer, reference)?;
    sample(process.pid(), &target, Duration::from_millis(500))?;
    sample(process.pid(), &target, time)
}

/// The venv's programs are found by name.
fn bin_first(python: &std::path::Path) -> Result<std::ffi::OsString> {
    let mut folders = vec![python.parent().context("no folder")?.to_path_buf()];
    folders.extend(std::env::split_paths(
        &std::env::var_os("PATH").unwrap_or_default(),
    ));
    Ok(std::env::join_paths(folders)?)
}

/// The answer holds XGBoost's own number somewhere.
fn check(answer: &[u8], reference: &Reference) -> Result<()> {
    let expected = reference
        .predictions
        .first()
        .copied()
        .context("no predictions")?;
    let text = String::from_utf8_lossy(answer).into_owned();
    let numbers =
        text.split(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | 'e' | 'E' | '+')));
    let close = numbers
        .filter_map(|number| number.parse::<f64>().ok())
        .any(|number| (number - expected).abs() < 1e-4);
    if close {
        Ok(())
    } else {
        bail!("it answers {text}, XGBoost {expected}")
    }
}
