//! Einstein sums: operands are contracted pair by pair as batched products.

use super::{Build, matmul::products, no_types, shape::permute};
use crate::onnx::{
    array::{Array, MAX_RANK, Shape},
    fault::{Fault, Refusal},
    node::{Built, Node, one},
};
use domain::tensor::TensorData;

/// The builder of an operator of this group.
pub(crate) fn find(op: &str) -> Option<Build> {
    (op == "Einsum").then_some(einsum as Build)
}

/// Labels of one operand; `None` stands for the ellipsis.
type Term = Vec<Option<char>>;

fn term(text: &str) -> Option<Term> {
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let mut labels = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '.' => {
                if rest.next() != Some('.') || rest.next() != Some('.') || labels.contains(&None) {
                    return None;
                }
                labels.push(None);
            }
            c if c.is_ascii_alphabetic() => labels.push(Some(c)),
            _ => return None,
        }
    }
    Some(labels)
}

/// Without `->`: labels that occur once, in alphabetical order.
fn implicit(operands: &[Term]) -> Term {
    let all: Vec<char> = operands.iter().flatten().flatten().copied().collect();
    let mut once: Vec<char> = all.clone();
    once.sort_unstable();
    once.dedup();
    once.retain(|c| all.iter().filter(|other| *other == c).count() == 1);
    let dots = operands.iter().flatten().any(Option::is_none);
    dots.then_some(None)
        .into_iter()
        .chain(once.into_iter().map(Some))
        .collect()
}

fn einsum(node: &Node<'_>) -> Result<Built, Refusal> {
    let Some(equation) = node.string("equation")? else {
        return Err(node.broken("no equation"));
    };
    let broken = || node.broken(&format!("equation {equation:?}"));
    let (left, right) = match equation.split_once("->") {
        Some((left, right)) => (left, Some(right)),
        None => (equation.as_str(), None),
    };
    let operands: Option<Vec<Term>> = left.split(',').map(term).collect();
    let operands = operands.ok_or_else(broken)?;
    let output = match right {
        Some(right) => term(right).ok_or_else(broken)?,
        None => implicit(&operands),
    };
    one(move |inputs| {
        let given: Vec<&Array> = inputs.all().collect();
        if given.len() != operands.len() {
            return Err(Fault::shape(
                "as many inputs as the equation has are needed",
            ));
        }
        let mut parts = Vec::with_capacity(given.len());
        for (array, term) in given.iter().zip(&operands) {
            let labels = spelt_out(term, array.rank())?;
            parts.push(diagonal(array, labels)?);
        }
        let dots = parts.iter().flat_map(|(_, labels)| labels).copied();
        let dots = dots
            .filter(|&c| c < 100)
            .max()
            .map_or(0, |c| c as usize + 1);
        let output = with_dots(&output, dots);
        contract_all(parts, &output)
    })
}

/// Labels as numbers; ellipsis axes get 0, 1, ... counted from the back.
fn spelt_out(term: &Term, rank: usize) -> Result<Vec<u32>, Fault> {
    let named = term.iter().flatten().count();
    let has_dots = term.iter().any(Option::is_none);
    let dots = rank
        .checked_sub(named)
        .filter(|&dots| has_dots || dots == 0);
    let Some(dots) = dots else {
        return Err(Fault::shape("an operand's rank does not fit the equation"));
    };
    Ok(with_dots(term, dots))
}

fn with_dots(term: &Term, dots: usize) -> Vec<u32> {
    let mut labels = Vec::new();
    for label in term {
        match label {
            Some(c) => labels.push(100 + *c as u32),
            None => labels.extend((0..dots as u32).rev()),
        }
    }
    labels
}

/// Repeated labels within an operand become one axis.
fn diagonal(array: &Array, labels: Vec<u32>) -> Result<(Array, Vec<u32>), Fault> {
    let (mut array, mut labels) = (array.clone(), labels);
    loop {
        let twice = (0..labels.len()).find_map(|b| {
            let a = labels[..b].iter().position(|&label| label == labels[b])?;
            Some((a, b))
        });
        let Some((a, b)) = twice else {
            return Ok((array, labels));
        };
        let mut order: Vec<usize> = (0..labels.len()).filter(|&x| x != a && x != b).collect();
        order.extend([a, b]);
        let moved = permute(&array, &order)?;
        let size = moved.shape()[labels.len() - 2];
        if moved.shape()[labels.len() - 1] != size {
            return Err(Fault::shape("a repeated label has two sizes"));
        }
        let flat: usize = moved.shape()[..labels.len() - 2].iter().product();
        let rows = moved.reshaped(Shape::new(&[flat, size * size])?)?;
        let places: Vec<i64> = (0..size as i64).map(|at| at * (size as i64 + 1)).collect();
        let picked = super::gather::take(&rows, 1, &places, &[size])?;
        let mut dims = moved.shape()[..labels.len() - 2].to_vec();
        dims.push(size);
        array = picked.reshaped(Shape::new(&dims)?)?;
        let label = labels[a];
        labels = order[..labels.len() - 2]
            .iter()
            .map(|&at| labels[at])
            .collect();
        labels.push(label);
    }
}

fn sum_away(array: &Array, labels: &[u32], keep: &[u32]) -> Result<(Array, Vec<u32>), Fault> {
    let axes: Vec<usize> = (0..labels.len())
        .filter(|&at| !keep.contains(&labels[at]))
        .collect();
    if axes.is_empty() {
        return Ok((array.clone(), labels.to_vec()));
    }
    let summed = super::reduce::reduce_with("ReduceSum", array, &axes, false)?;
    let left = labels.iter().copied().filter(|label| keep.contains(label));
    Ok((summed, left.collect()))
}

fn contract_all(parts: Vec<(Array, Vec<u32>)>, output: &[u32]) -> Result<Array, Fault> {
    let mut parts = parts.into_iter();
    let Some((mut array, mut labels)) = parts.next() else {
        return Err(Fault::shape("no inputs"));
    };
    while let Some((next, next_labels)) = parts.next() {
        let mut keep = output.to_vec();
        keep.extend(parts.as_slice().iter().flat_map(|(_, labels)| labels));
        (array, labels) = contract((&array, &labels), (&next, &next_labels), &keep)?;
    }
    let (array, labels) = sum_away(&array, &labels, output)?;
    let place = |label: &u32| labels.iter().position(|other| other == label);
    let order: Option<Vec<usize>> = output.iter().map(place).collect();
    match order {
        Some(order) if order.len() == labels.len() => permute(&array, &order),
        _ => Err(Fault::shape("the output has labels that no input has")),
    }
}

/// One product: shared kept labels are the batch, shared others are summed.
fn contract(
    (a, la): (&Array, &[u32]),
    (b, lb): (&Array, &[u32]),
    keep: &[u32],
) -> Result<(Array, Vec<u32>), Fault> {
    let wanted = |labels: &[u32], others: &[u32]| -> Vec<u32> {
        let needed = labels
            .iter()
            .filter(|l| keep.contains(l) || others.contains(l));
        needed.copied().collect()
    };
    let (a, la) = sum_away(a, la, &wanted(la, lb))?;
    let (b, lb) = sum_away(b, lb, &wanted(lb, &la))?;
    let size = |label: u32| -> Result<usize, Fault> {
        let in_a = la.iter().position(|&l| l == label).map(|at| a.shape()[at]);
        let in_b = lb.iter().position(|&l| l == label).map(|at| b.shape()[at]);
        match (in_a, in_b) {
            (Some(x), Some(y)) if x != y => {
                Err(Fault::shape(format!("a label has the sizes {x} and {y}")))
            }
            (Some(x), _) | (_, Some(x)) => Ok(x),
            _ => Ok(1),
        }
    };
    let shared: Vec<u32> = la.iter().copied().filter(|l| lb.contains(l)).collect();
    let batch: Vec<u32> = shared
        .iter()
        .copied()
        .filter(|l| keep.contains(l))
        .collect();
    let inner: Vec<u32> = shared
        .iter()
        .copied()
        .filter(|l| !keep.contains(l))
        .collect();
    let rows: Vec<u32> = la.iter().copied().filter(|l| !shared.contains(l)).collect();
    let columns: Vec<u32> = lb.iter().copied().filter(|l| !shared.contains(l)).collect();
    let sizes = |labels: &[u32]| {
        labels
            .iter()
            .map(|&l| size(l))
            .collect::<Result<Vec<_>, _>>()
    };
    let count = |labels: &[u32]| sizes(labels).map(|all| all.iter().product::<usize>());
    let arranged = |array: &Array, own: &[u32], parts: [&[u32]; 3]| {
        let order = parts.concat();
        let places: Vec<usize> = order
            .iter()
            .filter_map(|label| own.iter().position(|other| other == label))
            .collect();
        permute(array, &places)
    };
    let left = arranged(&a, &la, [&batch, &rows, &inner])?;
    let right = arranged(&b, &lb, [&batch, &inner, &columns])?;
    let dims = (
        count(&batch)?,
        count(&rows)?,
        count(&inner)?,
        count(&columns)?,
    );
    let labels = [batch, rows, columns].concat();
    if labels.len() > MAX_RANK {
        return Err(Fault::Limit(
            "an intermediate sum has too many axes".to_owned(),
        ));
    }
    let shape = Shape::new(&sizes(&labels)?)?;
    let made = match (left.data(), right.data()) {
        (TensorData::Fp32(x), TensorData::Fp32(y)) => Array::of(shape, products(x, y, dims)?)?,
        (TensorData::Fp64(x), TensorData::Fp64(y)) => Array::of(shape, products(x, y, dims)?)?,
        _ => return Err(no_types(&[&a, &b])),
    };
    Ok((made, labels))
}
