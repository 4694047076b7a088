//! The fixed plan: steps in order over numbered slots. A slot is given back
//! after the last step that reads it, and used again.

use super::{
    array::Array,
    compile::{Compiled, Work},
    fault::{Fault, Refusal},
    graph::ValueId,
    node::{Inputs, Outputs},
};
use std::collections::{HashMap, HashSet};

/// Most elements held at one time while a plan runs: 512 Mi.
const MAX_LIVE: usize = 1 << 29;
/// Most elements made by one run of a plan.
const MAX_MADE: usize = 1 << 33;
/// Most steps of one run, those of every round of a loop counted.
const MAX_STEPS: usize = 1 << 20;
/// Inputs kept on the stack; nodes with more use the heap.
const FEW: usize = 6;

/// Where a step or an output takes a value from.
enum Source {
    Absent,
    Slot(usize),
    Constant(Array),
}

struct Step {
    label: String,
    work: Work,
    inputs: Vec<Source>,
    outputs: Vec<Option<usize>>,
    /// Slots that nothing reads any more.
    free: Vec<usize>,
}

/// A compiled graph, ready to run any number of times at once.
pub(crate) struct Plan {
    steps: Vec<Step>,
    slots: usize,
    /// Slot of each input; `None` if nothing reads it.
    inputs: Vec<Option<usize>>,
    outputs: Vec<Source>,
}

impl std::fmt::Debug for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let steps: Vec<&str> = self.steps.iter().map(|step| &*step.label).collect();
        f.debug_struct("Plan")
            .field("steps", &steps)
            .field("slots", &self.slots)
            .finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Slots {
    of: HashMap<ValueId, usize>,
    free: Vec<usize>,
    count: usize,
}

impl Slots {
    fn take(&mut self, id: ValueId) -> usize {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.count += 1;
            self.count - 1
        });
        self.of.insert(id, slot);
        slot
    }
}

impl Plan {
    /// Takes the drafts and assigns slots. `inputs` and `outputs` are value
    /// numbers of the graph.
    pub(crate) fn new(
        compiled: &mut Compiled<'_>,
        inputs: &[ValueId],
        outputs: &[ValueId],
    ) -> Result<Self, Refusal> {
        let drafts = std::mem::take(&mut compiled.drafts);
        let kept: HashSet<ValueId> = outputs.iter().map(|&id| compiled.resolve(id)).collect();
        let mut last: HashMap<ValueId, usize> = HashMap::new();
        for (at, draft) in drafts.iter().enumerate() {
            last.extend(draft.inputs.iter().flatten().map(|&id| (id, at)));
        }
        let mut slots = Slots::default();
        let is_read = |id: &ValueId| last.contains_key(id) || kept.contains(id);
        let input_slots = inputs.iter().map(|id| is_read(id).then(|| slots.take(*id)));
        let input_slots = input_slots.collect();
        let constant = |id: ValueId| compiled.constants.get(id).and_then(Option::as_ref);
        let mut steps = Vec::with_capacity(drafts.len());
        for (at, draft) in drafts.into_iter().enumerate() {
            let mut sources = Vec::with_capacity(draft.inputs.len());
            for id in &draft.inputs {
                sources.push(match id {
                    None => Source::Absent,
                    Some(id) => source(&slots, constant(*id), *id)?,
                });
            }
            let made = draft.outputs.iter().map(|id| match id {
                Some(id) if is_read(id) => Some(slots.take(*id)),
                _ => None,
            });
            let made = made.collect();
            let mut free: Vec<usize> = Vec::new();
            for id in draft.inputs.iter().flatten() {
                if last.get(id) == Some(&at)
                    && !kept.contains(id)
                    && let Some(slot) = slots.of.remove(id)
                {
                    free.push(slot);
                }
            }
            slots.free.extend(&free);
            steps.push(Step {
                label: draft.label,
                work: draft.work,
                inputs: sources,
                outputs: made,
                free,
            });
        }
        let mut results = Vec::with_capacity(outputs.len());
        for &id in outputs {
            let id = compiled.resolve(id);
            results.push(source(&slots, constant(id), id)?);
        }
        Ok(Self {
            steps,
            slots: slots.count,
            inputs: input_slots,
            outputs: results,
        })
    }

    /// Number of outputs.
    pub(crate) const fn outputs(&self) -> usize {
        self.outputs.len()
    }

    /// Runs the plan on inputs in signature order.
    pub(crate) fn run(&self, inputs: impl IntoIterator<Item = Array>) -> Result<Vec<Array>, Fault> {
        self.within(inputs, &mut Budget::default())
    }

    /// Runs the plan as a part of another, on what that one has left.
    pub(crate) fn within(
        &self,
        inputs: impl IntoIterator<Item = Array>,
        budget: &mut Budget,
    ) -> Result<Vec<Array>, Fault> {
        let mut slots: Vec<Option<Array>> = vec![None; self.slots];
        let live = budget.live;
        for (slot, value) in self.inputs.iter().zip(inputs) {
            if let Some(slot) = slot {
                budget.add(&value)?;
                slots[*slot] = Some(value);
            }
        }
        for step in &self.steps {
            step.run(&mut slots, budget)
                .map_err(|fault| fault.at(&step.label))?;
        }
        budget.live = live;
        let outputs = self.outputs.iter().map(|from| {
            read(from, &slots)
                .cloned()
                .ok_or_else(|| Fault::Internal("an output was not made".to_owned()))
        });
        outputs.collect()
    }
}

fn source(slots: &Slots, constant: Option<&Array>, id: ValueId) -> Result<Source, Refusal> {
    if let Some(value) = constant {
        return Ok(Source::Constant(value.clone()));
    }
    slots
        .of
        .get(&id)
        .map(|&slot| Source::Slot(slot))
        .ok_or_else(|| Refusal::malformed("a value is used before it is made"))
}

fn read<'a>(from: &'a Source, slots: &'a [Option<Array>]) -> Option<&'a Array> {
    match from {
        Source::Absent => None,
        Source::Slot(slot) => slots.get(*slot).and_then(Option::as_ref),
        Source::Constant(value) => Some(value),
    }
}

/// What a run has used.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    live: usize,
    made: usize,
    steps: usize,
}

impl Budget {
    /// Counts one step.
    pub(crate) fn step(&mut self) -> Result<(), Fault> {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return Err(Fault::Limit(format!(
                "the model takes more than {MAX_STEPS} steps"
            )));
        }
        Ok(())
    }

    /// Gives back elements that are kept no more.
    pub(crate) const fn release(&mut self, elements: usize) {
        self.live = self.live.saturating_sub(elements);
    }

    /// Counts a value that is kept.
    pub(crate) fn add(&mut self, value: &Array) -> Result<(), Fault> {
        self.live += value.len();
        self.made += value.len();
        if self.live > MAX_LIVE || self.made > MAX_MADE {
            return Err(Fault::Limit(
                "the model needs more memory for this input than allowed".to_owned(),
            ));
        }
        Ok(())
    }
}

impl Step {
    fn call(&self, slots: &[Option<Array>], budget: &mut Budget) -> Result<Outputs, Fault> {
        if self.inputs.len() <= FEW {
            let mut few = [None; FEW];
            for (place, from) in few.iter_mut().zip(&self.inputs) {
                *place = read(from, slots);
            }
            self.work.run(Inputs(&few[..self.inputs.len()]), budget)
        } else {
            let many: Vec<_> = self.inputs.iter().map(|from| read(from, slots)).collect();
            self.work.run(Inputs(&many), budget)
        }
    }

    fn run(&self, slots: &mut [Option<Array>], budget: &mut Budget) -> Result<(), Fault> {
        budget.step()?;
        let made = self.call(slots, budget)?;
        for &slot in &self.free {
            if let Some(value) = slots[slot].take() {
                budget.live -= value.len();
            }
        }
        match made {
            Outputs::One(value) => self.store(0, value, slots, budget),
            Outputs::Many(values) => {
                let mut values = values.into_iter().enumerate();
                values.try_for_each(|(at, value)| self.store(at, value, slots, budget))
            }
        }
    }

    fn store(
        &self,
        at: usize,
        value: Array,
        slots: &mut [Option<Array>],
        budget: &mut Budget,
    ) -> Result<(), Fault> {
        if let Some(Some(slot)) = self.outputs.get(at) {
            budget.add(&value)?;
            slots[*slot] = Some(value);
        }
        Ok(())
    }
}
