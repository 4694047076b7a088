//! `ai.onnx.ml` encoders: categories to numbers and back.

use super::{Build, gather::index, no_types};
use crate::onnx::{
    array::{Array, Shape},
    fault::{Fault, Refusal},
    node::{Built, Node, one},
};
use domain::tensor::TensorData;
use std::collections::HashMap;

/// The builder of an operator of this group.
pub(crate) fn find(op: &str) -> Option<Build> {
    Some(match op {
        "OneHotEncoder" => one_hot,
        "LabelEncoder" => label,
        "CategoryMapper" => category,
        "DictVectorizer" => dictionary,
        "ZipMap" => zip_map,
        "ArrayFeatureExtractor" => extract,
        _ => return None,
    })
}

/// Values of any type as map keys: floats by bits, all NaN alike, both zeros alike.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Text(Vec<u8>),
    Int(i64),
    Float(u64),
}

fn float_key(x: f64) -> Key {
    Key::Float(if x.is_nan() {
        f64::NAN.to_bits()
    } else if x == 0.0 {
        0
    } else {
        x.to_bits()
    })
}

fn keys(a: &Array) -> Result<Vec<Key>, Fault> {
    Ok(match a.data() {
        TensorData::Bytes(v) => v.iter().cloned().map(Key::Text).collect(),
        TensorData::Fp32(v) => v.iter().map(|&x| float_key(x.into())).collect(),
        TensorData::Fp64(v) => v.iter().map(|&x| float_key(x)).collect(),
        TensorData::Bool(v) => v.iter().map(|&x| Key::Int(x.into())).collect(),
        _ => a.to_i64()?.into_iter().map(Key::Int).collect(),
    })
}

/// Unknown categories give zeros, or with `zeros=0` an error.
fn one_hot(node: &Node<'_>) -> Result<Built, Refusal> {
    let numbers = node.ints("cats_int64s")?.unwrap_or_default();
    let texts = node.strings("cats_strings")?.unwrap_or_default();
    let zeros = node.int("zeros")?.unwrap_or(1) != 0;
    let categories: HashMap<Key, usize> = match (numbers, texts) {
        ([], []) => return Err(node.broken("no categories")),
        (_, []) => numbers
            .iter()
            .enumerate()
            .map(|(at, &x)| (Key::Int(x), at))
            .collect(),
        _ => texts
            .iter()
            .enumerate()
            .map(|(at, x)| (Key::Text(x.clone()), at))
            .collect(),
    };
    let width = numbers.len().max(texts.len());
    let takes_text = !texts.is_empty();
    one(move |inputs| {
        let a = inputs.get(0)?;
        let given = match a.data() {
            TensorData::Bytes(_) if !takes_text => return Err(no_types(&[a])),
            TensorData::Fp32(v) => v.iter().map(|&x| Key::Int(x as i64)).collect(),
            TensorData::Fp64(v) => v.iter().map(|&x| Key::Int(x as i64)).collect(),
            _ => keys(a)?,
        };
        let mut dims = a.shape().to_vec();
        dims.push(width);
        let shape = Shape::new(&dims)?;
        let mut out = vec![0f32; shape.volume()];
        for (row, key) in out.chunks_exact_mut(width.max(1)).zip(&given) {
            match categories.get(key) {
                Some(&at) => row[at] = 1.0,
                None if zeros => {}
                None => return Err(Fault::value("a category that the model does not know")),
            }
        }
        Array::of(shape, out)
    })
}

/// The keys or values of a LabelEncoder, in whichever attribute they are.
fn list(node: &Node<'_>, what: &str) -> Result<Option<Array>, Refusal> {
    if let Some(tensor) = node.tensor(&format!("{what}_tensor"))? {
        return Ok(Some(tensor));
    }
    if let Some(values) = node.strings(&format!("{what}_strings"))? {
        return Ok(Some(Array::vector(values.to_vec())?));
    }
    if let Some(values) = node.ints(&format!("{what}_int64s"))? {
        return Ok(Some(Array::vector(values.to_vec())?));
    }
    let floats = node.floats(&format!("{what}_floats"))?;
    Ok(floats
        .map(|values| Array::vector(values.to_vec()))
        .transpose()?)
}

fn label(node: &Node<'_>) -> Result<Built, Refusal> {
    let classes = node.strings("classes_strings")?;
    let default_int = node.int("default_int64")?.unwrap_or(-1);
    let default_text = node
        .bytes("default_string")?
        .unwrap_or_else(|| b"_Unused".to_vec());
    let default_float = node.float("default_float")?.unwrap_or(-0.0);
    let default_tensor = node.tensor("default_tensor")?;
    if let Some(classes) = classes {
        return classes_label(classes, default_int, &default_text);
    }
    let (Some(from), Some(to)) = (list(node, "keys")?, list(node, "values")?) else {
        return Err(node.broken("no keys or values"));
    };
    if from.len() != to.len() {
        return Err(node.broken("keys and values have different lengths"));
    }
    let default = match (default_tensor, to.data()) {
        (Some(tensor), _) => tensor.reshaped(Shape::new(&[1])?)?,
        (None, TensorData::Bytes(_)) => Array::vector(vec![default_text])?,
        (None, TensorData::Int64(_)) => Array::vector(vec![default_int])?,
        (None, TensorData::Fp32(_)) => Array::vector(vec![default_float])?,
        (None, TensorData::Fp64(_)) => Array::vector(vec![f64::from(default_float)])?,
        (None, TensorData::Int16(_)) => Array::vector(vec![-1i16])?,
        _ => return Err(node.refuse(&format!("values of type {}", to.datatype()))),
    };
    let to = super::shape::join(&[&to.reshaped(Shape::new(&[to.len()])?)?, &default], 0)?;
    let mut places = HashMap::new();
    // NaN is a key like others since version 4, and matches nothing before.
    let nan = (node.version < 4).then(|| float_key(f64::NAN));
    for (at, key) in keys(&from)?.into_iter().enumerate() {
        if Some(&key) == nan.as_ref() {
            continue;
        }
        places.entry(key).or_insert(at as i64);
    }
    mapped(places, to)
}

/// Version 1: texts to their places in a list and back.
fn classes_label(
    classes: &[Vec<u8>],
    default_int: i64,
    default_text: &[u8],
) -> Result<Built, Refusal> {
    let n = classes.len() as i64;
    let texts: HashMap<Key, i64> = classes.iter().cloned().map(Key::Text).zip(0..).collect();
    let numbers: HashMap<Key, i64> = (0..n).map(|at| (Key::Int(at), at)).collect();
    let to_int = Array::vector((0..n).chain([default_int]).collect())?;
    let mut all = classes.to_vec();
    all.push(default_text.to_vec());
    let to_text = Array::vector(all)?;
    one(move |inputs| {
        let a = inputs.get(0)?;
        match a.data() {
            TensorData::Bytes(_) => lookup(a, &texts, &to_int),
            _ => lookup(a, &numbers, &to_text),
        }
    })
}

/// `values` ends with the default.
fn lookup(a: &Array, places: &HashMap<Key, i64>, values: &Array) -> Result<Array, Fault> {
    let found: Vec<i64> = keys(a)?
        .iter()
        .map(|key| places.get(key).copied().unwrap_or(-1))
        .collect();
    super::gather::take(values, 0, &found, a.shape())
}

fn mapped(places: HashMap<Key, i64>, values: Array) -> Result<Built, Refusal> {
    one(move |inputs| lookup(inputs.get(0)?, &places, &values))
}

fn category(node: &Node<'_>) -> Result<Built, Refusal> {
    let texts = node.strings("cats_strings")?.unwrap_or_default();
    let numbers = node.ints("cats_int64s")?.unwrap_or_default();
    let default_int = node.int("default_int64")?.unwrap_or(-1);
    let default_text = node
        .bytes("default_string")?
        .unwrap_or_else(|| b"_Unused".to_vec());
    if texts.len() != numbers.len() {
        return Err(node.broken("categories have different lengths"));
    }
    let forward: HashMap<Key, i64> = texts.iter().cloned().map(Key::Text).zip(0..).collect();
    let back: HashMap<Key, i64> = numbers.iter().copied().map(Key::Int).zip(0..).collect();
    let to_int = Array::vector(numbers.iter().copied().chain([default_int]).collect())?;
    let mut all = texts.to_vec();
    all.push(default_text);
    let to_text = Array::vector(all)?;
    one(move |inputs| {
        let a = inputs.get(0)?;
        match a.data() {
            TensorData::Bytes(_) => lookup(a, &forward, &to_int),
            _ => lookup(a, &back, &to_text),
        }
    })
}

fn names(numbers: &[i64], texts: &[Vec<u8>]) -> Vec<String> {
    if texts.is_empty() {
        numbers.iter().map(ToString::to_string).collect()
    } else {
        let text = |t: &Vec<u8>| String::from_utf8_lossy(t).into_owned();
        texts.iter().map(text).collect()
    }
}

/// Takes a map from names to numbers. Here the input is a tensor with a column
/// per name instead, and the signature carries the names.
fn dictionary(node: &Node<'_>) -> Result<Built, Refusal> {
    let texts = node.strings("string_vocabulary")?.unwrap_or_default();
    let numbers = node.ints("int64_vocabulary")?.unwrap_or_default();
    match names(numbers, texts) {
        empty if empty.is_empty() => Err(node.broken("no vocabulary")),
        names => Ok(Built::Named(names)),
    }
}

/// Gives maps from class to probability. Here the output stays a tensor, and
/// the signature carries the classes' names.
fn zip_map(node: &Node<'_>) -> Result<Built, Refusal> {
    let texts = node.strings("classlabels_strings")?.unwrap_or_default();
    let numbers = node.ints("classlabels_int64s")?.unwrap_or_default();
    match names(numbers, texts) {
        empty if empty.is_empty() => Err(node.broken("no class labels")),
        names => Ok(Built::Named(names)),
    }
}

/// Columns picked along the last axis.
fn extract(_: &Node<'_>) -> Result<Built, Refusal> {
    one(|inputs| {
        let (a, columns) = (inputs.get(0)?, inputs.get(1)?);
        let columns = columns.to_i64()?;
        let Some(last) = a.rank().checked_sub(1) else {
            return Err(Fault::shape("a scalar has no columns"));
        };
        for &at in &columns {
            index(at, a.shape()[last]).map(drop)?;
        }
        let a = if last == 0 {
            a.reshaped(Shape::new(&[1, a.len()])?)?
        } else {
            a.clone()
        };
        super::gather::take(&a, a.rank() - 1, &columns, &[columns.len()])
    })
}
