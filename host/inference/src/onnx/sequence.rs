//! Sequences whose length is known when a file is compiled: lists of values that
//! are gone before anything runs.

use super::{
    array::{Array, Shape},
    compile::Compiler,
    fault::{Fault, Refusal},
    graph::{Branch, Call, ValueId},
    node::{Kernel, Node, Outputs, title},
    ops::{cut, join},
};

/// Longest list that one more value is put into; every such list is a copy.
const MAX_GROWN: usize = 128;

/// What stands for a sequence.
#[derive(Debug, Clone)]
pub(crate) enum List {
    /// These values.
    Of(Vec<ValueId>),
    /// One value of all rounds of a loop, joined along the first axis.
    Rounds,
    /// Parts of a value, cut when one of them is wanted.
    Parts(ValueId, Cut),
}

/// How a value is cut: along an axis, by sizes of an input or into single places.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut {
    axis: i64,
    sizes: Option<ValueId>,
    /// Whether single places keep the axis.
    keep: bool,
}

impl Cut {
    /// Part number `at`, from the back if negative. One size is that of every
    /// part but the last, which may be smaller.
    fn part(&self, a: &Array, sizes: Option<&Array>, at: i64) -> Result<Array, Fault> {
        let axis = a.shape().axis(self.axis)?;
        let all = a.shape()[axis];
        let even = sizes.is_none_or(|sizes| sizes.rank() == 0);
        let given = sizes.map(Array::to_i64).transpose()?;
        let given = given.unwrap_or_else(|| vec![1]);
        let whole = given.iter().map(|&size| usize::try_from(size).ok());
        let Some(mut sizes) = whole.collect::<Option<Vec<usize>>>() else {
            return Err(Fault::value(format!("parts of sizes {given:?}")));
        };
        if even {
            let each = sizes.first().copied().unwrap_or(1).max(1);
            sizes = (0..all.div_ceil(each))
                .map(|part| each.min(all - part * each))
                .collect();
        }
        let at = super::array::resolve_axis(at, sizes.len())
            .map_err(|_| Fault::value(format!("part {at} of {}", sizes.len())))?;
        let before = sizes[..at]
            .iter()
            .fold(0usize, |sum, &n| sum.saturating_add(n));
        let part = cut(a, axis, before, sizes[at])?;
        if self.keep {
            return Ok(part);
        }
        let mut dims = part.shape().to_vec();
        dims.remove(axis);
        part.reshaped(Shape::new(&dims)?)
    }
}

/// Whether [`Compiler::sequence`] knows the operator.
pub(crate) fn is_known(op: &str) -> bool {
    matches!(
        op,
        "SequenceEmpty"
            | "SequenceConstruct"
            | "SplitToSequence"
            | "SequenceInsert"
            | "SequenceAt"
            | "SequenceLength"
            | "ConcatFromSequence"
    )
}

impl<'g> Compiler<'g, '_> {
    /// Carries out an operator on sequences.
    pub(crate) fn sequence(&mut self, call: Call<'g>, node: &Node<'_>) -> Result<(), Refusal> {
        let Some(output) = call.outputs.first().copied().flatten() else {
            return Ok(());
        };
        let input = |at: usize| call.inputs.get(at).copied().flatten();
        let items = match (node.op(), input(0).and_then(|id| self.list(id))) {
            ("SplitToSequence", _) => return self.split(&call, node, output),
            ("SequenceAt", Some(List::Parts(value, cut))) => {
                let parts = (*value, *cut);
                return self.pick(call, node, parts);
            }
            ("SequenceEmpty", _) => Vec::new(),
            ("SequenceConstruct", _) => call.inputs.iter().flatten().copied().collect(),
            ("ConcatFromSequence", Some(List::Rounds)) => return self.rounds(&call, node, output),
            (_, Some(List::Of(items))) => items.clone(),
            _ => return Err(node.refuse("a sequence of unknown length")),
        };
        match node.op() {
            "SequenceAt" => {
                let at = self.position(input(1), items.len(), items.len(), node)?;
                self.set_alias(output, items[at]);
                Ok(())
            }
            "SequenceLength" => self.set_constant(output, Array::scalar(items.len() as i64)),
            "ConcatFromSequence" => self.concat(call, node, items),
            "SequenceInsert" => {
                let Some(value) = input(1).filter(|_| items.len() < MAX_GROWN) else {
                    return Err(node.refuse("a long sequence, or no value"));
                };
                let mut items = items;
                let at = self.position(input(2), items.len() + 1, items.len(), node)?;
                items.insert(at, value);
                self.done.lists.insert(output, List::Of(items));
                Ok(())
            }
            _ => {
                self.done.lists.insert(output, List::Of(items));
                Ok(())
            }
        }
    }

    fn list(&self, id: ValueId) -> Option<&List> {
        self.done.lists.get(&self.done.resolve(id))
    }

    /// A constant place below `limit`: from the back of `size` if negative, and
    /// `size` itself if not given.
    fn position(
        &self,
        id: Option<ValueId>,
        limit: usize,
        size: usize,
        node: &Node<'_>,
    ) -> Result<usize, Refusal> {
        let at = match id.map(|id| self.known(id)) {
            None => size as i64,
            Some(Some(known)) => known.to_i64()?.first().copied().unwrap_or(i64::MAX),
            Some(None) => return Err(node.refuse("a place that depends on the input")),
        };
        let at = if at < 0 {
            at.saturating_add(size as i64)
        } else {
            at
        };
        usize::try_from(at)
            .ok()
            .filter(|&at| at < limit)
            .ok_or_else(|| node.broken("a place outside the sequence"))
    }

    fn split(&mut self, call: &Call<'g>, node: &Node<'_>, output: ValueId) -> Result<(), Refusal> {
        let Some(Some(value)) = call.inputs.first() else {
            return Err(node.broken("input 0 is missing"));
        };
        let sizes = call.inputs.get(1).copied().flatten();
        let cut = Cut {
            axis: node.int("axis")?.unwrap_or(0),
            sizes,
            keep: sizes.is_some() || node.int("keepdims")?.unwrap_or(1) != 0,
        };
        self.done.lists.insert(output, List::Parts(*value, cut));
        Ok(())
    }

    fn pick(
        &mut self,
        mut call: Call<'g>,
        node: &Node<'_>,
        (value, cut): (ValueId, Cut),
    ) -> Result<(), Refusal> {
        let Some(place) = node.constant(1) else {
            return Err(node.refuse("a place that depends on the input"));
        };
        let at = place.to_i64()?.first().copied().unwrap_or(i64::MAX);
        call.inputs = vec![Some(value), cut.sizes];
        let kernel: Kernel = Box::new(move |inputs| {
            let part = cut.part(inputs.get(0)?, inputs.optional(1), at)?;
            Ok(Outputs::One(part))
        });
        self.kernel(call, kernel)
    }

    fn rounds(&mut self, call: &Call<'g>, node: &Node<'_>, output: ValueId) -> Result<(), Refusal> {
        if node.int("axis")? != Some(0) || node.int("new_axis")?.unwrap_or(0) != 0 {
            return Err(node.refuse("a loop's values along another axis than the first"));
        }
        if let Some(Some(rows)) = call.inputs.first() {
            // From here on the values are a tensor like any other.
            self.done.lists.remove(&self.done.resolve(*rows));
            self.set_alias(output, *rows);
        }
        Ok(())
    }

    /// Refuses a sequence where a tensor is needed.
    pub(crate) fn no_lists(&self, call: &Call<'g>) -> Result<(), Refusal> {
        match call
            .inputs
            .iter()
            .flatten()
            .any(|&id| self.list(id).is_some())
        {
            true => Err(Refusal::unsupported(format!(
                "{} of a sequence",
                title(call.node)
            ))),
            false => Ok(()),
        }
    }

    fn concat(
        &mut self,
        mut call: Call<'g>,
        node: &Node<'_>,
        items: Vec<ValueId>,
    ) -> Result<(), Refusal> {
        let Some(axis) = node.int("axis")? else {
            return Err(node.broken("no axis"));
        };
        let new = node.int("new_axis")?.unwrap_or(0) != 0;
        call.inputs = items.into_iter().map(Some).collect();
        let kernel: Kernel = Box::new(move |inputs| {
            let parts: Vec<Array> = inputs.all().cloned().collect();
            joined(parts, axis, new).map(Outputs::One)
        });
        self.kernel(call, kernel)
    }

    /// States of a loop that start as empty sequences to which every round adds a
    /// value: those values become what the loop stacks. Gives their number.
    pub(crate) fn growing(&mut self, call: &mut Call<'g>, body: &mut Branch<'g>) -> usize {
        let mut grown = 0;
        let mut at = 0;
        call.outputs
            .resize(body.outputs.len().saturating_sub(1), None);
        while at + 2 < call.inputs.len()
            && at + 2 < body.inputs.len()
            && at + 1 < body.outputs.len()
        {
            let empty = call.inputs[at + 2]
                .and_then(|id| self.list(id))
                .is_some_and(|list| matches!(list, List::Of(items) if items.is_empty()));
            let (inside, after) = (body.inputs[at + 2], body.outputs[at + 1]);
            let added = body.calls.iter().position(|call| {
                call.node.op_type == "SequenceInsert"
                    && call.outputs.first() == Some(&Some(after))
                    && matches!(*call.inputs.as_slice(), [Some(from), Some(_)] if from == inside)
            });
            let value = added.map(|added| body.calls[added].inputs[1]);
            let (true, Some(added), Some(Some(value))) = (empty, added, value) else {
                at += 1;
                continue;
            };
            body.calls.remove(added);
            body.inputs.remove(at + 2);
            body.outputs.remove(at + 1);
            body.outputs.push(value);
            call.inputs.remove(at + 2);
            let output = call.outputs.remove(at);
            call.outputs.push(output);
            if let Some(output) = output {
                self.done.lists.insert(output, List::Rounds);
            }
            grown += 1;
        }
        grown
    }
}

/// Values along an axis they have, or along a new one.
pub(crate) fn joined(mut parts: Vec<Array>, axis: i64, new: bool) -> Result<Array, Fault> {
    let Some(first) = parts.first() else {
        return Err(Fault::value("no values to join"));
    };
    let rank = first.rank() + usize::from(new);
    let at = super::array::resolve_axis(axis, rank)?;
    if new {
        for part in &mut parts {
            let mut dims = part.shape().to_vec();
            if at > dims.len() {
                return Err(Fault::shape("values of different ranks"));
            }
            dims.insert(at, 1);
            *part = part.reshaped(Shape::new(&dims)?)?;
        }
    }
    join(&parts.iter().collect::<Vec<_>>(), at)
}
