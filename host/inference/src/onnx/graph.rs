//! Names to numbers: a `GraphProto` becomes calls over value numbers, in an
//! order in which every value is made before it is used.

use super::{
    array::Array,
    constant,
    fault::Refusal,
    proto::{GraphProto, NodeProto, ValueInfoProto},
};
use std::collections::HashMap;

/// Most nodes of a model, branches included.
const MAX_NODES: usize = 200_000;
/// Most inputs and outputs of one node.
const MAX_ARGUMENTS: usize = 4096;
/// Deepest nesting of branches.
const MAX_DEPTH: usize = 8;

/// Number of a value; values of branches have numbers of their own.
pub(crate) type ValueId = usize;

/// One node with its names resolved.
pub(crate) struct Call<'a> {
    pub(crate) node: &'a NodeProto,
    pub(crate) inputs: Vec<Option<ValueId>>,
    pub(crate) outputs: Vec<Option<ValueId>>,
    /// Subgraphs, by attribute name.
    pub(crate) branches: Vec<(&'a str, Branch<'a>)>,
}

/// A subgraph of a node.
pub(crate) struct Branch<'a> {
    pub(crate) calls: Vec<Call<'a>>,
    pub(crate) outputs: Vec<ValueId>,
    /// Loop bodies have inputs, branches of a condition do not.
    pub(crate) inputs: Vec<ValueId>,
}

/// A whole graph.
pub(crate) struct Graph<'a> {
    /// Constants by value number.
    pub(crate) constants: Vec<Option<Array>>,
    pub(crate) calls: Vec<Call<'a>>,
    pub(crate) inputs: Vec<(ValueId, &'a ValueInfoProto)>,
    pub(crate) outputs: Vec<(ValueId, &'a ValueInfoProto)>,
    /// Constants that are not supported.
    pub(crate) unsupported: Vec<String>,
}

struct Resolver<'a> {
    constants: Vec<Option<Array>>,
    scopes: Vec<HashMap<&'a str, ValueId>>,
    nodes: usize,
    unsupported: Vec<String>,
}

/// Resolves a graph.
pub(crate) fn resolve(proto: &GraphProto) -> Result<Graph<'_>, Refusal> {
    let mut resolver = Resolver {
        constants: Vec::new(),
        scopes: Vec::new(),
        nodes: 0,
        unsupported: Vec::new(),
    };
    let (calls, inputs, outputs) = resolver.scope(proto)?;
    Ok(Graph {
        constants: resolver.constants,
        calls,
        inputs,
        outputs: outputs.into_iter().zip(&proto.output).collect(),
        unsupported: resolver.unsupported,
    })
}

type Scope<'a> = (
    Vec<Call<'a>>,
    Vec<(ValueId, &'a ValueInfoProto)>,
    Vec<ValueId>,
);

impl<'a> Resolver<'a> {
    fn declare(&mut self, name: &'a str, constant: Option<Array>) -> Result<ValueId, Refusal> {
        let id = self.constants.len();
        let scope = self.scopes.last_mut();
        if scope.is_some_and(|scope| scope.insert(name, id).is_some()) {
            return Err(Refusal::malformed(format!("value {name:?} is made twice")));
        }
        self.constants.push(constant);
        Ok(id)
    }

    fn find(&self, name: &str) -> Result<ValueId, Refusal> {
        let found = self.scopes.iter().rev().find_map(|scope| scope.get(name));
        found
            .copied()
            .ok_or_else(|| Refusal::malformed(format!("value {name:?} is never made")))
    }

    /// One graph or subgraph: its calls in order, inputs and outputs.
    fn scope(&mut self, proto: &'a GraphProto) -> Result<Scope<'a>, Refusal> {
        if self.scopes.len() >= MAX_DEPTH {
            return Err(Refusal::malformed("branches are nested too deep"));
        }
        self.nodes = self.nodes.saturating_add(proto.node.len());
        if self.nodes > MAX_NODES {
            return Err(Refusal::malformed(format!(
                "it has more than {MAX_NODES} nodes"
            )));
        }
        self.scopes.push(HashMap::new());
        for sparse in &proto.sparse_initializer {
            let name = sparse.values.as_ref().map_or("", |values| &values.name);
            self.unsupported.push(format!("sparse tensor {name:?}"));
        }
        for tensor in &proto.initializer {
            let value = match constant::array(tensor) {
                Ok(value) => Some(value),
                Err(Refusal::Unsupported(what)) => {
                    self.unsupported.extend(what);
                    None
                }
                Err(broken) => return Err(broken),
            };
            self.declare(&tensor.name, value)?;
        }
        let mut inputs = Vec::new();
        for info in &proto.input {
            // Up to IR version 3 every initialiser is listed as an input too.
            let known = self
                .scopes
                .last()
                .is_some_and(|s| s.contains_key(&*info.name));
            if !known {
                inputs.push((self.declare(&info.name, None)?, info));
            }
        }
        let calls = self.calls(&proto.node)?;
        let outputs: Result<Vec<_>, _> = proto.output.iter().map(|o| self.find(&o.name)).collect();
        self.scopes.pop();
        Ok((calls, inputs, outputs?))
    }

    fn calls(&mut self, nodes: &'a [NodeProto]) -> Result<Vec<Call<'a>>, Refusal> {
        let first = self.constants.len();
        let mut outputs = Vec::with_capacity(nodes.len());
        for node in nodes {
            if node.input.len().max(node.output.len()) > MAX_ARGUMENTS {
                return Err(Refusal::malformed("a node has too many inputs or outputs"));
            }
            let named: Result<Vec<_>, _> = node
                .output
                .iter()
                .map(|name| match name.as_str() {
                    "" => Ok(None),
                    name => self.declare(name, None).map(Some),
                })
                .collect();
            outputs.push(named?);
        }
        let last = self.constants.len();
        let mut calls = Vec::with_capacity(nodes.len());
        for (node, outputs) in nodes.iter().zip(outputs) {
            calls.push(self.call(node, outputs)?);
        }
        in_order(calls, first..last)
    }

    fn call(
        &mut self,
        node: &'a NodeProto,
        outputs: Vec<Option<ValueId>>,
    ) -> Result<Call<'a>, Refusal> {
        let mut inputs = Vec::with_capacity(node.input.len());
        for name in &node.input {
            inputs.push(match name.as_str() {
                "" => None,
                name => Some(self.find(name)?),
            });
        }
        let mut branches = Vec::new();
        for attribute in &node.attribute {
            if let Some(graph) = &attribute.g {
                let (calls, inputs, outputs) = self.scope(graph)?;
                branches.push((
                    attribute.name.as_str(),
                    Branch {
                        calls,
                        outputs,
                        inputs: inputs.into_iter().map(|(id, _)| id).collect(),
                    },
                ));
            }
        }
        Ok(Call {
            node,
            inputs,
            outputs,
            branches,
        })
    }
}

/// Everything a call reads: its inputs, and what its branches take from outside.
pub(crate) fn reads(call: &Call<'_>) -> Vec<ValueId> {
    let mut all: Vec<ValueId> = call.inputs.iter().flatten().copied().collect();
    for (_, branch) in &call.branches {
        all.extend(&branch.outputs);
        for inner in &branch.calls {
            all.extend(reads(inner));
        }
    }
    all
}

/// Sorts calls so that values in `made` (those of this scope) come before their
/// use (Kahn's algorithm, stable for graphs that are sorted already).
fn in_order<'a>(
    calls: Vec<Call<'a>>,
    made: std::ops::Range<ValueId>,
) -> Result<Vec<Call<'a>>, Refusal> {
    let mut maker: HashMap<ValueId, usize> = HashMap::new();
    for (at, call) in calls.iter().enumerate() {
        maker.extend(call.outputs.iter().flatten().map(|&id| (id, at)));
    }
    let mut waits = vec![0usize; calls.len()];
    let mut wakes: Vec<Vec<usize>> = vec![Vec::new(); calls.len()];
    for (at, call) in calls.iter().enumerate() {
        for id in reads(call) {
            if made.contains(&id)
                && let Some(&from) = maker.get(&id)
            {
                waits[at] += 1;
                wakes[from].push(at);
            }
        }
    }
    let mut ready: std::collections::BTreeSet<usize> =
        (0..calls.len()).filter(|&at| waits[at] == 0).collect();
    let mut slots: Vec<Option<Call<'a>>> = calls.into_iter().map(Some).collect();
    let mut sorted = Vec::with_capacity(slots.len());
    while let Some(at) = ready.pop_first() {
        sorted.extend(slots[at].take());
        for &next in &wakes[at] {
            waits[next] -= 1;
            if waits[next] == 0 {
                ready.insert(next);
            }
        }
    }
    if sorted.len() == slots.len() {
        Ok(sorted)
    } else {
        Err(Refusal::malformed("its nodes form a cycle"))
    }
}
