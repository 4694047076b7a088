//! A transform's case: columns in, tensors or a failure out. The batch is
//! applied twice in one instance, and both answers must be the same: serving
//! keeps and drops instances as it likes.

use super::{
    Case, Golden,
    compare::{from_stop, same, stop, summary, tensors},
    report::CaseReport,
    values::{frame, from_tensor, number},
};
use domain::tensor::Tensor;
use plugins::trial::Subject;
use serde_json::{Value, json};

pub(super) fn play(subject: &Subject<'_>, golden: &Golden, case: &Case) -> CaseReport {
    let mut report = CaseReport::default();
    let none = Value::Null;
    let expected = case.expect.as_ref().unwrap_or(&none);
    let started = subject.transform(&golden.settings_of(case), &golden.limits());
    report.cost.start(&started.spent);
    report.lines.extend(started.spent.lines);
    let mut session = match started.outcome {
        Ok(session) => session,
        Err(stopped) => {
            report.observed.expect = Some(from_stop(&stopped));
            stop(&mut report, "configure", expected, &stopped);
            return report;
        }
    };
    let columns = case.columns.clone().unwrap_or_default();
    let batch = frame(&columns, &session.contract).and_then(|frame| {
        session
            .contract
            .batch_from_frame(&frame)
            .map_err(|error| format!("the gateway refuses the rows: {error}"))
    });
    let batch = match batch {
        Ok(batch) => batch,
        Err(why) => {
            report.differs("columns", "rows that fit the contract", why);
            return report;
        }
    };
    let first = session.apply(&batch);
    report.cost.call(&first.spent);
    report.lines.extend(first.spent.lines);
    match first.outcome {
        Err(stopped) => {
            report.observed.expect = Some(from_stop(&stopped));
            stop(&mut report, "apply", expected, &stopped);
        }
        Ok(got) => {
            let observed: Vec<Value> = got.iter().map(from_tensor).collect();
            report.observed.expect = Some(json!({ "tensors": observed }));
            match expected.get("tensors") {
                Some(wanted) => tensors(&mut report, wanted, &got, golden.tolerance),
                None => report.differs("apply", summary(expected), described(&got)),
            }
            let again = session.apply(&batch).outcome;
            if !again.is_ok_and(|again| identical(&got, &again)) {
                report.differs(
                    "apply, a second time in one instance",
                    "the same answer",
                    "another: it depends on what it saw before",
                );
            }
        }
    }
    report
}

fn described(got: &[Tensor]) -> String {
    let named: Vec<String> = got
        .iter()
        .map(|tensor| format!("{:?} {:?}", &*tensor.name, tensor.shape))
        .collect();
    format!("tensors {}", named.join(", "))
}

/// Bit for bit, except that every NaN is one.
fn identical(a: &[Tensor], b: &[Tensor]) -> bool {
    let values = |tensor: &Tensor| {
        let values = from_tensor(tensor)["values"].take();
        values.as_array().cloned().unwrap_or_default()
    };
    let alike = |(a, b): (Value, Value)| match (number(&a), number(&b)) {
        (Some(x), Some(y)) => same(x, y, 0.0),
        _ => a == b,
    };
    a.len() == b.len()
        && a.iter()
            .zip(b)
            .all(|(a, b)| a.shape == b.shape && values(a).into_iter().zip(values(b)).all(alike))
}
