//! The architecture description: a JSON object next to a safetensors file.
//!
//! ```json
//! {
//!   "input": 30,
//!   "layers": [
//!     {"scale": {"mean": "mean", "scale": "std"}},
//!     {"linear": {"weight": "fc0.weight", "bias": "fc0.bias"}},
//!     {"layer_norm": {"weight": "norm.weight", "bias": "norm.bias", "epsilon": 1e-5}},
//!     {"activation": "relu"},
//!     {"linear": {"weight": "fc1.weight"}},
//!     {"activation": "sigmoid"}
//!   ],
//!   "output": "probability"
//! }
//! ```
//!
//! `input` is the number of features per row; values are names of tensors.
//! Linear weights lie as PyTorch saves them, `[outputs, inputs]`. `scale` is
//! `(x - mean) / scale`. Activations: relu, tanh, sigmoid, silu, gelu, softmax
//! (over a row). Optional: `input_name` (default `input`) and `fields` (names of
//! the features). Unknown keys are refused.

use serde::Deserialize;

/// Most layers.
const MAX_LAYERS: usize = 1000;
/// A whole description, for error messages.
pub(super) const EXAMPLE: &str = r#"{"input": 30, "layers": [{"linear": {"weight": "w", "bias": "b"}}, {"activation": "sigmoid"}], "output": "probability"}"#;

/// The whole description.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Architecture {
    pub(super) input: usize,
    #[serde(default = "input_name")]
    pub(super) input_name: String,
    #[serde(default)]
    pub(super) fields: Vec<String>,
    pub(super) layers: Vec<Layer>,
    #[serde(default = "output_name")]
    pub(super) output: String,
}

fn input_name() -> String {
    "input".to_owned()
}

fn output_name() -> String {
    "output".to_owned()
}

/// One layer.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Layer {
    /// `x Wᵀ + b`
    Linear(Linear),
    /// Element by element, or softmax over each row.
    Activation(Activation),
    /// Mean 0 and variance 1 over each row, then weight and bias.
    LayerNorm(LayerNorm),
    /// `(x - mean) / scale`
    Scale(Scale),
}

/// Tensors of a dense layer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Linear {
    pub(super) weight: String,
    pub(super) bias: Option<String>,
}

/// Tensors of a normalisation.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LayerNorm {
    pub(super) weight: Option<String>,
    pub(super) bias: Option<String>,
    #[serde(default = "epsilon")]
    pub(super) epsilon: f32,
}

fn epsilon() -> f32 {
    1e-5
}

/// Tensors of a standardisation.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scale {
    pub(super) mean: Option<String>,
    pub(super) scale: Option<String>,
}

/// Activations by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Activation {
    Relu,
    Tanh,
    Sigmoid,
    Silu,
    Gelu,
    Softmax,
}

impl Architecture {
    /// Reads and checks the description.
    pub(super) fn parse(value: &serde_json::Value) -> Result<Self, String> {
        let parsed = Self::deserialize(value).map_err(|error| error.to_string())?;
        if parsed.input == 0 || parsed.input > 1 << 24 {
            return Err(format!(
                "input {} is not a number of features",
                parsed.input
            ));
        }
        if parsed.layers.is_empty() || parsed.layers.len() > MAX_LAYERS {
            return Err(format!("it needs 1 to {MAX_LAYERS} layers"));
        }
        if !parsed.fields.is_empty() && parsed.fields.len() != parsed.input {
            return Err(format!(
                "{} fields for {} features",
                parsed.fields.len(),
                parsed.input
            ));
        }
        if parsed.input_name.is_empty() || parsed.output.is_empty() {
            return Err("input_name and output may not be empty".to_owned());
        }
        Ok(parsed)
    }
}
