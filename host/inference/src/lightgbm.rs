//! LightGBM text models.

use domain::{
    model::Format,
    ports::engine::{Model, ModelLoadError},
};
use std::sync::Arc;

/// Loads a text model.
pub(crate) fn load(_bytes: &[u8]) -> Result<Arc<dyn Model>, ModelLoadError> {
    Err(ModelLoadError::Malformed {
        format: Format::Lightgbm,
        message: "this format is not read yet".to_owned(),
    })
}
