//! From resolved calls to drafts: every operator is looked up and built once,
//! whatever depends on constants alone is computed now, identities disappear,
//! and everything unsupported is collected before anything is refused.

use super::{
    array::Array,
    control::Control,
    fault::{Fault, Refusal},
    graph::{Branch, Call, Graph, ValueId, reads},
    node::{Built, Inputs, Kernel, Node, Outputs, title},
    ops,
    plan::Budget,
    proto::{NodeProto, OperatorSetIdProto},
    sequence::{self, List},
};
use std::collections::{BTreeSet, HashMap, HashSet};

/// Most elements computed while folding constants.
const MAX_FOLDED: usize = 1 << 27;
/// Oldest operator set of the default domain that is understood.
const OLDEST_OPSET: i64 = 7;

/// What a step does.
pub(crate) enum Work {
    /// An operator.
    Kernel(Kernel),
    /// Steps of its own.
    Control(Control),
}

impl Work {
    /// Does it.
    pub(crate) fn run(&self, inputs: Inputs<'_>, budget: &mut Budget) -> Result<Outputs, Fault> {
        match self {
            Self::Kernel(kernel) => kernel(inputs),
            Self::Control(control) => control.run(inputs, budget).map(Outputs::Many),
        }
    }
}

/// A node that is left to run.
pub(crate) struct Draft<'a> {
    pub(crate) work: Work,
    pub(crate) inputs: Vec<Option<ValueId>>,
    pub(crate) outputs: Vec<Option<ValueId>>,
    pub(crate) node: &'a NodeProto,
    /// `Op` and name, for messages.
    pub(crate) label: String,
}

/// A graph whose nodes are built.
pub(crate) struct Compiled<'a> {
    pub(crate) constants: Vec<Option<Array>>,
    pub(crate) drafts: Vec<Draft<'a>>,
    /// Names along the last dimension, by value.
    pub(crate) fields: HashMap<ValueId, Vec<String>>,
    /// Sequences, by value.
    pub(crate) lists: HashMap<ValueId, List>,
    alias: Vec<ValueId>,
}

impl Compiled<'_> {
    /// The value that `id` is another name of.
    pub(crate) fn resolve(&self, id: ValueId) -> ValueId {
        self.alias.get(id).copied().unwrap_or(id)
    }
}

/// Operator set versions by domain.
pub(crate) struct Opsets(HashMap<String, i64>);

impl Opsets {
    /// Reads the imports; a domain may be named twice if the versions agree.
    pub(crate) fn new(imports: &[OperatorSetIdProto]) -> Result<Self, Refusal> {
        let mut versions: HashMap<String, i64> = HashMap::new();
        for import in imports {
            let domain = normal(&import.domain).to_owned();
            if let Some(other) = versions.insert(domain.clone(), import.version)
                && other != import.version
            {
                return Err(Refusal::malformed(format!(
                    "operator set {domain:?} is imported in versions {other} and {}",
                    import.version
                )));
            }
        }
        match versions.get("") {
            Some(&version) if version < OLDEST_OPSET => Err(Refusal::unsupported(format!(
                "operator set {version} (the oldest supported is {OLDEST_OPSET})"
            ))),
            _ => Ok(Self(versions)),
        }
    }

    fn of(&self, domain: &str) -> i64 {
        self.0.get(normal(domain)).copied().unwrap_or(1)
    }
}

fn normal(domain: &str) -> &str {
    match domain {
        "ai.onnx" => "",
        other => other,
    }
}

/// Builds nodes into a list of drafts.
pub(crate) struct Compiler<'g, 'o> {
    pub(crate) done: Compiled<'g>,
    opsets: &'o Opsets,
    unsupported: BTreeSet<String>,
    folded: usize,
}

/// Builds a graph's nodes.
pub(crate) fn compile<'a>(mut graph: Graph<'a>, opsets: &Opsets) -> Result<Compiled<'a>, Refusal> {
    drop_dead(&mut graph);
    let mut compiler = Compiler {
        done: Compiled {
            alias: (0..graph.constants.len()).collect(),
            constants: graph.constants,
            drafts: Vec::with_capacity(graph.calls.len()),
            fields: HashMap::new(),
            lists: HashMap::new(),
        },
        opsets,
        unsupported: graph.unsupported.into_iter().collect(),
        folded: 0,
    };
    compiler.calls(graph.calls)?;
    if compiler.unsupported.is_empty() {
        Ok(compiler.done)
    } else {
        let all = compiler.unsupported.into_iter().collect();
        Err(Refusal::Unsupported(all))
    }
}

/// Removes calls that no output depends on, before they are looked at.
fn drop_dead(graph: &mut Graph<'_>) {
    let mut wanted: HashSet<ValueId> = graph.outputs.iter().map(|(id, _)| *id).collect();
    let mut live = vec![false; graph.calls.len()];
    for (call, live) in graph.calls.iter().zip(&mut live).rev() {
        *live = call.outputs.iter().flatten().any(|id| wanted.contains(id));
        if *live {
            wanted.extend(reads(call));
        }
    }
    let mut keep = live.into_iter();
    graph.calls.retain(|_| keep.next().unwrap_or(true));
}

impl<'g> Compiler<'g, '_> {
    /// Builds all of them, in order.
    pub(crate) fn calls(&mut self, calls: Vec<Call<'g>>) -> Result<(), Refusal> {
        for call in calls {
            match self.call(call) {
                Ok(()) => {}
                Err(Refusal::Unsupported(what)) => self.unsupported.extend(what),
                Err(broken) => return Err(broken),
            }
        }
        Ok(())
    }

    /// The value, if it is a constant.
    pub(crate) fn known(&self, id: ValueId) -> Option<&Array> {
        self.done.constants.get(self.done.resolve(id))?.as_ref()
    }

    /// Makes `from` another name of `to`.
    pub(crate) fn set_alias(&mut self, from: ValueId, to: ValueId) {
        let to = self.done.resolve(to);
        if let Some(alias) = self.done.alias.get_mut(from) {
            *alias = to;
        }
    }

    /// Makes `id` a constant.
    pub(crate) fn set_constant(&mut self, id: ValueId, value: Array) -> Result<(), Refusal> {
        self.folded = self.folded.saturating_add(value.len());
        if self.folded > MAX_FOLDED {
            return Err(Refusal::malformed(format!(
                "its constant part makes more than {MAX_FOLDED} elements"
            )));
        }
        if let Some(place) = self.done.constants.get_mut(id) {
            *place = Some(value);
        }
        Ok(())
    }

    fn call(&mut self, call: Call<'g>) -> Result<(), Refusal> {
        let version = self.opsets.of(&call.node.domain);
        if normal(&call.node.domain).is_empty() {
            match call.node.op_type.as_str() {
                "If" => return self.condition(call),
                "Loop" => return self.repeat(call),
                _ => {}
            }
        }
        let known = |id: &Option<ValueId>| id.and_then(|id| self.known(id).cloned());
        let constants: Vec<Option<Array>> = call.inputs.iter().map(known).collect();
        let node = Node::new(call.node, version, constants);
        if normal(&call.node.domain).is_empty() && sequence::is_known(node.op()) {
            return self.sequence(call, &node);
        }
        self.no_lists(&call)?;
        let built = match ops::find(normal(&call.node.domain), node.op()) {
            Some(build) => build(&node),
            None => Err(Refusal::unsupported(format!(
                "{} (opset {version})",
                node.title()
            ))),
        }?;
        let unread = node.unread();
        if !unread.is_empty() {
            return Err(Refusal::Unsupported(unread));
        }
        self.place(call, built)
    }

    fn place(&mut self, call: Call<'g>, built: Built) -> Result<(), Refusal> {
        let output = call.outputs.first().copied().flatten();
        let input = call.inputs.first().copied().flatten();
        match (built, output) {
            (Built::Constant(value), Some(output)) => self.set_constant(output, value),
            (Built::Alias, Some(output)) => self.pass(&call, output, input, Vec::new()),
            (Built::Named(names), Some(output)) => self.pass(&call, output, input, names),
            (Built::Kernel(kernel), _) => {
                let kernel = ops::widen_half(&call.node.op_type, kernel);
                self.kernel(call, kernel)
            }
            (_, None) => Ok(()),
        }
    }

    fn pass(
        &mut self,
        call: &Call<'g>,
        output: ValueId,
        input: Option<ValueId>,
        names: Vec<String>,
    ) -> Result<(), Refusal> {
        let Some(input) = input else {
            return Err(Refusal::malformed(format!(
                "{} {:?}: input 0 is missing",
                title(call.node),
                call.node.name
            )));
        };
        self.set_alias(output, input);
        if !names.is_empty() {
            self.done.fields.insert(output, names.clone());
            self.done.fields.insert(self.done.resolve(input), names);
        }
        Ok(())
    }

    /// Runs the kernel now if all inputs are constants, else drafts it.
    pub(crate) fn kernel(&mut self, call: Call<'g>, kernel: Kernel) -> Result<(), Refusal> {
        let values: Option<Vec<Option<Array>>> = call
            .inputs
            .iter()
            .map(|id| match id {
                None => Some(None),
                Some(id) => self.known(*id).map(|value| Some(value.clone())),
            })
            .collect();
        let Some(values) = values else {
            self.draft(call, Work::Kernel(kernel), &[]);
            return Ok(());
        };
        let given: Vec<Option<&Array>> = values.iter().map(Option::as_ref).collect();
        let made = match kernel(Inputs(&given)).map_err(|fault| fault.at(&label(call.node)))? {
            Outputs::One(value) => vec![value],
            Outputs::Many(values) => values,
        };
        for (id, value) in call.outputs.iter().zip(made) {
            if let Some(id) = id {
                self.set_constant(*id, value)?;
            }
        }
        Ok(())
    }

    /// Leaves a node to run, on its inputs and then on `more` values.
    pub(crate) fn draft(&mut self, call: Call<'g>, work: Work, more: &[ValueId]) {
        let own = call
            .inputs
            .iter()
            .map(|id| id.map(|id| self.done.resolve(id)));
        let inputs = own.chain(more.iter().copied().map(Some)).collect();
        self.done.drafts.push(Draft {
            work,
            inputs,
            outputs: call.outputs,
            node: call.node,
            label: label(call.node),
        });
    }

    /// Puts a branch that is always taken in the place of its node.
    pub(crate) fn inline(
        &mut self,
        outer: &[Option<ValueId>],
        branch: Branch<'g>,
    ) -> Result<(), Refusal> {
        self.calls(branch.calls)?;
        for (outer, inner) in outer.iter().zip(branch.outputs) {
            if let Some(outer) = outer {
                self.set_alias(*outer, inner);
            }
        }
        Ok(())
    }
}

/// `Op` and name, for messages.
fn label(node: &NodeProto) -> String {
    match node.name.as_str() {
        "" => node.op_type.clone(),
        name => format!("{} {name:?}", node.op_type),
    }
}
