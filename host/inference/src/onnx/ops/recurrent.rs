//! LSTM, GRU and RNN with constant weights, one step after the other.
//!
//! Gate order and formulas: ONNX operator specification.

use super::{
    Build,
    linear::{Activation, Layout, Linear},
};
use crate::onnx::{
    array::{Array, Shape},
    fault::{Fault, Refusal},
    node::{Built, Node, many},
};

/// The builder of an operator of this group.
pub(crate) fn find(op: &str) -> Option<Build> {
    matches!(op, "LSTM" | "GRU" | "RNN").then_some(recurrent as Build)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cell {
    Lstm,
    Gru {
        linear_before_reset: bool,
    },
    /// With a hyperbolic tangent, or cut at zero.
    Rnn {
        cut: bool,
    },
}

/// One direction's weights.
struct Direction {
    /// All gates of the input, with their biases.
    input: Linear,
    /// Gates of the state; for a GRU those of `z` and `r` only.
    state: Linear,
    /// The GRU's candidate part of the state.
    candidate: Option<Linear>,
    backward: bool,
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// Refuses what changes the formulas.
fn check_attributes(node: &Node<'_>, defaults: &[&[u8]], directions: usize) -> Result<(), Refusal> {
    if let Some(given) = node.strings("activations")? {
        let wanted = defaults.iter().cycle().take(defaults.len() * directions);
        let same = given.len() == defaults.len() * directions
            && given
                .iter()
                .zip(wanted)
                .all(|(a, b)| a.eq_ignore_ascii_case(b));
        if !same {
            return Err(node.refuse("activations other than the default"));
        }
    }
    for name in ["activation_alpha", "activation_beta"] {
        if node.floats(name)?.is_some_and(|values| !values.is_empty()) {
            return Err(node.refuse(name));
        }
    }
    if node.float("clip")?.is_some() {
        return Err(node.refuse("clip"));
    }
    if node.int("input_forget")?.unwrap_or(0) != 0 {
        return Err(node.refuse("input_forget"));
    }
    if node.int("layout")?.unwrap_or(0) != 0 {
        return Err(node.refuse("layout=1"));
    }
    if node.has_input(7) {
        return Err(node.refuse("peepholes"));
    }
    Ok(())
}

fn recurrent(node: &Node<'_>) -> Result<Built, Refusal> {
    let (cell, gates, defaults): (Cell, usize, &[&[u8]]) = match node.op() {
        "LSTM" => (Cell::Lstm, 4, &[b"Sigmoid", b"Tanh", b"Tanh"]),
        "GRU" => {
            let linear_before_reset = node.int("linear_before_reset")?.unwrap_or(0) != 0;
            let cell = Cell::Gru {
                linear_before_reset,
            };
            (cell, 3, &[b"Sigmoid", b"Tanh"])
        }
        _ => {
            let all_cut = |given: &[Vec<u8>]| given.iter().all(|a| a.eq_ignore_ascii_case(b"Relu"));
            let given = node
                .strings("activations")?
                .filter(|given| !given.is_empty());
            match given.is_some_and(all_cut) {
                true => (Cell::Rnn { cut: true }, 1, &[b"Relu"]),
                false => (Cell::Rnn { cut: false }, 1, &[b"Tanh"]),
            }
        }
    };
    let backward: &[bool] = match node.string("direction")?.as_deref() {
        None | Some("forward") => &[false],
        Some("reverse") => &[true],
        Some("bidirectional") => &[false, true],
        Some(other) => return Err(node.refuse(&format!("direction={other}"))),
    };
    check_attributes(node, defaults, backward.len())?;
    let hidden = usize::try_from(node.int("hidden_size")?.unwrap_or(0)).unwrap_or(0);
    let (Some(w), Some(r)) = (node.constant(1), node.constant(2)) else {
        return Err(node.refuse("weights that depend on the input"));
    };
    if node.has_input(3) && node.constant(3).is_none() {
        return Err(node.refuse("biases that depend on the input"));
    }
    let rows = gates.saturating_mul(hidden);
    let inputs = w.shape().get(2).copied().unwrap_or(0);
    let fits = rows > 0
        && **w.shape() == [backward.len(), rows, inputs]
        && **r.shape() == [backward.len(), rows, hidden]
        && node
            .constant(3)
            .is_none_or(|b| **b.shape() == [backward.len(), 2 * rows]);
    if !fits {
        return Err(node.broken("weights do not fit hidden_size"));
    }
    let (w, r) = (w.to_f32()?, r.to_f32()?);
    let b = match node.constant(3) {
        Some(b) => b.to_f32()?,
        None => vec![0.0; backward.len() * 2 * rows],
    };
    let mut directions = Vec::new();
    for (at, &backward) in backward.iter().enumerate() {
        directions.push(direction(
            cell,
            (inputs, hidden, rows),
            &w[at * rows * inputs..(at + 1) * rows * inputs],
            &r[at * rows * hidden..(at + 1) * rows * hidden],
            &b[at * 2 * rows..(at + 1) * 2 * rows],
            backward,
        )?);
    }
    many(move |inputs| run(cell, hidden, &directions, inputs))
}

fn direction(
    cell: Cell,
    (inputs, hidden, rows): (usize, usize, usize),
    w: &[f32],
    r: &[f32],
    b: &[f32],
    backward: bool,
) -> Result<Direction, Refusal> {
    let make = |weight: &[f32], from: usize, to: usize, bias: &[f32]| {
        Linear::new(
            weight,
            (from, to),
            Layout::OutIn,
            bias,
            Activation::Identity,
        )
    };
    let (input_bias, state_bias) = b.split_at(rows);
    let input = make(w, inputs, rows, input_bias)?;
    let (state, candidate) = if matches!(cell, Cell::Gru { .. }) {
        let (zr, h) = r.split_at(2 * hidden * hidden);
        let (zr_bias, h_bias) = state_bias.split_at(2 * hidden);
        (
            make(zr, hidden, 2 * hidden, zr_bias)?,
            Some(make(h, hidden, hidden, h_bias)?),
        )
    } else {
        (make(r, hidden, rows, state_bias)?, None)
    };
    Ok(Direction {
        input,
        state,
        candidate,
        backward,
    })
}

/// An initial state `[directions, batch, hidden]`, or zeros.
fn initial(given: Option<&Array>, dims: [usize; 3]) -> Result<Vec<f32>, Fault> {
    match given {
        Some(state) if **state.shape() == dims => Ok(state.values::<f32>()?.to_vec()),
        Some(_) => Err(Fault::shape("an initial state of another shape")),
        None => Ok(vec![0.0; Shape::new(&dims)?.volume()]),
    }
}

/// Steps of each sequence of the batch; all of them if not given.
fn lengths(given: Option<&Array>, steps: usize, batch: usize) -> Result<Vec<usize>, Fault> {
    let Some(given) = given else {
        return Ok(vec![steps; batch]);
    };
    let all = given.to_i64()?;
    let fits = all
        .iter()
        .map(|&n| usize::try_from(n).ok().filter(|&n| n <= steps));
    fits.collect::<Option<Vec<usize>>>()
        .filter(|all| all.len() == batch)
        .ok_or_else(|| Fault::value(format!("lengths {all:?} of {batch} sequences")))
}

fn run(
    cell: Cell,
    hidden: usize,
    directions: &[Direction],
    inputs: crate::onnx::node::Inputs<'_>,
) -> Result<Vec<Array>, Fault> {
    let x = inputs.get(0)?;
    let [steps, batch, width] = **x.shape() else {
        return Err(Fault::shape("a sequence of rank 3 is needed"));
    };
    let lengths = lengths(inputs.optional(4), steps, batch)?;
    let state_dims = [directions.len(), batch, hidden];
    let mut h = initial(inputs.optional(5), state_dims)?;
    let mut c = initial(inputs.optional(6), state_dims)?;
    let shape = Shape::new(&[steps, directions.len(), batch, hidden])?;
    let mut y = vec![0f32; shape.volume()];
    let values = x.values::<f32>()?;
    let block = batch * hidden;
    for (at, direction) in directions.iter().enumerate() {
        if direction.input.inputs() != width {
            return Err(Fault::shape("the sequence does not fit the weights"));
        }
        let h = &mut h[at * block..(at + 1) * block];
        let c = &mut c[at * block..(at + 1) * block];
        let gates = direction.input.rows(values)?;
        let per_step = batch * direction.input.outputs();
        for step in 0..steps {
            let step = if direction.backward {
                steps - 1 - step
            } else {
                step
            };
            let now = &gates[step * per_step..(step + 1) * per_step];
            let before = lengths
                .iter()
                .any(|&length| step >= length)
                .then(|| (h.to_vec(), c.to_vec()));
            direction.step(cell, hidden, now, h, c)?;
            let from = (step * directions.len() + at) * block;
            y[from..from + block].copy_from_slice(h);
            // A sequence that is over keeps its state and gives zeros.
            let over = |row: &usize| lengths[*row] <= step;
            if let Some((old_h, old_c)) = before {
                for row in (0..batch).filter(over) {
                    let part = row * hidden..(row + 1) * hidden;
                    h[part.clone()].copy_from_slice(&old_h[part.clone()]);
                    c[part.clone()].copy_from_slice(&old_c[part.clone()]);
                    y[from + part.start..from + part.end].fill(0.0);
                }
            }
        }
    }
    let last = Shape::new(&state_dims)?;
    let mut made = vec![Array::of(shape, y)?, Array::of(last, h)?];
    if cell == Cell::Lstm {
        made.push(Array::of(last, c)?);
    }
    Ok(made)
}

impl Direction {
    /// One step for the whole batch: `x` holds the input's part of the gates.
    fn step(
        &self,
        cell: Cell,
        hidden: usize,
        x: &[f32],
        h: &mut [f32],
        c: &mut [f32],
    ) -> Result<(), Fault> {
        let from_state = self.state.rows(h)?;
        let n = hidden;
        match cell {
            Cell::Rnn { cut } => {
                for ((h, x), s) in h.iter_mut().zip(x).zip(&from_state) {
                    *h = if cut {
                        (x + s).max(0.0)
                    } else {
                        (x + s).tanh()
                    };
                }
            }
            Cell::Lstm => {
                let rows = x.chunks_exact(4 * n).zip(from_state.chunks_exact(4 * n));
                let states = h.chunks_exact_mut(n).zip(c.chunks_exact_mut(n));
                for ((x, s), (h, c)) in rows.zip(states) {
                    for at in 0..n {
                        let gate = |which: usize| x[which * n + at] + s[which * n + at];
                        let (i, o, f) = (sigmoid(gate(0)), sigmoid(gate(1)), sigmoid(gate(2)));
                        c[at] = f * c[at] + i * gate(3).tanh();
                        h[at] = o * c[at].tanh();
                    }
                }
            }
            Cell::Gru {
                linear_before_reset,
            } => {
                let Some(candidate) = &self.candidate else {
                    return Err(Fault::Internal("a GRU without its candidate".to_owned()));
                };
                let gate = |row: usize, which: usize, at: usize| {
                    sigmoid(x[(row * 3 + which) * n + at] + from_state[(row * 2 + which) * n + at])
                };
                let reset: Vec<f32> = (0..h.len()).map(|at| gate(at / n, 1, at % n)).collect();
                let part = if linear_before_reset {
                    let mut part = candidate.rows(h)?;
                    part.iter_mut().zip(&reset).for_each(|(x, r)| *x *= r);
                    part
                } else {
                    let held: Vec<f32> = h.iter().zip(&reset).map(|(h, r)| h * r).collect();
                    candidate.rows(&held)?
                };
                for (at, h) in h.iter_mut().enumerate() {
                    let (row, column) = (at / n, at % n);
                    let z = gate(row, 0, column);
                    let new = (x[(row * 3 + 2) * n + column] + part[at]).tanh();
                    *h = (1.0 - z) * new + z * *h;
                }
            }
        }
        Ok(())
    }
}
