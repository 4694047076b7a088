//! Between the domain's values and those of `wit/0.1`. What comes from a guest
//! is checked here and nowhere else.

use crate::{
    bindings::transform::{
        exports::tollgate::plugin::transformer as wit,
        tollgate::plugin::{
            failures::{Failure, Fault},
            tensors,
        },
    },
    sandbox::clean,
};
use domain::{
    batch::{Batch, Buffer, Contract, Element, FieldSpec, OutputSpec},
    error::ErrorKind,
    ports::engine::PluginError,
    tensor::{Tensor, TensorData, volume},
};

const MAX_INPUTS: usize = 4096;
const MAX_OUTPUTS: usize = 64;
const MAX_RANK: usize = 8;
const MAX_NAME: usize = 128;

/// A contract as `describe` gave it, or everything that is wrong with it.
pub(crate) fn contract(given: &wit::Contract) -> Result<Contract, String> {
    if given.inputs.is_empty() || given.inputs.len() > MAX_INPUTS {
        return Err(format!("describe must name 1 to {MAX_INPUTS} inputs"));
    }
    if given.outputs.is_empty() || given.outputs.len() > MAX_OUTPUTS {
        return Err(format!("describe must name 1 to {MAX_OUTPUTS} outputs"));
    }
    names("input", given.inputs.iter().map(|field| &*field.name))?;
    names("output", given.outputs.iter().map(|output| &*output.name))?;
    for output in &given.outputs {
        let rows_first = output.shape.first() == Some(&-1);
        let rest = output.shape.get(1..).unwrap_or_default();
        if !rows_first || output.shape.len() > MAX_RANK || rest.iter().any(|&dim| dim < 1) {
            return Err(format!(
                "output {:?} has shape {:?}: write -1 (rows) first, then up to 7 sizes of at least 1",
                output.name, output.shape
            ));
        }
    }
    Ok(Contract {
        inputs: given.inputs.iter().map(field).collect(),
        outputs: given.outputs.iter().map(output).collect(),
    })
}

fn names<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Result<(), String> {
    let mut seen = std::collections::HashSet::new();
    for name in names {
        if name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
            return Err(format!(
                "{what} name {:?} is not valid: use 1 to {MAX_NAME} bytes without control characters",
                clean(name, MAX_NAME)
            ));
        }
        if !seen.insert(name) {
            return Err(format!("{what} {name:?} is named twice"));
        }
    }
    Ok(())
}

fn field(field: &wit::FieldSpec) -> FieldSpec {
    FieldSpec {
        name: field.name.as_str().into(),
        element: element(field.element),
        nullable: field.nullable,
    }
}

fn output(output: &wit::OutputSpec) -> OutputSpec {
    OutputSpec {
        name: output.name.as_str().into(),
        element: element(output.element),
        shape: output.shape.clone(),
    }
}

const fn element(element: tensors::Element) -> Element {
    match element {
        tensors::Element::F32 => Element::F32,
        tensors::Element::F64 => Element::F64,
        tensors::Element::S64 => Element::S64,
        tensors::Element::S32 => Element::S32,
        tensors::Element::U8 => Element::U8,
        tensors::Element::Utf8 => Element::Utf8,
    }
}

/// Blocks as the guest gets them: borrowed, or as little-endian bytes in `raw`.
pub(crate) fn blocks<'a>(
    batch: &'a Batch,
    raw: Option<&'a [Option<Vec<u8>>]>,
) -> Vec<tensors::Block<'a>> {
    let block = |(index, block): (usize, &'a domain::batch::Block)| {
        let bytes = raw.and_then(|raw| raw.get(index)?.as_deref());
        let values = match (bytes, &block.values) {
            (Some(bytes), _) => tensors::BufferParam::Raw(bytes),
            (None, Buffer::F32(v)) => tensors::BufferParam::F32s(v),
            (None, Buffer::F64(v)) => tensors::BufferParam::F64s(v),
            (None, Buffer::S64(v)) => tensors::BufferParam::S64s(v),
            (None, Buffer::S32(v)) => tensors::BufferParam::S32s(v),
            (None, Buffer::U8(v)) => tensors::BufferParam::U8s(v),
            (None, Buffer::Utf8 { offsets, data }) => {
                tensors::BufferParam::Utf8(tensors::TextParam { offsets, data })
            }
        };
        tensors::Block {
            fields: u32::try_from(block.fields).unwrap_or(u32::MAX),
            values,
            validity: block.validity.as_deref(),
        }
    };
    batch.blocks.iter().enumerate().map(block).collect()
}

/// Numeric blocks as little-endian bytes; `None` for text.
pub(crate) fn raw(batch: &Batch) -> Vec<Option<Vec<u8>>> {
    let bytes = |block: &domain::batch::Block| match &block.values {
        Buffer::F32(v) => Some(v.iter().flat_map(|x| x.to_le_bytes()).collect()),
        Buffer::F64(v) => Some(v.iter().flat_map(|x| x.to_le_bytes()).collect()),
        Buffer::S64(v) => Some(v.iter().flat_map(|x| x.to_le_bytes()).collect()),
        Buffer::S32(v) => Some(v.iter().flat_map(|x| x.to_le_bytes()).collect()),
        Buffer::U8(v) => Some(v.clone()),
        Buffer::Utf8 { .. } => None,
    };
    batch.blocks.iter().map(bytes).collect()
}

/// Outputs as the contract promises them, or how they break it.
pub(crate) fn outputs(
    contract: &Contract,
    rows: usize,
    given: Vec<tensors::Tensor>,
) -> Result<Vec<Tensor>, String> {
    if given.len() != contract.outputs.len() {
        return Err(format!(
            "{} tensors came back, the contract has {}",
            given.len(),
            contract.outputs.len()
        ));
    }
    contract
        .outputs
        .iter()
        .zip(given)
        .map(|(spec, tensor)| {
            checked(spec, rows, tensor).map_err(|why| format!("output {:?}: {why}", spec.name))
        })
        .collect()
}

fn checked(spec: &OutputSpec, rows: usize, given: tensors::Tensor) -> Result<Tensor, String> {
    let fits = given.shape.len() == spec.shape.len()
        && given
            .shape
            .iter()
            .zip(&spec.shape)
            .all(|(&is, &want)| is as usize == usize::try_from(want).unwrap_or(rows));
    if !fits {
        return Err(format!(
            "shape {:?} came back, the contract has {:?} and the batch {rows} rows",
            given.shape.iter().take(MAX_RANK + 1).collect::<Vec<_>>(),
            spec.shape
        ));
    }
    let shape: Vec<usize> = given.shape.iter().map(|&dim| dim as usize).collect();
    let data = values(spec.element, given.values)?;
    if volume(&shape) != Some(data.len()) {
        return Err(format!(
            "shape {shape:?} does not hold the {} values that came back",
            data.len()
        ));
    }
    Ok(Tensor {
        name: std::sync::Arc::clone(&spec.name),
        shape,
        data,
    })
}

fn values(element: Element, given: tensors::BufferResult) -> Result<TensorData, String> {
    use tensors::BufferResult as B;
    Ok(match (element, given) {
        (Element::F32, B::F32s(v)) => TensorData::Fp32(v),
        (Element::F64, B::F64s(v)) => TensorData::Fp64(v),
        (Element::S64, B::S64s(v)) => TensorData::Int64(v),
        (Element::S32, B::S32s(v)) => TensorData::Int32(v),
        (Element::U8, B::U8s(v) | B::Raw(v)) => TensorData::Uint8(v),
        (Element::Utf8, B::Utf8(text)) => TensorData::Bytes(texts(&text.offsets, &text.data)?),
        (Element::F32, B::Raw(v)) => TensorData::Fp32(decode(&v, f32::from_le_bytes)?),
        (Element::F64, B::Raw(v)) => TensorData::Fp64(decode(&v, f64::from_le_bytes)?),
        (Element::S64, B::Raw(v)) => TensorData::Int64(decode(&v, i64::from_le_bytes)?),
        (Element::S32, B::Raw(v)) => TensorData::Int32(decode(&v, i32::from_le_bytes)?),
        (element, _) => return Err(format!("its values are not of element {element:?}")),
    })
}

fn decode<T, const N: usize>(bytes: &[u8], value: fn([u8; N]) -> T) -> Result<Vec<T>, String> {
    let (chunks, rest) = bytes.as_chunks::<N>();
    if !rest.is_empty() {
        return Err(format!(
            "{} raw bytes are not a multiple of the element's {N}",
            bytes.len()
        ));
    }
    Ok(chunks.iter().map(|&chunk| value(chunk)).collect())
}

fn texts(offsets: &[u32], data: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let broken = || "its text offsets do not ascend from 0 to the end of the data".to_owned();
    if offsets.first() != Some(&0) || offsets.last().map(|&end| end as usize) != Some(data.len()) {
        return Err(broken());
    }
    let text = std::str::from_utf8(data).map_err(|_| "its text is not UTF-8".to_owned())?;
    offsets
        .windows(2)
        .map(|pair| match *pair {
            [start, end] => text
                .get(start as usize..end as usize)
                .map(|value| value.as_bytes().to_vec())
                .ok_or_else(broken),
            _ => Err(broken()),
        })
        .collect()
}

/// A refusal in the plugin's words, cleaned and shortened.
pub(crate) fn failure(given: &Failure) -> PluginError {
    PluginError::Failure {
        kind: match given.fault {
            Fault::InvalidInput => ErrorKind::Invalid,
            Fault::Upstream => ErrorKind::Unavailable,
            Fault::InvalidSettings | Fault::Unsupported | Fault::Internal if given.retryable => {
                ErrorKind::Unavailable
            }
            Fault::InvalidSettings | Fault::Unsupported | Fault::Internal => ErrorKind::Internal,
        },
        code: clean(&given.code, 64),
        message: clean(&given.message, 1024),
        field: given.field.as_deref().map(|field| clean(field, 128)),
        row: given.row,
    }
}
