//! Values that flow through a plan: a shape and shared, typed elements.

use super::fault::Fault;
use domain::tensor::{DataType, TensorData};
use std::{ops::Deref, sync::Arc};

/// Highest rank of any value.
pub(crate) const MAX_RANK: usize = 8;
/// Most elements of any value: 64 Mi, 256 MiB as FP32.
pub(crate) const MAX_ELEMENTS: usize = 1 << 26;

/// Up to [`MAX_RANK`] dimensions whose product is at most [`MAX_ELEMENTS`];
/// kept inline, so that views do not allocate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    rank: u8,
    dims: [usize; MAX_RANK],
}

impl Shape {
    /// A scalar's shape.
    pub(crate) const SCALAR: Self = Self {
        rank: 0,
        dims: [1; MAX_RANK],
    };

    /// Checks rank and volume.
    pub(crate) fn new(dims: &[usize]) -> Result<Self, Fault> {
        if dims.len() > MAX_RANK {
            return Err(Fault::Limit(format!(
                "rank {} is above the limit of {MAX_RANK}",
                dims.len()
            )));
        }
        // Zeros are left out of the product: strides stay in range for empty values too.
        let volume = dims
            .iter()
            .try_fold(1usize, |product, &dim| product.checked_mul(dim.max(1)));
        if volume.is_none_or(|volume| volume > MAX_ELEMENTS) {
            return Err(Fault::Limit(format!(
                "shape {dims:?} is above the limit of {MAX_ELEMENTS} elements"
            )));
        }
        let mut shape = Self::SCALAR;
        shape.rank = dims.len() as u8;
        shape.dims[..dims.len()].copy_from_slice(dims);
        Ok(shape)
    }

    /// Number of elements.
    pub(crate) fn volume(&self) -> usize {
        self.iter().product()
    }

    /// Row-major strides, in elements.
    pub(crate) fn strides(&self) -> [usize; MAX_RANK] {
        let mut strides = [1; MAX_RANK];
        for axis in (0..self.len().saturating_sub(1)).rev() {
            strides[axis] = strides[axis + 1] * self.dims[axis + 1].max(1);
        }
        strides
    }

    /// An axis counted from the front or, if negative, from the back.
    pub(crate) fn axis(&self, axis: i64) -> Result<usize, Fault> {
        resolve_axis(axis, self.len())
    }

    /// Products of the dimensions before, at, and after an axis.
    pub(crate) fn around(&self, axis: usize) -> (usize, usize, usize) {
        (
            self[..axis].iter().product(),
            self[axis],
            self[axis + 1..].iter().product(),
        )
    }

    /// Same shape with one dimension changed.
    pub(crate) fn with(&self, axis: usize, dim: usize) -> Result<Self, Fault> {
        let mut dims = *self;
        dims.dims[axis] = dim;
        Self::new(&dims)
    }
}

impl Deref for Shape {
    type Target = [usize];
    fn deref(&self) -> &[usize] {
        &self.dims[..usize::from(self.rank)]
    }
}

/// `axis` counted from the front or, if negative, from the back of `rank` axes.
pub(crate) fn resolve_axis(axis: i64, rank: usize) -> Result<usize, Fault> {
    let signed = rank as i64;
    let at = if axis < 0 {
        axis.saturating_add(signed)
    } else {
        axis
    };
    if (0..signed).contains(&at) {
        Ok(at as usize)
    } else {
        Err(Fault::shape(format!("axis {axis} is outside rank {rank}")))
    }
}

/// A value: cheap to clone, immutable once shared.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Array {
    shape: Shape,
    data: Arc<TensorData>,
}

/// Rust types that are element types.
pub(crate) trait Element: Clone + Send + Sync + 'static {
    /// The datatype.
    const DATA_TYPE: DataType;
    /// Wraps a vector.
    fn wrap(values: Vec<Self>) -> TensorData;
    /// The elements, if the data is of this type.
    fn view(data: &TensorData) -> Option<&[Self]>;
}

macro_rules! element {
    ($($rust:ty => $case:ident),+ $(,)?) => {$(
        impl Element for $rust {
            const DATA_TYPE: DataType = DataType::$case;
            fn wrap(values: Vec<Self>) -> TensorData {
                TensorData::$case(values)
            }
            fn view(data: &TensorData) -> Option<&[Self]> {
                match data {
                    TensorData::$case(values) => Some(values),
                    _ => None,
                }
            }
        }
    )+};
}

element!(
    bool => Bool, u8 => Uint8, u16 => Uint16, u32 => Uint32, u64 => Uint64,
    i8 => Int8, i16 => Int16, i32 => Int32, i64 => Int64,
    half::f16 => Fp16, half::bf16 => Bf16, f32 => Fp32, f64 => Fp64, Vec<u8> => Bytes,
);

/// Runs `$body` with `$v` bound to the vector inside a [`TensorData`] and wraps
/// the resulting vector as the same datatype: for operators that move elements.
macro_rules! same_data {
    ($data:expr, $v:ident => $body:expr) => {
        domain::each_data!($data, $v => $crate::onnx::array::Element::wrap($body))
    };
}
pub(crate) use same_data;

impl Array {
    /// A value whose shape and data agree.
    pub(crate) fn new(shape: Shape, data: TensorData) -> Result<Self, Fault> {
        if shape.volume() == data.len() {
            Ok(Self {
                shape,
                data: Arc::new(data),
            })
        } else {
            Err(Fault::shape(format!(
                "shape {:?} does not hold {} elements",
                &*shape,
                data.len()
            )))
        }
    }

    /// A value from a vector.
    pub(crate) fn of<T: Element>(shape: Shape, values: Vec<T>) -> Result<Self, Fault> {
        Self::new(shape, T::wrap(values))
    }

    /// A value of rank 1.
    pub(crate) fn vector<T: Element>(values: Vec<T>) -> Result<Self, Fault> {
        Self::of(Shape::new(&[values.len()])?, values)
    }

    /// A value of rank 0.
    pub(crate) fn scalar<T: Element>(value: T) -> Self {
        Self {
            shape: Shape::SCALAR,
            data: Arc::new(T::wrap(vec![value])),
        }
    }

    /// Dimensions.
    pub(crate) const fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Number of dimensions.
    pub(crate) fn rank(&self) -> usize {
        self.shape.len()
    }

    /// Number of elements.
    pub(crate) fn len(&self) -> usize {
        self.data.len()
    }

    /// Elements, any type.
    pub(crate) fn data(&self) -> &TensorData {
        &self.data
    }

    /// Element type.
    pub(crate) fn datatype(&self) -> DataType {
        self.data.datatype()
    }

    /// The elements as a slice of one type.
    pub(crate) fn values<T: Element>(&self) -> Result<&[T], Fault> {
        T::view(&self.data).ok_or_else(|| {
            Fault::Unsupported(format!(
                "datatype {} where {} is needed",
                self.datatype(),
                T::DATA_TYPE
            ))
        })
    }

    /// The only element.
    pub(crate) fn only<T: Element>(&self) -> Result<T, Fault> {
        match self.values::<T>()? {
            [value] => Ok(value.clone()),
            other => Err(Fault::shape(format!(
                "{} elements where one is needed",
                other.len()
            ))),
        }
    }

    /// Same elements under another shape.
    pub(crate) fn reshaped(&self, shape: Shape) -> Result<Self, Fault> {
        if shape.volume() == self.len() {
            Ok(Self {
                shape,
                data: Arc::clone(&self.data),
            })
        } else {
            Err(Fault::shape(format!(
                "shape {:?} cannot become {:?}",
                &*self.shape, &*shape
            )))
        }
    }

    /// Elements as FP32; numeric types only. FP64 is rounded.
    pub(crate) fn to_f32(&self) -> Result<Vec<f32>, Fault> {
        match &*self.data {
            TensorData::Fp32(values) => Ok(values.clone()),
            other => other
                .to_f64()
                .map(|values| values.into_iter().map(|x| x as f32).collect())
                .ok_or_else(|| Fault::Unsupported("strings where numbers are needed".to_owned())),
        }
    }

    /// Elements as whole numbers: INT64, INT32 and narrower integers.
    pub(crate) fn to_i64(&self) -> Result<Vec<i64>, Fault> {
        Ok(match &*self.data {
            TensorData::Int64(values) => values.clone(),
            TensorData::Int32(values) => values.iter().map(|&x| x.into()).collect(),
            TensorData::Int16(values) => values.iter().map(|&x| x.into()).collect(),
            TensorData::Int8(values) => values.iter().map(|&x| x.into()).collect(),
            TensorData::Uint8(values) => values.iter().map(|&x| x.into()).collect(),
            TensorData::Uint16(values) => values.iter().map(|&x| x.into()).collect(),
            TensorData::Uint32(values) => values.iter().map(|&x| x.into()).collect(),
            _ => {
                return Err(Fault::Unsupported(format!(
                    "datatype {} where integers are needed",
                    self.datatype()
                )));
            }
        })
    }

    /// Gives the data away, copying only if it is shared.
    pub(crate) fn into_data(self) -> TensorData {
        Arc::unwrap_or_clone(self.data)
    }
}

/// The shape two or more shapes broadcast to (NumPy's rule, as ONNX uses it).
pub(crate) fn broadcast_shape(a: &[usize], b: &[usize]) -> Result<Shape, Fault> {
    if a == b {
        return Shape::new(a);
    }
    let rank = a.len().max(b.len());
    let mut dims = [1usize; MAX_RANK];
    if rank > MAX_RANK {
        return Err(Fault::Limit(format!("rank {rank} is above {MAX_RANK}")));
    }
    for (back, dim) in dims[..rank].iter_mut().rev().enumerate() {
        let of = |shape: &[usize]| shape.len().checked_sub(back + 1).map_or(1, |at| shape[at]);
        *dim = match (of(a), of(b)) {
            (x, y) if x == y => x,
            (1, y) => y,
            (x, 1) => x,
            _ => {
                return Err(Fault::shape(format!(
                    "shapes {a:?} and {b:?} do not broadcast"
                )));
            }
        };
    }
    Shape::new(&dims[..rank])
}

/// Strides of a value seen under the shape it is broadcast to: 0 where it repeats.
pub(crate) fn broadcast_strides(from: &Shape, to: &Shape) -> [usize; MAX_RANK] {
    let own = from.strides();
    let mut strides = [0; MAX_RANK];
    let lead = to.len() - from.len();
    for axis in 0..from.len() {
        if from[axis] != 1 {
            strides[lead + axis] = own[axis];
        }
    }
    strides
}
