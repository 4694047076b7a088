//! safetensors files: weights, and beside them a small architecture description
//! that says which layers they belong to. See `architecture` for its form.

mod architecture;
mod network;

use architecture::Architecture;
use domain::{
    model::Format,
    ports::engine::{InferError, Model, ModelLoadError, ModelSource},
    signature::{Prepared, Signature, TensorSpec},
    tensor::{DataType, Tensor, TensorData},
};
use network::Network;
use std::sync::Arc;

/// A network with its signature.
#[derive(Debug)]
struct SafetensorsModel {
    network: Network,
    signature: Signature,
}

/// Loads a file that the loader took for safetensors.
pub(crate) fn load(bytes: &[u8], source: &ModelSource) -> Result<Arc<dyn Model>, ModelLoadError> {
    let tensors = ::safetensors::SafeTensors::deserialize(bytes).map_err(|error| {
        ModelLoadError::Malformed {
            format: Format::Safetensors,
            message: error.to_string(),
        }
    })?;
    let Some(description) = &source.architecture else {
        let mut names = tensors.names();
        names.sort_unstable();
        names.truncate(20);
        return Err(ModelLoadError::Architecture(format!(
            "safetensors holds weights only; say which layers use {}, as in {}",
            names.join(", "),
            architecture::EXAMPLE
        )));
    };
    let architecture = Architecture::parse(description).map_err(ModelLoadError::Architecture)?;
    let network = Network::new(&architecture, &tensors).map_err(ModelLoadError::Architecture)?;
    let width = |size: usize| i64::try_from(size).unwrap_or(-1);
    let mut input = TensorSpec::new(
        architecture.input_name.as_str(),
        DataType::Fp32,
        vec![-1, width(architecture.input)],
    );
    input.fields.clone_from(&architecture.fields);
    let signature = Signature {
        inputs: vec![input],
        outputs: vec![TensorSpec::new(
            architecture.output.as_str(),
            DataType::Fp32,
            vec![-1, width(network.outputs())],
        )],
    };
    Ok(Arc::new(SafetensorsModel { network, signature }))
}

impl Model for SafetensorsModel {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn format(&self) -> Format {
        Format::Safetensors
    }

    fn infer(&self, inputs: &Prepared) -> Result<Vec<Tensor>, InferError> {
        let internal = |message: &str| InferError {
            kind: domain::error::ErrorKind::Internal,
            message: message.to_owned(),
        };
        let ([input], [spec]) = (inputs.tensors(), self.signature.outputs.as_slice()) else {
            return Err(internal("one input is needed"));
        };
        let TensorData::Fp32(values) = &input.data else {
            return Err(internal("the input is not FP32"));
        };
        let made = self.network.run(values)?;
        Ok(vec![Tensor {
            name: Arc::clone(&spec.name),
            shape: vec![input.rows(), self.network.outputs()],
            data: TensorData::Fp32(made),
        }])
    }
}
