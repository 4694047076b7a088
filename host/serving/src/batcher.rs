//! Dynamic micro-batching: requests that arrive within the delay run as one
//! batch. Only for models whose call takes longer than the delay.

use crate::{
    lane::{self, Guard, Pool},
    predict::PredictError,
    stats::VariantStats,
};
use domain::{
    ports::engine::Model,
    route::Batching,
    signature::{Prepared, take_rows},
    tensor::Tensor,
};
use std::{sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot};

/// Requests that may wait for one batcher.
const QUEUE: usize = 1024;

struct Waiting {
    inputs: Prepared,
    reply: oneshot::Sender<Result<Vec<Tensor>, PredictError>>,
}

/// Handle to one model's batcher. The batching task ends when it is dropped.
#[derive(Debug)]
pub struct Batcher {
    queue: mpsc::Sender<Waiting>,
    max_rows: usize,
}

impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Waiting({} rows)", self.inputs.rows())
    }
}

impl Batcher {
    /// Starts batching for `model` on the current runtime.
    pub fn start(
        model: Arc<dyn Model>,
        batching: Batching,
        pool: Arc<Pool>,
        guard: Arc<Guard>,
        stats: Arc<VariantStats>,
    ) -> Self {
        let (queue, arrivals) = mpsc::channel(QUEUE);
        let max_rows = batching.max_rows as usize;
        let delay = Duration::from_micros(u64::from(batching.max_delay_us));
        let job = Job {
            model,
            pool,
            guard,
            stats,
        };
        tokio::spawn(collect(arrivals, max_rows, delay, job));
        Self { queue, max_rows }
    }

    /// Rows at which a request is a batch of its own.
    pub const fn max_rows(&self) -> usize {
        self.max_rows
    }

    /// Runs one request in the next batch.
    pub async fn infer(&self, inputs: Prepared) -> Result<Vec<Tensor>, PredictError> {
        let (reply, answer) = oneshot::channel();
        self.queue
            .try_send(Waiting { inputs, reply })
            .map_err(|_| PredictError::Busy)?;
        answer.await.unwrap_or(Err(PredictError::Panicked))
    }
}

#[derive(Clone)]
struct Job {
    model: Arc<dyn Model>,
    pool: Arc<Pool>,
    guard: Arc<Guard>,
    stats: Arc<VariantStats>,
}

async fn collect(
    mut arrivals: mpsc::Receiver<Waiting>,
    max_rows: usize,
    delay: Duration,
    job: Job,
) {
    let mut held: Option<Waiting> = None;
    loop {
        let first = match held.take() {
            Some(first) => first,
            None => match arrivals.recv().await {
                Some(first) => first,
                None => return,
            },
        };
        let mut rows = first.inputs.rows();
        let mut batch = vec![first];
        let until = tokio::time::Instant::now() + delay;
        while rows < max_rows {
            match tokio::time::timeout_at(until, arrivals.recv()).await {
                Ok(Some(next)) if rows + next.inputs.rows() <= max_rows => {
                    rows += next.inputs.rows();
                    batch.push(next);
                }
                Ok(Some(next)) => {
                    held = Some(next);
                    break;
                }
                Ok(None) | Err(_) => break,
            }
        }
        // The next batch collects while this one runs.
        tokio::spawn(run(batch, job.clone()));
    }
}

async fn run(mut batch: Vec<Waiting>, job: Job) {
    // Under load, work for callers who have given up only delays the others.
    batch.retain(|waiting| !waiting.reply.is_closed());
    if batch.len() > 1
        && let Some(answers) = together(&batch, &job).await
    {
        job.stats.batched();
        for (waiting, answer) in batch.into_iter().zip(answers) {
            drop(waiting.reply.send(Ok(answer)));
        }
        return;
    }
    // Alone, or a batch in which one request spoils the others: each by itself.
    for waiting in batch {
        let model = Arc::clone(&job.model);
        let inputs = waiting.inputs;
        let outcome = lane::run(&job.pool, &job.guard, move || model.infer(&inputs)).await;
        let answer = outcome.map_err(PredictError::from).and_then(|out| Ok(out?));
        drop(waiting.reply.send(answer));
    }
}

/// All requests as one batch; `None` if they cannot run as one.
async fn together(batch: &[Waiting], job: &Job) -> Option<Vec<Vec<Tensor>>> {
    let parts: Vec<Prepared> = batch.iter().map(|waiting| waiting.inputs.clone()).collect();
    let all = Prepared::concat(&parts)?;
    let total = all.rows();
    let model = Arc::clone(&job.model);
    let outputs = lane::run(&job.pool, &job.guard, move || model.infer(&all))
        .await
        .ok()?
        .ok()?;
    if outputs
        .iter()
        .any(|output| output.shape.first() != Some(&total))
    {
        return None;
    }
    let mut start = 0;
    parts
        .iter()
        .map(|part| {
            let end = start + part.rows();
            let cut = outputs
                .iter()
                .map(|output| take_rows(output, start, end))
                .collect();
            start = end;
            cut
        })
        .collect()
}
