//! onnx files.

use domain::{
    model::Format,
    ports::engine::{Model, ModelLoadError, ModelSource},
};
use std::sync::Arc;

/// Loads a file that the loader took for onnx.
pub(crate) fn load(_bytes: &[u8], _source: &ModelSource) -> Result<Arc<dyn Model>, ModelLoadError> {
    Err(ModelLoadError::Malformed {
        format: Format::Onnx,
        message: "this format is not read yet".to_owned(),
    })
}
