//! A fake gateway for native unit tests: it keeps log lines, answers requests as
//! the test wrote, and makes batches from columns. Not there in components.
//!
//! ```
//! use tollgate_plugin::{fake, log, outbound::{self, Request}};
//!
//! let gateway = fake::Gateway::new();
//! gateway.answer(200, "thanks");
//! let response = outbound::send(&Request::post("hook", "/alarm").body("hello")).unwrap();
//! log::info("sent");
//!
//! assert_eq!(response.body, b"thanks");
//! assert_eq!(gateway.requests()[0].path, "/alarm");
//! assert_eq!(gateway.lines(), [(log::Level::Info, "sent".to_owned())]);
//! ```
//!
//! Without a [`Gateway`] on the thread, lines go to standard error, and every
//! request is refused as not granted, as by a gateway that granted nothing.

use crate::{
    log::Level,
    outbound::{Header, Refusal, Request, Response},
    tensors::{Batch, Block, Buffer, Text},
};
use std::{cell::RefCell, collections::VecDeque, marker::PhantomData};

#[derive(Default)]
struct State {
    lines: Vec<(Level, String)>,
    answers: VecDeque<Result<Response, Refusal>>,
    requests: Vec<Request>,
}

thread_local! {
    static STATE: RefCell<Option<State>> = const { RefCell::new(None) };
}

/// The gateway of this thread, until it is dropped.
#[derive(Debug)]
pub struct Gateway(PhantomData<*const ()>);

impl Default for Gateway {
    fn default() -> Self {
        Self::new()
    }
}

impl Gateway {
    /// A gateway that has seen nothing and answers nothing yet.
    ///
    /// # Panics
    /// When this thread has one already.
    #[must_use]
    pub fn new() -> Self {
        let before = STATE.replace(Some(State::default()));
        assert!(before.is_none(), "this thread has a fake gateway already");
        Self(PhantomData)
    }

    /// The next request that has no answer yet gets this one.
    pub fn answer(&self, status: u16, body: impl Into<Vec<u8>>) -> &Self {
        self.respond(Response {
            status,
            headers: Vec::new(),
            body: body.into(),
        })
    }

    /// The same with headers.
    pub fn answer_with(
        &self,
        status: u16,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> &Self {
        let header = |(name, value): &(&str, &str)| Header {
            name: (*name).into(),
            value: (*value).into(),
        };
        self.respond(Response {
            status,
            headers: headers.iter().map(header).collect(),
            body: body.into(),
        })
    }

    fn respond(&self, response: Response) -> &Self {
        with(|state| state.answers.push_back(Ok(response)));
        self
    }

    /// The next request that has no answer yet is refused.
    pub fn refuse(&self, refusal: Refusal) -> &Self {
        with(|state| state.answers.push_back(Err(refusal)));
        self
    }

    /// Every request so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        with(|state| state.requests.clone()).unwrap_or_default()
    }

    /// Every log line so far.
    #[must_use]
    pub fn lines(&self) -> Vec<(Level, String)> {
        with(|state| state.lines.clone()).unwrap_or_default()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        STATE.set(None);
    }
}

fn with<R>(f: impl FnOnce(&mut State) -> R) -> Option<R> {
    STATE.with_borrow_mut(|state| state.as_mut().map(f))
}

pub(crate) fn log(level: Level, message: &str) {
    if with(|state| state.lines.push((level, message.to_owned()))).is_none() {
        eprintln!("{level:?}: {message}");
    }
}

/// # Panics
/// When the test wrote fewer answers than there are requests.
pub(crate) fn send(request: &Request) -> Result<Response, Refusal> {
    let answer = with(|state| {
        state.requests.push(request.clone());
        state.answers.pop_front()
    });
    match answer {
        None => Err(Refusal::NotGranted),
        Some(Some(answer)) => answer,
        Some(None) => panic!(
            "request to {:?} {}: the fake gateway has no answer left; call `answer` or `refuse` once more",
            request.target, request.path
        ),
    }
}

/// One column of a batch, for tests.
#[derive(Debug, Clone)]
pub enum Column {
    /// Element `f32`; NaN is missing.
    F32s(Vec<f32>),
    /// Element `f64`; NaN is missing.
    F64s(Vec<f64>),
    /// Element `s64`.
    S64s(Vec<Option<i64>>),
    /// Element `s32`.
    S32s(Vec<Option<i32>>),
    /// Element `u8`.
    U8s(Vec<Option<u8>>),
    /// Element `utf8`.
    Texts(Vec<Option<String>>),
}

/// A column of element `f32`.
#[must_use]
pub fn f32s(values: impl IntoIterator<Item = f32>) -> Column {
    Column::F32s(values.into_iter().collect())
}

/// A column of element `f64`.
#[must_use]
pub fn f64s(values: impl IntoIterator<Item = f64>) -> Column {
    Column::F64s(values.into_iter().collect())
}

/// A column of element `s64`.
#[must_use]
pub fn s64s(values: impl IntoIterator<Item = Option<i64>>) -> Column {
    Column::S64s(values.into_iter().collect())
}

/// A column of element `utf8`.
#[must_use]
pub fn texts<'a>(values: impl IntoIterator<Item = Option<&'a str>>) -> Column {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    Column::Texts(values.into_iter().map(owned).collect())
}

/// A batch as the gateway would make it: neighbouring columns of one element in
/// one block, missing values marked.
///
/// # Panics
/// When the columns differ in length.
#[must_use]
pub fn batch(columns: &[Column]) -> Batch {
    let rows = columns.first().map_or(0, length);
    let mut blocks: Vec<Block> = Vec::new();
    for run in columns.chunk_by(|a, b| std::mem::discriminant(a) == std::mem::discriminant(b)) {
        assert!(
            run.iter().all(|column| length(column) == rows),
            "all columns of a batch have the same length"
        );
        blocks.push(block(run));
    }
    let rows = u32::try_from(rows).expect("a batch has less than 2^32 rows");
    Batch { rows, blocks }
}

fn length(column: &Column) -> usize {
    match column {
        Column::F32s(v) => v.len(),
        Column::F64s(v) => v.len(),
        Column::S64s(v) => v.len(),
        Column::S32s(v) => v.len(),
        Column::U8s(v) => v.len(),
        Column::Texts(v) => v.len(),
    }
}

/// One block of columns that have one element.
fn block(run: &[Column]) -> Block {
    let mut present = Vec::new();
    let mut values: Option<Buffer> = None;
    for column in run {
        let buffer = match column {
            Column::F32s(v) => Buffer::F32s(v.clone()),
            Column::F64s(v) => Buffer::F64s(v.clone()),
            Column::S64s(v) => Buffer::S64s(filled(v, &mut present)),
            Column::S32s(v) => Buffer::S32s(filled(v, &mut present)),
            Column::U8s(v) => Buffer::U8s(filled(v, &mut present)),
            Column::Texts(v) => {
                let texts = filled(v, &mut present);
                let mut offsets = vec![0];
                let mut data = Vec::new();
                for text in texts {
                    data.extend(text.into_bytes());
                    offsets.push(data.len() as u32);
                }
                Buffer::Utf8(Text { offsets, data })
            }
        };
        values = Some(match values {
            None => buffer,
            Some(all) => appended(all, buffer),
        });
    }
    let validity = present.contains(&false).then(|| {
        let mut bits = vec![0u8; present.len().div_ceil(8)];
        for (at, _) in present.iter().enumerate().filter(|(_, there)| **there) {
            bits[at / 8] |= 1 << (at % 8);
        }
        bits
    });
    Block {
        fields: run.len() as u32,
        values: values.unwrap_or(Buffer::F32s(Vec::new())),
        validity,
    }
}

fn filled<T: Clone + Default>(values: &[Option<T>], present: &mut Vec<bool>) -> Vec<T> {
    present.extend(values.iter().map(Option::is_some));
    values
        .iter()
        .map(|v| v.clone().unwrap_or_default())
        .collect()
}

fn appended(mut all: Buffer, more: Buffer) -> Buffer {
    match (&mut all, more) {
        (Buffer::F32s(a), Buffer::F32s(b)) => a.extend(b),
        (Buffer::F64s(a), Buffer::F64s(b)) => a.extend(b),
        (Buffer::S64s(a), Buffer::S64s(b)) => a.extend(b),
        (Buffer::S32s(a), Buffer::S32s(b)) => a.extend(b),
        (Buffer::U8s(a), Buffer::U8s(b)) => a.extend(b),
        (Buffer::Utf8(a), Buffer::Utf8(b)) => {
            let start = a.data.len() as u32;
            a.offsets
                .extend(b.offsets.iter().skip(1).map(|at| at + start));
            a.data.extend(b.data);
        }
        // A run has one element.
        _ => {}
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Failure, Fault, log, outbound};

    #[test]
    fn requests_are_answered_in_order_and_remembered() {
        let gateway = Gateway::new();
        gateway.answer(503, "").refuse(Refusal::TimedOut);
        let request = Request::post("hook", "/x").header("a", "b").body("text");
        let failure = outbound::send(&request).unwrap().success().unwrap_err();
        assert_eq!((failure.fault, failure.retryable), (Fault::Upstream, true));
        let failure = Failure::from(outbound::send(&request).unwrap_err());
        assert_eq!(failure.code, "timed-out");
        assert_eq!(gateway.requests().len(), 2);
        assert_eq!(gateway.requests()[1].headers[0].value, "b");
    }

    #[test]
    fn without_a_gateway_nothing_is_granted() {
        log::debug("to standard error");
        let refused = outbound::send(&Request::post("hook", "/")).unwrap_err();
        assert_eq!(refused, Refusal::NotGranted);
    }

    #[test]
    fn columns_become_blocks_as_the_gateway_makes_them() {
        let batch = batch(&[
            f32s([1.5, 2.5]),
            f32s([f32::NAN, 40.0]),
            texts([Some("Graz"), None]),
            s64s([Some(3), None]),
        ]);
        assert_eq!((batch.rows, batch.blocks.len()), (2, 3));
        assert_eq!(batch.f32s(1).unwrap()[1], 40.0);
        assert_eq!(batch.texts(2).unwrap(), ["Graz", ""]);
        assert_eq!(batch.blocks[1].validity, Some(vec![0b01]));
        assert_eq!(batch.s64s(3).unwrap(), [3, 0]);
        assert!(batch.is_present(3, 0).unwrap() && !batch.is_present(3, 1).unwrap());
    }
}
