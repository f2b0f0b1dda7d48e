//! Named host tensors and their safetensors bytes; format: <https://github.com/huggingface/safetensors>.
//!
//! Tensors are `f32`, little endian, sorted by name in the file, so equal tensors give equal bytes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::{Dtype, View};
use safetensors::{SafeTensorError, SafeTensors};

use super::error::CheckpointError;
use super::stretch::Stretch;

/// One tensor in the memory of the host.
#[derive(Debug, Clone, PartialEq)]
pub struct HostTensor {
    /// Name, unique in its file.
    pub name: String,
    /// Shape; empty for a scalar.
    pub shape: Vec<usize>,
    /// Row-major values; as many as the product of `shape`.
    pub values: Values,
}

/// Row-major values in the precision they are trained in.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// 32 bits each.
    F32(Vec<f32>),
    /// 64 bits each.
    F64(Vec<f64>),
}

impl From<Vec<f32>> for Values {
    fn from(values: Vec<f32>) -> Self {
        Self::F32(values)
    }
}

impl From<Vec<f64>> for Values {
    fn from(values: Vec<f64>) -> Self {
        Self::F64(values)
    }
}

impl Values {
    /// Zeros of the type that [`Self::dtype`] calls `dtype`; of f32 unless that is `F64`.
    pub(super) fn zeros(dtype: &str, length: usize) -> Self {
        if dtype == "F64" { Self::F64(vec![0.0; length]) } else { Self::F32(vec![0.0; length]) }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::F64(values) => values.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Memory they take.
    pub fn num_bytes(&self) -> usize {
        match self {
            Self::F32(values) => size_of_val(values.as_slice()),
            Self::F64(values) => size_of_val(values.as_slice()),
        }
    }

    /// Name of the element type in safetensors files and manifests.
    pub fn dtype(&self) -> &'static str {
        match self {
            Self::F32(_) => "F32",
            Self::F64(_) => "F64",
        }
    }

    /// As f32; those of 64 bits are rounded to the nearest.
    #[expect(clippy::cast_possible_truncation, reason = "rounding is what the caller asks for")]
    pub fn into_f32(self) -> Vec<f32> {
        match self {
            Self::F32(values) => values,
            Self::F64(values) => values.into_iter().map(|value| value as f32).collect(),
        }
    }

    /// As f64; exact.
    pub fn into_f64(self) -> Vec<f64> {
        match self {
            Self::F32(values) => values.into_iter().map(f64::from).collect(),
            Self::F64(values) => values,
        }
    }
}

/// A tensor of a file that is written: in the memory of the host, or brought there when its turn comes.
pub trait Stored {
    /// Name, unique in its file.
    fn name(&self) -> &str;
    /// Shape in the file.
    fn shape(&self) -> Vec<usize>;
    /// Name of the element type, as [`Values::dtype`].
    fn dtype(&self) -> &'static str;
    /// What of which tensor it is.
    fn stretch(&self) -> Stretch;
    /// Its values.
    fn values(&self) -> Cow<'_, Values>;

    /// Bytes of its values.
    fn num_bytes(&self) -> usize {
        let width = if self.dtype() == "F64" { 8 } else { 4 };
        width * self.shape().iter().product::<usize>()
    }
}

impl Stored for HostTensor {
    fn name(&self) -> &str {
        &self.name
    }
    fn shape(&self) -> Vec<usize> {
        self.shape.clone()
    }
    fn dtype(&self) -> &'static str {
        self.values.dtype()
    }
    fn stretch(&self) -> Stretch {
        Stretch::whole(self.name.clone(), self.shape.clone())
    }
    fn values(&self) -> Cow<'_, Values> {
        Cow::Borrowed(&self.values)
    }
    fn num_bytes(&self) -> usize {
        self.values.num_bytes()
    }
}

/// A tensor as the header of its file describes it.
struct Described(Dtype, Vec<usize>, usize);

impl View for &Described {
    fn dtype(&self) -> Dtype {
        self.0
    }
    fn shape(&self) -> &[usize] {
        &self.1
    }
    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&[])
    }
    fn data_len(&self) -> usize {
        self.2
    }
}

/// The bytes of a safetensors file, a tensor at a time; values are asked for when their turn comes.
///
/// # Errors
/// When a name comes twice or a shape does not fit its values; a bug of the caller.
pub fn encode<T: Stored>(
    tensors: &[T],
) -> Result<impl Iterator<Item = Vec<u8>> + '_, SafeTensorError> {
    let describe = |it: &T| {
        let dtype = if it.dtype() == "F64" { Dtype::F64 } else { Dtype::F32 };
        Described(dtype, it.shape(), it.num_bytes())
    };
    let described: Vec<(&str, Described)> =
        tensors.iter().map(|it| (it.name(), describe(it))).collect();
    // Without any data the library's file is the header alone.
    let header = safetensors::serialize(described.iter().map(|(name, it)| (name, it)), None)?;
    let mut order: Vec<&T> = tensors.iter().collect();
    // As the library orders them: wide elements first, so that all are aligned, then by name.
    order.sort_by(|a, b| b.dtype().cmp(a.dtype()).then_with(|| a.name().cmp(b.name())));
    let data = order.into_iter().map(|it| little_endian(&it.values()));
    Ok(std::iter::once(header).chain(data))
}

fn little_endian(values: &Values) -> Vec<u8> {
    match values {
        Values::F32(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        Values::F64(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
    }
}

/// Reads a safetensors file of `F32` and `F64` tensors, in order of their names. Never panics.
pub fn decode(path: &Path, bytes: &[u8]) -> Result<Vec<HostTensor>, CheckpointError> {
    let file = SafeTensors::deserialize(bytes)
        .map_err(|e| CheckpointError::malformed(path, format!("not a safetensors file: {e}")))?;
    let views: BTreeMap<String, _> = file.tensors().into_iter().collect();
    views
        .into_iter()
        .map(|(name, view)| {
            let values = match view.dtype() {
                Dtype::F32 => {
                    let (words, _) = view.data().as_chunks::<4>();
                    Values::F32(words.iter().map(|&word| f32::from_le_bytes(word)).collect())
                }
                Dtype::F64 => {
                    let (words, _) = view.data().as_chunks::<8>();
                    Values::F64(words.iter().map(|&word| f64::from_le_bytes(word)).collect())
                }
                other => {
                    let reason =
                        format!("tensor {name:?} is {other:?}; checkpoints hold F32 or F64");
                    return Err(CheckpointError::malformed(path, reason));
                }
            };
            Ok(HostTensor { name, shape: view.shape().to_vec(), values })
        })
        .collect()
}

/// Brings `tensors` into the order of `wanted` (name and shape), each present exactly once.
///
/// # Errors
/// [`CheckpointError::Mismatch`] naming the first tensor that is missing, extra or misshapen.
pub fn arrange(
    path: &Path,
    tensors: Vec<HostTensor>,
    wanted: &[(String, Vec<usize>)],
) -> Result<Vec<HostTensor>, CheckpointError> {
    let mismatch = |reason| CheckpointError::Mismatch { path: path.to_path_buf(), reason };
    let mut by_name: BTreeMap<String, HostTensor> =
        tensors.into_iter().map(|tensor| (tensor.name.clone(), tensor)).collect();
    let mut arranged = Vec::with_capacity(wanted.len());
    for (name, shape) in wanted {
        let tensor = by_name.remove(name).ok_or_else(|| {
            mismatch(format!("tensor {name:?} of shape {shape:?} is missing; was [model] changed?"))
        })?;
        if tensor.shape != *shape {
            let reason = format!(
                "tensor {name:?} is {:?} but the model needs {shape:?}; set [model] as it was",
                tensor.shape
            );
            return Err(mismatch(reason));
        }
        arranged.push(tensor);
    }
    match by_name.keys().next() {
        Some(extra) => Err(mismatch(format!(
            "tensor {extra:?} has no place in the model; was [model] changed?"
        ))),
        None => Ok(arranged),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Vec<HostTensor> {
        vec![
            HostTensor {
                name: "b".into(),
                shape: vec![2, 2],
                values: vec![1.0f32, -2.5, 0.0, 4.0].into(),
            },
            HostTensor { name: "a".into(), shape: vec![1], values: vec![f64::MIN_POSITIVE].into() },
        ]
    }

    fn encoded(tensors: &[HostTensor]) -> Vec<u8> {
        encode(tensors).unwrap().flatten().collect()
    }

    #[test]
    fn a_file_is_what_the_library_of_the_format_writes() {
        let whole = |it: &HostTensor| {
            let dtype = if it.dtype() == "F64" { Dtype::F64 } else { Dtype::F32 };
            let bytes = little_endian(&it.values);
            safetensors::tensor::TensorView::new(dtype, it.shape.clone(), &bytes.leak()[..])
                .unwrap()
        };
        let mut tensors = example();
        tensors.push(HostTensor {
            name: "aa".into(),
            shape: vec![0],
            values: Vec::<f32>::new().into(),
        });
        tensors.push(HostTensor { name: "c".into(), shape: vec![], values: vec![0.5f64].into() });
        let views = tensors.iter().map(|it| (it.name.as_str(), whole(it)));
        assert_eq!(encoded(&tensors), safetensors::serialize(views, None).unwrap());
        assert_eq!(
            encoded(&[]),
            safetensors::serialize(Vec::<(&str, &Described)>::new(), None).unwrap()
        );
    }

    #[test]
    fn encoding_is_independent_of_order_and_decodes_to_the_same_bits() {
        let mut tensors = example();
        let bytes = encoded(&tensors);
        tensors.reverse();
        assert_eq!(bytes, encoded(&tensors));
        assert_eq!(decode(Path::new("x"), &bytes).unwrap(), tensors);
    }

    #[test]
    fn every_truncation_and_byte_flip_decodes_or_errors_without_panic() {
        let bytes = encoded(&example());
        for cut in 0..bytes.len() {
            assert!(decode(Path::new("x"), &bytes[..cut]).is_err(), "cut at {cut}");
        }
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                let _ = decode(Path::new("x"), &flipped);
            }
        }
    }

    #[test]
    fn arranging_names_the_tensor_that_does_not_fit() {
        let path = Path::new("model.safetensors");
        let want = |name: &str, shape: &[usize]| (name.to_owned(), shape.to_vec());
        let fails = |wanted: &[(String, Vec<usize>)]| {
            arrange(path, example(), wanted).unwrap_err().to_string()
        };
        assert!(
            fails(&[want("a", &[1]), want("c", &[3])]).contains("\"c\" of shape [3] is missing")
        );
        assert!(fails(&[want("a", &[2])]).contains("is [1] but the model needs [2]"));
        assert!(fails(&[want("a", &[1])]).contains("\"b\" has no place"));
    }
}
