//! ONNX files: a graph compiler. A file is read once into resolved calls
//! (`graph`), its nodes are built and constants folded (`compile`), common
//! patterns become one step (`fuse`), and what is left is a fixed list of steps
//! over numbered slots (`plan`). Operators live in `ops`, one file per group.
//!
//! Nothing is looked up by name, parsed, or copied out of the file while a
//! model runs.

mod array;
mod compile;
mod constant;
mod control;
mod fault;
mod fuse;
mod graph;
mod node;
mod ops;
mod plan;
mod proto;
mod scan;
mod sequence;
mod signature;

use array::{Array, Shape};
use domain::{
    model::Format,
    ports::engine::{InferError, Model, ModelLoadError, ModelSource},
    signature::{Prepared, Signature},
    tensor::Tensor,
};
pub(crate) use fault::Fault;
use fault::Refusal;
pub(crate) use ops::linear;
use prost::Message;
use std::sync::Arc;

/// A compiled graph with its signature.
#[derive(Debug)]
struct OnnxModel {
    plan: plan::Plan,
    signature: Signature,
}

/// Loads a file that the loader took for ONNX.
pub(crate) fn load(bytes: &[u8], _source: &ModelSource) -> Result<Arc<dyn Model>, ModelLoadError> {
    compile(bytes)
        .map(|model| Arc::new(model) as Arc<dyn Model>)
        .map_err(|refusal| match refusal {
            Refusal::Unsupported(mut what) => {
                what.sort();
                what.dedup();
                ModelLoadError::Unsupported {
                    format: Format::Onnx,
                    what,
                }
            }
            Refusal::Malformed(message) => ModelLoadError::Malformed {
                format: Format::Onnx,
                message,
            },
        })
}

fn compile(bytes: &[u8]) -> Result<OnnxModel, Refusal> {
    scan::check(bytes)?;
    let proto = proto::ModelProto::decode(bytes)
        .map_err(|error| Refusal::malformed(format!("not a ModelProto: {error}")))?;
    let Some(graph) = &proto.graph else {
        return Err(Refusal::malformed("it has no graph"));
    };
    if graph.output.is_empty() {
        return Err(Refusal::malformed("its graph has no outputs"));
    }
    if !proto.functions.is_empty() {
        let name = |f: &proto::FunctionProto| format!("model-local function {:?}", f.name);
        return Err(Refusal::Unsupported(
            proto.functions.iter().map(name).collect(),
        ));
    }
    let opsets = compile::Opsets::new(&proto.opset_import)?;
    let resolved = graph::resolve(graph)?;
    let inputs = resolved.inputs.clone();
    let outputs = resolved.outputs.clone();
    let mut compiled = compile::compile(resolved, &opsets)?;
    let declare = |all: &[(graph::ValueId, &proto::ValueInfoProto)], role: &str| {
        let read = all
            .iter()
            .map(|(id, info)| signature::Declared::read(info, compiled.fields.get(id), role));
        read.collect::<Result<Vec<_>, _>>()
    };
    let declared_inputs = declare(&inputs, "input")?;
    let declared_outputs = declare(&outputs, "output")?;
    let ids = |all: &[(graph::ValueId, _)]| all.iter().map(|(id, _)| *id).collect::<Vec<_>>();
    let output_ids = ids(&outputs);
    fuse::fuse(&mut compiled, &output_ids)?;
    let plan = plan::Plan::new(&mut compiled, &ids(&inputs), &output_ids)?;
    let signature = signature::signature(&plan, &declared_inputs, &declared_outputs)?;
    Ok(OnnxModel { plan, signature })
}

impl Model for OnnxModel {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn format(&self) -> Format {
        Format::Onnx
    }

    fn infer(&self, inputs: &Prepared) -> Result<Vec<Tensor>, InferError> {
        let mut values = Vec::with_capacity(inputs.tensors().len());
        for tensor in inputs.tensors() {
            let shape = Shape::new(&tensor.shape)?;
            values.push(Array::new(shape, tensor.data.clone())?);
        }
        let made = self.plan.run(values)?;
        if made.len() != self.signature.outputs.len() {
            return Err(Fault::Internal("an output was not made".to_owned()).into());
        }
        let named = self.signature.outputs.iter().zip(made);
        Ok(named
            .map(|(spec, value)| Tensor {
                name: Arc::clone(&spec.name),
                shape: value.shape().to_vec(),
                data: value.into_data(),
            })
            .collect())
    }
}
