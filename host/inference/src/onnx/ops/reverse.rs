//! Sequences of their own lengths, turned around.

use super::Build;
use crate::onnx::{
    array::{Array, same_data},
    fault::{Fault, Refusal},
    node::{Built, Node, one},
};

/// The builder of an operator of this group.
pub(crate) fn find(op: &str) -> Option<Build> {
    (op == "ReverseSequence").then_some(reverse as Build)
}

/// The first `lengths[b]` steps of sequence `b` in reverse, the others as they are.
fn reverse(node: &Node<'_>) -> Result<Built, Refusal> {
    let axes = (
        node.int("time_axis")?.unwrap_or(0),
        node.int("batch_axis")?.unwrap_or(1),
    );
    let time_first = match axes {
        (0, 1) => true,
        (1, 0) => false,
        _ => return Err(node.broken("time_axis and batch_axis are not 0 and 1")),
    };
    one(move |inputs| {
        let a = inputs.get(0)?;
        let lengths = inputs.get(1)?.to_i64()?;
        let Some((&[first, second], rest)) = a.shape().split_first_chunk::<2>() else {
            return Err(Fault::shape("sequences have a time and a batch"));
        };
        let (steps, batch) = if time_first {
            (first, second)
        } else {
            (second, first)
        };
        let in_range = |&length: &i64| usize::try_from(length).is_ok_and(|n| n <= steps);
        if lengths.len() != batch || !lengths.iter().all(in_range) {
            return Err(Fault::value(format!(
                "lengths {lengths:?} of {batch} sequences of {steps} steps"
            )));
        }
        let mut places = Vec::with_capacity(first * second);
        for place in 0..first * second {
            let (outer, inner) = (place / second, place % second);
            let (step, of) = if time_first {
                (outer, inner)
            } else {
                (inner, outer)
            };
            let length = lengths[of] as usize;
            let from = if step < length {
                length - 1 - step
            } else {
                step
            };
            places.push(if time_first {
                from * second + of
            } else {
                of * second + from
            });
        }
        let block: usize = rest.iter().product();
        let data = same_data!(a.data(), v => {
            let mut out = Vec::with_capacity(v.len());
            for at in places {
                out.extend_from_slice(&v[at * block..(at + 1) * block]);
            }
            out
        });
        Array::new(*a.shape(), data)
    })
}
