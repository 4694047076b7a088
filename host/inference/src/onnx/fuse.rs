//! Nodes that become one step: a product with constant weights, the bias added
//! to it, and the activation after it.

use super::{
    array::Array,
    compile::{Compiled, Draft, Work},
    fault::Refusal,
    graph::ValueId,
    node::{Kernel, Outputs},
    ops::{
        self,
        linear::{Activation, Layout, Linear},
    },
    proto::{AttributeProto, NodeProto},
};
use domain::tensor::DataType;
use std::collections::{HashMap, HashSet};

/// A dense layer found in the graph.
struct Dense {
    input: ValueId,
    weight: Array,
    layout: Layout,
    bias: Option<Array>,
    /// Axes the operators need the input to have.
    min_rank: usize,
}

/// Replaces what can be fused. `outputs` are the graph's.
pub(crate) fn fuse(compiled: &mut Compiled<'_>, outputs: &[ValueId]) -> Result<(), Refusal> {
    let kept: HashSet<ValueId> = outputs.iter().map(|&id| compiled.resolve(id)).collect();
    let mut users: HashMap<ValueId, Vec<usize>> = HashMap::new();
    for (at, draft) in compiled.drafts.iter().enumerate() {
        for id in draft.inputs.iter().flatten() {
            users.entry(*id).or_default().push(at);
        }
    }
    let only_user = |id: ValueId| match users.get(&id).map(Vec::as_slice) {
        Some([user]) if !kept.contains(&id) => Some(*user),
        _ => None,
    };
    let mut gone = HashSet::new();
    for at in 0..compiled.drafts.len() {
        let Some(mut dense) = dense(compiled, &compiled.drafts[at]) else {
            continue;
        };
        let Some(mut output) = first_output(&compiled.drafts[at]) else {
            continue;
        };
        let mut absorbed = Vec::new();
        if dense.bias.is_none()
            && let Some(user) = only_user(output)
            && let Some(bias) = added(compiled, &compiled.drafts[user], output, &dense)
        {
            dense.min_rank = dense.min_rank.max(bias.rank());
            dense.bias = Some(bias);
            absorbed.push(user);
            output = first_output(&compiled.drafts[user]).unwrap_or(output);
        }
        let mut activation = Activation::Identity;
        if let Some(user) = only_user(output)
            && let Some(found) = activates(compiled.drafts[user].node)
        {
            activation = found;
            absorbed.push(user);
            output = first_output(&compiled.drafts[user]).unwrap_or(output);
        }
        let kernel = layer(&dense, activation)?;
        // The step takes the place of its last part, when every input is there.
        let place = absorbed.last().copied().unwrap_or(at);
        if place != at {
            gone.insert(at);
        }
        gone.extend(absorbed.iter().filter(|user| **user != place));
        let label = format!("Linear for {}", compiled.drafts[at].label);
        let draft = &mut compiled.drafts[place];
        draft.work = Work::Kernel(kernel);
        draft.inputs = vec![Some(dense.input)];
        draft.outputs = vec![Some(output)];
        draft.label = label;
    }
    let mut at = 0;
    compiled.drafts.retain(|_| {
        at += 1;
        !gone.contains(&(at - 1))
    });
    Ok(())
}

fn first_output(draft: &Draft<'_>) -> Option<ValueId> {
    draft.outputs.first().copied().flatten()
}

fn known(compiled: &Compiled<'_>, draft: &Draft<'_>, at: usize) -> Option<Array> {
    let id = draft.inputs.get(at).copied().flatten()?;
    compiled.constants.get(id)?.clone()
}

fn is_default_domain(node: &NodeProto) -> bool {
    matches!(node.domain.as_str(), "" | "ai.onnx")
}

fn is_float(array: &Array) -> bool {
    matches!(
        array.datatype(),
        DataType::Fp32 | DataType::Fp16 | DataType::Bf16
    )
}

fn find<'a>(node: &'a NodeProto, name: &str) -> Option<&'a AttributeProto> {
    node.attribute.iter().find(|a| a.name == name)
}

/// A product by constant weights of rank 2.
fn dense(compiled: &Compiled<'_>, draft: &Draft<'_>) -> Option<Dense> {
    let node = draft.node;
    if !is_default_domain(node) {
        return None;
    }
    let input = draft.inputs.first().copied().flatten()?;
    if compiled.constants.get(input)?.is_some() {
        return None;
    }
    let weight = known(compiled, draft, 1)?;
    if weight.rank() != 2 || weight.len() == 0 || !is_float(&weight) {
        return None;
    }
    match node.op_type.as_str() {
        "MatMul" => Some(Dense {
            input,
            weight,
            layout: Layout::InOut,
            bias: None,
            min_rank: 1,
        }),
        "Gemm" => {
            let number = |name| find(node, name).is_none_or(|a| a.f == Some(1.0));
            let flag = |name| find(node, name).and_then(|a| a.i).unwrap_or(0) != 0;
            if !number("alpha") || !number("beta") || flag("transA") {
                return None;
            }
            let layout = if flag("transB") {
                Layout::OutIn
            } else {
                Layout::InOut
            };
            let mut dense = Dense {
                input,
                weight,
                layout,
                bias: None,
                min_rank: 2,
            };
            if draft.inputs.get(2).copied().flatten().is_some() {
                let bias = known(compiled, draft, 2)?;
                dense.bias = Some(as_bias(bias, &dense)?);
            }
            Some(dense)
        }
        _ => None,
    }
}

fn outputs(dense: &Dense) -> usize {
    match dense.layout {
        Layout::InOut => dense.weight.shape()[1],
        Layout::OutIn => dense.weight.shape()[0],
    }
}

/// A constant that broadcasts to one value per output.
fn as_bias(bias: Array, dense: &Dense) -> Option<Array> {
    let shape = bias.shape();
    let (last, lead) = shape.split_last().unwrap_or((&1, &[]));
    let fits = lead.iter().all(|&dim| dim == 1) && (*last == outputs(dense) || *last == 1);
    (fits && is_float(&bias)).then_some(bias)
}

/// The constant that `user` adds to `value`.
fn added(
    compiled: &Compiled<'_>,
    user: &Draft<'_>,
    value: ValueId,
    dense: &Dense,
) -> Option<Array> {
    if user.node.op_type != "Add" || !is_default_domain(user.node) {
        return None;
    }
    let side = match *user.inputs.as_slice() {
        [Some(a), Some(b)] if a == value && b != value => 1,
        [Some(a), Some(b)] if b == value && a != value => 0,
        _ => return None,
    };
    as_bias(known(compiled, user, side)?, dense)
}

fn activates(node: &NodeProto) -> Option<Activation> {
    match node.op_type.as_str() {
        "Relu" if is_default_domain(node) => Some(Activation::Relu),
        "Sigmoid" if is_default_domain(node) => Some(Activation::Sigmoid),
        "Tanh" if is_default_domain(node) => Some(Activation::Tanh),
        _ => None,
    }
}

fn layer(dense: &Dense, activation: Activation) -> Result<Kernel, Refusal> {
    let weight = dense.weight.to_f32()?;
    let [rows, columns] = **dense.weight.shape() else {
        return Err(Refusal::malformed(
            "a dense layer's weight has a wrong rank",
        ));
    };
    let size = match dense.layout {
        Layout::InOut => (rows, columns),
        Layout::OutIn => (columns, rows),
    };
    let mut bias = match &dense.bias {
        Some(bias) => bias.to_f32()?,
        None => Vec::new(),
    };
    if let [one] = *bias.as_slice() {
        bias = vec![one; size.1];
    }
    let min_rank = dense.min_rank;
    let linear = Linear::new(&weight, size, dense.layout, &bias, activation)?;
    let kernel: Kernel =
        Box::new(move |inputs| linear.array(inputs.get(0)?, min_rank).map(Outputs::One));
    Ok(ops::widen_half("Linear", kernel))
}
