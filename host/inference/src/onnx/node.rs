//! A node as the operators' builders see it: attributes read with their types
//! checked, constant inputs, and the operator set version. Attributes that no
//! builder read are reported, so that nothing is ignored in silence.

use super::{
    array::Array,
    constant,
    fault::{Fault, Refusal},
    proto::{AttributeProto, NodeProto},
};
use std::cell::RefCell;

/// Inputs of one call.
#[derive(Clone, Copy)]
pub(crate) struct Inputs<'a>(pub(crate) &'a [Option<&'a Array>]);

impl<'a> Inputs<'a> {
    /// A required input.
    pub(crate) fn get(&self, at: usize) -> Result<&'a Array, Fault> {
        self.optional(at)
            .ok_or_else(|| Fault::shape(format!("input {at} is missing")))
    }

    /// An optional input.
    pub(crate) fn optional(&self, at: usize) -> Option<&'a Array> {
        self.0.get(at).copied().flatten()
    }

    /// All inputs that are given.
    pub(crate) fn all(&self) -> impl Iterator<Item = &'a Array> {
        self.0.iter().copied().flatten()
    }
}

/// Outputs of one call.
#[derive(Debug)]
pub(crate) enum Outputs {
    /// The common case.
    One(Array),
    /// In node order.
    Many(Vec<Array>),
}

/// A compiled node.
pub(crate) type Kernel = Box<dyn Fn(Inputs<'_>) -> Result<Outputs, Fault> + Send + Sync>;

/// What a builder makes of a node.
pub(crate) enum Built {
    /// Something to run.
    Kernel(Kernel),
    /// Output 0 is input 0.
    Alias,
    /// As [`Built::Alias`], and the names along its last dimension.
    Named(Vec<String>),
    /// A constant.
    Constant(Array),
}

/// A kernel with one output.
pub(crate) fn one(
    run: impl Fn(Inputs<'_>) -> Result<Array, Fault> + Send + Sync + 'static,
) -> Result<Built, Refusal> {
    Ok(Built::Kernel(Box::new(move |inputs| {
        run(inputs).map(Outputs::One)
    })))
}

/// A kernel with several outputs.
pub(crate) fn many(
    run: impl Fn(Inputs<'_>) -> Result<Vec<Array>, Fault> + Send + Sync + 'static,
) -> Result<Built, Refusal> {
    Ok(Built::Kernel(Box::new(move |inputs| {
        run(inputs).map(Outputs::Many)
    })))
}

/// One node, before it is compiled.
pub(crate) struct Node<'a> {
    proto: &'a NodeProto,
    /// Operator set version of the node's domain.
    pub(crate) version: i64,
    constants: Vec<Option<Array>>,
    read: RefCell<Vec<bool>>,
}

impl<'a> Node<'a> {
    /// A node with the inputs that are known.
    pub(crate) fn new(proto: &'a NodeProto, version: i64, constants: Vec<Option<Array>>) -> Self {
        Self {
            proto,
            version,
            constants,
            read: RefCell::new(vec![false; proto.attribute.len()]),
        }
    }

    /// Operator name.
    pub(crate) fn op(&self) -> &'a str {
        &self.proto.op_type
    }

    /// Value of input `at` if it is a constant.
    pub(crate) fn constant(&self, at: usize) -> Option<&Array> {
        self.constants.get(at).and_then(Option::as_ref)
    }

    /// Whether input `at` is given.
    pub(crate) fn has_input(&self, at: usize) -> bool {
        self.proto
            .input
            .get(at)
            .is_some_and(|name| !name.is_empty())
    }

    /// Whether output `at` is wanted.
    pub(crate) fn has_output(&self, at: usize) -> bool {
        self.proto
            .output
            .get(at)
            .is_some_and(|name| !name.is_empty())
    }

    /// Number of outputs.
    pub(crate) fn outputs(&self) -> usize {
        self.proto.output.len()
    }

    /// `domain::Op`.
    pub(crate) fn title(&self) -> String {
        title(self.proto)
    }

    /// A refusal that names an attribute's value.
    pub(crate) fn refuse(&self, what: &str) -> Refusal {
        Refusal::unsupported(format!("{} with {what}", self.title()))
    }

    /// A broken rule in this node.
    pub(crate) fn broken(&self, what: &str) -> Refusal {
        Refusal::malformed(format!("{} {:?}: {what}", self.title(), self.proto.name))
    }

    fn attribute(&self, name: &str, kind: i32) -> Result<Option<&'a AttributeProto>, Refusal> {
        let Some(at) = self.proto.attribute.iter().position(|a| a.name == name) else {
            return Ok(None);
        };
        if let Some(read) = self.read.borrow_mut().get_mut(at) {
            *read = true;
        }
        let attribute = &self.proto.attribute[at];
        if !attribute.ref_attr_name.is_empty() {
            return Err(self.broken("an attribute refers to a function's attribute"));
        }
        if attribute.r#type != 0 && attribute.r#type != kind {
            return Err(self.broken(&format!("attribute {name:?} has the wrong type")));
        }
        Ok(Some(attribute))
    }

    /// An INT attribute.
    pub(crate) fn int(&self, name: &str) -> Result<Option<i64>, Refusal> {
        Ok(self.attribute(name, 2)?.map(|a| a.i.unwrap_or_default()))
    }

    /// A FLOAT attribute.
    pub(crate) fn float(&self, name: &str) -> Result<Option<f32>, Refusal> {
        Ok(self.attribute(name, 1)?.map(|a| a.f.unwrap_or_default()))
    }

    /// A STRING attribute, as text.
    pub(crate) fn string(&self, name: &str) -> Result<Option<String>, Refusal> {
        Ok(self
            .bytes(name)?
            .map(|s| String::from_utf8_lossy(&s).into_owned()))
    }

    /// A STRING attribute.
    pub(crate) fn bytes(&self, name: &str) -> Result<Option<Vec<u8>>, Refusal> {
        Ok(self
            .attribute(name, 3)?
            .map(|a| a.s.clone().unwrap_or_default()))
    }

    /// An INTS attribute.
    pub(crate) fn ints(&self, name: &str) -> Result<Option<&'a [i64]>, Refusal> {
        Ok(self.attribute(name, 7)?.map(|a| &*a.ints))
    }

    /// A FLOATS attribute.
    pub(crate) fn floats(&self, name: &str) -> Result<Option<&'a [f32]>, Refusal> {
        Ok(self.attribute(name, 6)?.map(|a| &*a.floats))
    }

    /// A STRINGS attribute.
    pub(crate) fn strings(&self, name: &str) -> Result<Option<&'a [Vec<u8>]>, Refusal> {
        Ok(self.attribute(name, 8)?.map(|a| &*a.strings))
    }

    /// A TENSOR attribute.
    pub(crate) fn tensor(&self, name: &str) -> Result<Option<Array>, Refusal> {
        match self.attribute(name, 4)? {
            None => Ok(None),
            Some(AttributeProto { t: Some(t), .. }) => constant::array(t).map(Some),
            Some(_) => Err(self.broken(&format!("attribute {name:?} has no tensor"))),
        }
    }

    /// Reads an attribute that has no effect here.
    pub(crate) fn ignore(&self, name: &str) {
        if let Some(at) = self.proto.attribute.iter().position(|a| a.name == name)
            && let Some(read) = self.read.borrow_mut().get_mut(at)
        {
            *read = true;
        }
    }

    /// Integers given as an attribute in old versions and as an input since:
    /// `None` if neither; the closure reads them at run time.
    pub(crate) fn ints_or_input(&self, name: &str, at: usize) -> Result<IntList, Refusal> {
        if let Some(values) = self.ints(name)? {
            return Ok(IntList::Fixed(values.to_vec()));
        }
        if let Some(array) = self.constant(at) {
            return Ok(IntList::Fixed(array.to_i64()?));
        }
        Ok(if self.has_input(at) {
            IntList::Input(at)
        } else {
            IntList::Absent
        })
    }

    /// Attributes that were not read, by name.
    pub(crate) fn unread(&self) -> Vec<String> {
        let read = self.read.borrow();
        let names = self.proto.attribute.iter().zip(read.iter());
        names
            .filter(|(_, read)| !**read)
            .map(|(a, _)| format!("{} attribute {:?}", self.title(), a.name))
            .collect()
    }
}

/// `domain::Op`, with the default domain spelt out.
pub(crate) fn title(proto: &NodeProto) -> String {
    let domain = match proto.domain.as_str() {
        "" => "ai.onnx",
        other => other,
    };
    format!("{domain}::{}", proto.op_type)
}

/// Integers that are known at load, come as an input, or are not given.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum IntList {
    /// Known.
    Fixed(Vec<i64>),
    /// The input's number.
    Input(usize),
    /// Not given.
    Absent,
}

impl IntList {
    /// The integers, `None` if not given.
    pub(crate) fn read(&self, inputs: Inputs<'_>) -> Result<Option<Vec<i64>>, Fault> {
        match self {
            Self::Fixed(values) => Ok(Some(values.clone())),
            Self::Input(at) => inputs.optional(*at).map(Array::to_i64).transpose(),
            Self::Absent => Ok(None),
        }
    }
}
