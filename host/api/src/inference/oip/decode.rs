//! Inference requests: JSON, JSON followed by binary tensors, or one bare
//! binary tensor.

use crate::{
    edge::error::Failure,
    inference::{elements, oip::binary, table::Members},
};
use domain::{
    signature::Signature,
    tensor::{DataType, Tensor, volume},
};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt, sync::Arc};

/// Most members of a `parameters` object.
const MAX_PARAMETERS: usize = 64;
/// Most outputs that can be asked for; each is compared with those before it.
const MAX_OUTPUTS: usize = 1024;

/// A decoded request.
#[derive(Debug)]
pub(crate) struct InferRequest<'a> {
    /// The `id`, as JSON text with its quotes.
    pub(crate) id: Option<&'a str>,
    /// Scalar parameters to echo: name and JSON text.
    pub(crate) parameters: Vec<(Cow<'a, str>, &'a str)>,
    /// The inputs.
    pub(crate) inputs: Vec<Tensor>,
    /// Outputs asked for; empty is all.
    pub(crate) outputs: Vec<WantedOutput<'a>>,
    /// Whether outputs are binary unless they say otherwise.
    pub(crate) binary_output: bool,
}

/// One output that was asked for.
#[derive(Debug)]
pub(crate) struct WantedOutput<'a> {
    pub(crate) name: Cow<'a, str>,
    pub(crate) binary: Option<bool>,
}

#[derive(Deserialize)]
struct RequestJson<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    parameters: Option<&'a RawValue>,
    #[serde(borrow)]
    inputs: Vec<InputJson<'a>>,
    #[serde(borrow, default)]
    outputs: Option<Vec<OutputJson<'a>>>,
}

#[derive(Deserialize)]
struct InputJson<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    shape: Vec<usize>,
    #[serde(borrow)]
    datatype: Cow<'a, str>,
    #[serde(default)]
    parameters: Option<InputParameters>,
    /// Read once the datatype is known, whichever comes first.
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct InputParameters {
    binary_data_size: Option<usize>,
    #[serde(default)]
    shared_memory_region: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct OutputJson<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(default)]
    parameters: Option<OutputParameters>,
}

#[derive(Deserialize)]
struct OutputParameters {
    binary_data: Option<bool>,
    #[serde(default)]
    classification: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    shared_memory_region: Option<serde::de::IgnoredAny>,
}

/// Reads a request whose JSON part is `body[..json_len]`, or all of it.
/// `signature` is what the endpoint takes; inputs get its names where they match.
pub(crate) fn request<'a>(
    body: &'a [u8],
    json_len: Option<usize>,
    signature: &Signature,
) -> Result<InferRequest<'a>, Failure> {
    let (json, blob) = match json_len {
        None => (body, Some([].as_slice())),
        Some(length) => (
            body.get(..length).ok_or_else(|| {
                Failure::malformed(format!(
                    "Inference-Header-Content-Length is {length}, the body has {} bytes",
                    body.len()
                ))
            })?,
            body.get(length..),
        ),
    };
    let given: RequestJson<'a> = serde_json::from_slice(json)
        .map_err(|error| Failure::malformed(format!("not an inference request: {error}")))?;
    let mut blob = blob.unwrap_or_default();
    let mut inputs = Vec::with_capacity(given.inputs.len());
    for input in given.inputs {
        inputs.push(tensor(input, &mut blob, signature)?);
    }
    if !blob.is_empty() {
        return Err(Failure::malformed(format!(
            "{} bytes follow the binary data that the inputs announce",
            blob.len()
        )));
    }
    let (parameters, binary_output) = parameters(given.parameters)?;
    Ok(InferRequest {
        id: given.id.map(id).transpose()?.flatten(),
        parameters,
        inputs,
        outputs: outputs(given.outputs.unwrap_or_default())?,
        binary_output,
    })
}

fn id(raw: &RawValue) -> Result<Option<&str>, Failure> {
    match raw.get() {
        "null" => Ok(None),
        text if text.starts_with('"') => Ok(Some(text)),
        _ => Err(Failure::malformed("id must be a string")),
    }
}

type Parameters<'a> = (Vec<(Cow<'a, str>, &'a str)>, bool);

/// What to echo, and `binary_data_output`, which is for us and not echoed.
fn parameters(raw: Option<&RawValue>) -> Result<Parameters<'_>, Failure> {
    let mut echoed = Vec::new();
    let mut binary = false;
    let Some(raw) = raw.map(RawValue::get).filter(|raw| *raw != "null") else {
        return Ok((echoed, binary));
    };
    let Members(members) = serde_json::from_str(raw)
        .map_err(|error| Failure::malformed(format!("parameters: {error}")))?;
    if members.len() > MAX_PARAMETERS {
        return Err(Failure::invalid(format!(
            "there are {} parameters, at most {MAX_PARAMETERS} are read",
            members.len()
        )));
    }
    for (name, value) in members {
        let value = value.get();
        if value.starts_with(['{', '[']) {
            return Err(Failure::invalid(format!(
                "parameter {name:?} must be a string, a number or a boolean"
            )));
        }
        match (name.as_ref(), value) {
            ("binary_data_output", "true") => binary = true,
            ("binary_data_output", "false") => binary = false,
            ("binary_data_output", _) => {
                return Err(Failure::invalid("binary_data_output must be a boolean"));
            }
            _ if echoed.iter().any(|(other, _)| *other == name) => {
                return Err(Failure::invalid(format!(
                    "parameter {name:?} is given twice"
                )));
            }
            _ => echoed.push((name, value)),
        }
    }
    Ok((echoed, binary))
}

fn outputs(given: Vec<OutputJson<'_>>) -> Result<Vec<WantedOutput<'_>>, Failure> {
    if given.len() > MAX_OUTPUTS {
        return Err(Failure::invalid(format!(
            "{} outputs are asked for, at most {MAX_OUTPUTS} can be",
            given.len()
        )));
    }
    let mut outputs: Vec<WantedOutput<'_>> = Vec::with_capacity(given.len());
    for OutputJson { name, parameters } in given {
        if outputs.iter().any(|other| other.name == name) {
            return Err(Failure::invalid(format!(
                "output {name:?} is asked for twice"
            )));
        }
        if let Some(parameters) = &parameters
            && (parameters.classification.is_some() || parameters.shared_memory_region.is_some())
        {
            return Err(Failure::invalid(format!(
                "output {name:?}: classification and shared memory are not supported"
            )));
        }
        outputs.push(WantedOutput {
            name,
            binary: parameters.and_then(|parameters| parameters.binary_data),
        });
    }
    Ok(outputs)
}

fn tensor(
    input: InputJson<'_>,
    blob: &mut &[u8],
    signature: &Signature,
) -> Result<Tensor, Failure> {
    let InputJson {
        name,
        shape,
        datatype,
        parameters,
        data,
    } = input;
    let fail = |what: &dyn fmt::Display| Failure::invalid(format!("input {name:?}: {what}"));
    let datatype: DataType = datatype.parse().map_err(|error| fail(&error))?;
    let elements = volume(&shape)
        .filter(|_| shape.len() <= elements::MAX_DEPTH)
        .ok_or_else(|| fail(&"its shape is too large"))?;
    let parameters = parameters.unwrap_or(InputParameters {
        binary_data_size: None,
        shared_memory_region: None,
    });
    if parameters.shared_memory_region.is_some() {
        return Err(fail(&"shared memory is not supported"));
    }
    let data = match (data, parameters.binary_data_size) {
        (Some(_), Some(_)) => return Err(fail(&"it has both data and binary_data_size")),
        (None, None) => return Err(fail(&"it has neither data nor binary_data_size")),
        (Some(json), None) => {
            let parsed =
                elements::parse(json.get(), datatype, elements).map_err(|error| fail(&error))?;
            if !parsed.fits(&shape) {
                return Err(fail(&format_args!(
                    "its shape is {shape:?}, its data is {:?}",
                    parsed.dims
                )));
            }
            parsed.data
        }
        (None, Some(size)) => {
            let (mine, rest) = blob.split_at_checked(size).ok_or_else(|| {
                fail(&format_args!(
                    "binary_data_size is {size}, {} bytes are left in the body",
                    blob.len()
                ))
            })?;
            *blob = rest;
            binary::read(mine, datatype, elements).map_err(|error| fail(&error))?
        }
    };
    Ok(Tensor {
        name: shared_name(&name, signature),
        shape,
        data,
    })
}

/// The signature's own copy of a name, so that requests do not make one each.
fn shared_name(name: &str, signature: &Signature) -> Arc<str> {
    let mut specs = signature.inputs.iter();
    specs
        .find(|spec| *spec.name == *name)
        .map_or_else(|| Arc::from(name), |spec| Arc::clone(&spec.name))
}
