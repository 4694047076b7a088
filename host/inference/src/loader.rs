//! Which format is it? Decided by content, never by file name.

use domain::{
    model::Format,
    ports::engine::{Model, ModelLoadError, ModelLoader, ModelSource},
};
use std::{
    fs::File,
    io::Read,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::Arc,
};

/// Largest model file, in bytes, unless [`Engine::with_limit`] says otherwise.
pub const MAX_FILE_BYTES: u64 = 1 << 30;

/// Loads every supported format.
#[derive(Debug, Clone)]
pub struct Engine {
    max_bytes: u64,
}

impl Default for Engine {
    fn default() -> Self {
        Self::with_limit(MAX_FILE_BYTES)
    }
}

impl Engine {
    /// An engine that refuses files of more than `max_bytes`.
    pub const fn with_limit(max_bytes: u64) -> Self {
        Self { max_bytes }
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, ModelLoadError> {
        let fail = |what: String| ModelLoadError::UnknownFormat(what);
        let file = File::open(path).map_err(|error| fail(format!("cannot open it: {error}")))?;
        let mut bytes = Vec::new();
        file.take(self.max_bytes.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|error| fail(format!("cannot read it: {error}")))?;
        if bytes.len() as u64 > self.max_bytes {
            return Err(fail(format!(
                "it is larger than the limit of {} bytes",
                self.max_bytes
            )));
        }
        Ok(bytes)
    }
}

impl ModelLoader for Engine {
    fn load(&self, source: &ModelSource) -> Result<Arc<dyn Model>, ModelLoadError> {
        let bytes = self.read(&source.path)?;
        let format = detect(&bytes)?;
        // The parsers are written not to panic; should one of them do so on a
        // hostile file all the same, that file is refused and nothing else ends.
        catch_unwind(AssertUnwindSafe(|| dispatch(format, &bytes, source))).unwrap_or_else(|_| {
            Err(ModelLoadError::Malformed {
                format,
                message: "the loader failed on it (a defect: please report the file)".to_owned(),
            })
        })
    }

    fn engine(&self) -> String {
        format!("tollgate-inference {}", env!("CARGO_PKG_VERSION"))
    }
}

fn dispatch(
    format: Format,
    bytes: &[u8],
    source: &ModelSource,
) -> Result<Arc<dyn Model>, ModelLoadError> {
    match format {
        Format::Onnx => crate::onnx::load(bytes, source),
        Format::XgboostJson => crate::xgboost::load_json(bytes),
        Format::XgboostUbjson => crate::xgboost::load_ubjson(bytes),
        Format::Lightgbm => crate::lightgbm::load(bytes),
        Format::Safetensors => crate::safetensors::load(bytes, source),
    }
}

/// Finds the format from the first bytes.
fn detect(bytes: &[u8]) -> Result<Format, ModelLoadError> {
    if is_safetensors(bytes) {
        return Ok(Format::Safetensors);
    }
    if bytes.starts_with(b"tree\n") || bytes.starts_with(b"tree\r\n") {
        return Ok(Format::Lightgbm);
    }
    if bytes.first() == Some(&b'{') {
        // After `{`, UBJSON has a length marker (or a typed-container marker),
        // JSON white space, a quote or the closing brace.
        return match bytes.get(1) {
            Some(b'L' | b'l' | b'I' | b'i' | b'U' | b'$' | b'#' | b'N') => {
                Ok(Format::XgboostUbjson)
            }
            _ => json(bytes),
        };
    }
    let text = bytes.trim_ascii_start();
    if text.first() == Some(&b'{') {
        return json(text);
    }
    if looks_like_onnx(bytes) {
        return Ok(Format::Onnx);
    }
    let hint = match bytes {
        [] => "it is empty",
        [0x80, 2..=5, ..] => "it is a pickle, which is never executed; export the model instead",
        [b'P', b'K', 3, 4, ..] => "it is a zip archive (a torch or joblib file?); export the model",
        [b'b', b'i', b'n', b'f', ..] => {
            "it is XGBoost's old binary format; save it as JSON or UBJSON"
        }
        [0x89, b'H', b'D', b'F', ..] => "it is HDF5 (Keras); export it to ONNX",
        _ => "its first bytes match none of them",
    };
    Err(ModelLoadError::UnknownFormat(hint.to_owned()))
}

fn json(text: &[u8]) -> Result<Format, ModelLoadError> {
    match text.get(1..).unwrap_or_default().trim_ascii_start().first() {
        Some(b'"' | b'}') => Ok(Format::XgboostJson),
        _ => Err(ModelLoadError::UnknownFormat(
            "it starts like JSON but is not".to_owned(),
        )),
    }
}

/// 8 bytes of header length, then a JSON object.
fn is_safetensors(bytes: &[u8]) -> bool {
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else {
        return false;
    };
    let length = u64::from_le_bytes(*length);
    rest.first() == Some(&b'{') && length >= 2 && length <= rest.len() as u64
}

/// A `ModelProto` starts with the varint field 1 (`ir_version`), or at least
/// with one of its other known fields.
fn looks_like_onnx(bytes: &[u8]) -> bool {
    matches!(
        bytes,
        [0x08, 1..=0x20, ..] | [0x12 | 0x1a | 0x22 | 0x32 | 0x3a | 0x42, _, ..]
    )
}
