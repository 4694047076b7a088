//! XGBoost models in JSON and UBJSON.

use domain::{
    model::Format,
    ports::engine::{Model, ModelLoadError},
};
use std::sync::Arc;

/// Loads a JSON model.
pub(crate) fn load_json(_bytes: &[u8]) -> Result<Arc<dyn Model>, ModelLoadError> {
    Err(ModelLoadError::Malformed {
        format: Format::XgboostJson,
        message: "this format is not read yet".to_owned(),
    })
}

/// Loads a UBJSON model.
pub(crate) fn load_ubjson(_bytes: &[u8]) -> Result<Arc<dyn Model>, ModelLoadError> {
    Err(ModelLoadError::Malformed {
        format: Format::XgboostUbjson,
        message: "this format is not read yet".to_owned(),
    })
}
