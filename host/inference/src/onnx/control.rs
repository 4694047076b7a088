//! Conditions and loops: subgraphs that become plans of their own and run as one
//! step of the plan around them.

use super::{
    array::Array,
    compile::{Compiler, Work},
    fault::{Fault, Refusal},
    fuse,
    graph::{Branch, Call, ValueId},
    node::Inputs,
    plan::{Budget, Plan},
    sequence::joined,
};
use std::collections::HashSet;

/// A subgraph: its plan takes its own inputs, then values from around it.
pub(crate) struct Part {
    plan: Plan,
    /// Where those values stand among the step's inputs.
    captured: std::ops::Range<usize>,
}

/// A node with subgraphs.
pub(crate) enum Control {
    /// Input 0 is the condition.
    If { yes: Box<Part>, no: Box<Part> },
    /// Inputs are the most rounds, the condition, and the states. Of the values
    /// that every round makes, the last are joined, the others stacked.
    Loop {
        body: Box<Part>,
        states: usize,
        joined: usize,
    },
}

impl<'g> Compiler<'g, '_> {
    /// `If`: on a constant the branch taken becomes part of the graph.
    pub(crate) fn condition(&mut self, mut call: Call<'g>) -> Result<(), Refusal> {
        let mut branch = |name: &str| {
            let at = call.branches.iter().position(|(n, _)| *n == name);
            let found = at.map(|at| call.branches.swap_remove(at).1);
            found
                .filter(|b| b.inputs.is_empty() && b.outputs.len() == call.outputs.len())
                .ok_or_else(|| Refusal::malformed(format!("If: no valid {name}")))
        };
        let (yes, no) = (branch("then_branch")?, branch("else_branch")?);
        let condition = call.inputs.first().copied().flatten();
        let Some(condition) = condition.filter(|_| call.inputs.len() == 1) else {
            return Err(Refusal::malformed("If: one condition is needed"));
        };
        if let Some(value) = self.known(condition) {
            let taken = value.only::<bool>().map_err(|fault| fault.at("If"))?;
            return self.inline(&call.outputs, if taken { yes } else { no });
        }
        let (yes, mut captured) = self.part(yes, 1)?;
        let (no, more) = self.part(no, 1 + captured.len())?;
        captured.extend(more);
        let (yes, no) = (Box::new(yes), Box::new(no));
        self.draft(call, Work::Control(Control::If { yes, no }), &captured);
        Ok(())
    }

    /// `Loop`. A state that no round changes is the value it starts with, which
    /// is how converters hand weights to a loop.
    pub(crate) fn repeat(&mut self, mut call: Call<'g>) -> Result<(), Refusal> {
        let Some((_, mut body)) = call.branches.pop().filter(|(name, _)| *name == "body") else {
            return Err(Refusal::malformed("Loop: no body"));
        };
        let states = call.inputs.len().saturating_sub(2);
        let whole = call.inputs.iter().skip(2).all(Option::is_some)
            && body.inputs.len() == states + 2
            && body.outputs.len() > states
            && call.outputs.len() < body.outputs.len();
        if !whole {
            return Err(Refusal::malformed("Loop: its body does not fit it"));
        }
        let grown = self.growing(&mut call, &mut body);
        self.no_lists(&call)?;
        let states = states - grown;
        for at in 0..states {
            let (inside, after) = (body.inputs[at + 2], body.outputs[at + 1]);
            if let Some(Some(first)) = call.inputs.get(at + 2)
                && copied(&body, after) == inside
            {
                self.set_alias(inside, *first);
            }
        }
        let (body, captured) = self.part(body, call.inputs.len())?;
        let body = Box::new(body);
        self.draft(
            call,
            Work::Control(Control::Loop {
                body,
                states,
                joined: grown,
            }),
            &captured,
        );
        Ok(())
    }

    /// Compiles a subgraph; also gives what it takes from around it, which will
    /// be the step's inputs from number `first` on.
    fn part(&mut self, branch: Branch<'g>, first: usize) -> Result<(Part, Vec<ValueId>), Refusal> {
        let outer = std::mem::take(&mut self.done.drafts);
        self.calls(branch.calls)?;
        fuse::fuse(&mut self.done, &branch.outputs)?;
        let mut seen: HashSet<ValueId> = branch.inputs.iter().copied().collect();
        seen.extend(
            self.done
                .drafts
                .iter()
                .flat_map(|d| d.outputs.iter().flatten()),
        );
        let read = self.done.drafts.iter().flat_map(|d| &d.inputs).flatten();
        let read = read.chain(&branch.outputs).map(|&id| self.done.resolve(id));
        let mut captured: Vec<ValueId> = read.filter(|&id| self.known(id).is_none()).collect();
        captured.retain(|&id| seen.insert(id));
        let mut inputs = branch.inputs;
        inputs.extend(&captured);
        let plan = Plan::new(&mut self.done, &inputs, &branch.outputs)?;
        self.done.drafts = outer;
        let captured_at = first..first + captured.len();
        Ok((
            Part {
                plan,
                captured: captured_at,
            },
            captured,
        ))
    }
}

/// The value that `id` copies inside a body.
fn copied(body: &Branch<'_>, id: ValueId) -> ValueId {
    let copy = |call: &&Call<'_>| {
        call.node.op_type == "Identity" && call.outputs.first() == Some(&Some(id))
    };
    let made = body.calls.iter().find(copy);
    let from = made.and_then(|call| call.inputs.first().copied().flatten());
    from.unwrap_or(id)
}

impl Part {
    fn run(
        &self,
        own: Vec<Array>,
        inputs: Inputs<'_>,
        budget: &mut Budget,
    ) -> Result<Vec<Array>, Fault> {
        let mut values = own;
        for at in self.captured.clone() {
            values.push(inputs.get(at)?.clone());
        }
        self.plan.within(values, budget)
    }
}

impl Control {
    /// Runs it within what the plan around it has left.
    pub(crate) fn run(&self, inputs: Inputs<'_>, budget: &mut Budget) -> Result<Vec<Array>, Fault> {
        match self {
            Self::If { yes, no } => {
                let taken = if inputs.get(0)?.only()? { yes } else { no };
                taken.run(Vec::new(), inputs, budget)
            }
            Self::Loop {
                body,
                states,
                joined,
            } => rounds(body, (*states, *joined), inputs, budget),
        }
    }
}

fn rounds(
    body: &Part,
    (states, grown): (usize, usize),
    inputs: Inputs<'_>,
    budget: &mut Budget,
) -> Result<Vec<Array>, Fault> {
    let most = inputs.optional(0).map(Array::only::<i64>).transpose()?;
    let mut goes_on = match inputs.optional(1) {
        Some(condition) => condition.only::<bool>()?,
        None => true,
    };
    let mut state = Vec::with_capacity(states);
    for at in 0..states {
        state.push(inputs.get(at + 2)?.clone());
    }
    let scans = body.plan.outputs().saturating_sub(states + 1);
    let mut kept: Vec<Vec<Array>> = vec![Vec::new(); scans];
    let mut round = 0i64;
    while goes_on && most.is_none_or(|most| round < most) {
        budget.step()?;
        let mut own = vec![Array::scalar(round), Array::scalar(goes_on)];
        own.append(&mut state);
        let mut made = body.run(own, inputs, budget)?.into_iter();
        goes_on = match made.next() {
            Some(condition) => condition.only::<bool>()?,
            None => false,
        };
        state.extend(made.by_ref().take(states));
        for (kept, value) in kept.iter_mut().zip(made) {
            budget.add(&value)?;
            kept.push(value);
        }
        round += 1;
    }
    for (at, values) in kept.into_iter().enumerate() {
        budget.release(values.iter().map(Array::len).sum());
        state.push(joined(values, 0, at + grown < scans)?);
    }
    Ok(state)
}
