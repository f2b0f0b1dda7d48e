//! One tensor as a file stores it: type, shape, little-endian bytes. Conversion to and from f32.
//!
//! Not here: names and files (`weights`), what a tensor means (`huggingface`).

use std::borrow::Cow;
use std::path::Path;

use half::{bf16, f16};
use safetensors::Dtype;

use super::error::ExchangeError;

/// A tensor with the bytes it has on disk, so that what is not understood survives a round trip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredTensor {
    /// Element type.
    pub dtype: Dtype,
    /// Lengths of the axes, row-major.
    pub shape: Vec<usize>,
    /// Little-endian elements.
    pub bytes: Vec<u8>,
}

impl StoredTensor {
    /// `values` rounded to `dtype` (to nearest, ties to even).
    ///
    /// # Panics
    /// If `dtype` is not a float of 16, 32 or 64 bits, or the shape does not fit: a bug of the
    /// caller.
    pub fn from_f32(values: &[f32], shape: &[usize], dtype: Dtype) -> Self {
        assert_eq!(values.len(), shape.iter().product::<usize>(), "shape holds every value");
        let bytes = match dtype {
            Dtype::F32 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Dtype::F64 => values.iter().flat_map(|v| f64::from(*v).to_le_bytes()).collect(),
            Dtype::F16 => values.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect(),
            Dtype::BF16 => values.iter().flat_map(|v| bf16::from_f32(*v).to_le_bytes()).collect(),
            other => unreachable!("parameters are stored as floats, not {other}"),
        };
        Self { dtype, shape: shape.to_vec(), bytes }
    }

    /// The elements as f32. F16 and BF16 are exact; F64 is rounded to nearest.
    ///
    /// # Errors
    /// [`ExchangeError::Dtype`] for other types, [`ExchangeError::NotFinite`] naming the first
    /// element that is NaN or infinite.
    pub fn finite_f32(&self, file: &Path, tensor: &str) -> Result<Vec<f32>, ExchangeError> {
        let values = self.as_f32().ok_or_else(|| ExchangeError::Dtype {
            file: file.to_path_buf(),
            tensor: tensor.to_owned(),
            dtype: self.dtype.to_string(),
        })?;
        match values.iter().position(|value| !value.is_finite()) {
            None => Ok(values),
            Some(index) => Err(ExchangeError::NotFinite {
                file: file.to_path_buf(),
                tensor: tensor.to_owned(),
                index,
                value: values[index],
            }),
        }
    }

    /// The elements as f32, whatever they are; `None` if they are not floats.
    pub fn as_f32(&self) -> Option<Vec<f32>> {
        let bytes = self.bytes.as_slice();
        Some(match self.dtype {
            Dtype::F32 => each(bytes, f32::from_le_bytes),
            #[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is the contract")]
            Dtype::F64 => each(bytes, |b| f64::from_le_bytes(b) as f32),
            Dtype::F16 => each(bytes, |b| f16::from_le_bytes(b).to_f32()),
            Dtype::BF16 => each(bytes, |b| bf16::from_le_bytes(b).to_f32()),
            _ => return None,
        })
    }

    /// The elements as f64, exactly; `None` if they are not floats.
    pub fn as_f64(&self) -> Option<Vec<f64>> {
        match self.dtype {
            Dtype::F64 => Some(each(&self.bytes, f64::from_le_bytes)),
            _ => Some(self.as_f32()?.into_iter().map(f64::from).collect()),
        }
    }

    /// The elements as i64; `None` if they are not integers.
    pub fn as_i64(&self) -> Option<Vec<i64>> {
        let bytes = self.bytes.as_slice();
        Some(match self.dtype {
            Dtype::I64 => each(bytes, i64::from_le_bytes),
            Dtype::I32 => each(bytes, |b| i64::from(i32::from_le_bytes(b))),
            Dtype::I16 => each(bytes, |b| i64::from(i16::from_le_bytes(b))),
            Dtype::U32 => each(bytes, |b| i64::from(u32::from_le_bytes(b))),
            Dtype::U16 => each(bytes, |b| i64::from(u16::from_le_bytes(b))),
            Dtype::U8 | Dtype::BOOL => bytes.iter().map(|&b| i64::from(b)).collect(),
            _ => return None,
        })
    }

    /// Number of elements.
    pub fn num_elements(&self) -> usize {
        self.shape.iter().product()
    }
}

impl safetensors::View for &StoredTensor {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

fn each<const WIDTH: usize, T>(bytes: &[u8], decode: impl Fn([u8; WIDTH]) -> T) -> Vec<T> {
    let (elements, rest) = bytes.as_chunks::<WIDTH>();
    debug_assert!(rest.is_empty(), "the reader checked that shape and bytes agree");
    elements.iter().map(|element| decode(*element)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_bit_floats_survive_a_round_trip_through_f32_bitwise() {
        for dtype in [Dtype::F16, Dtype::BF16] {
            // Every finite bit pattern of the type.
            let bytes: Vec<u8> = (0..=u16::MAX)
                .filter(|bits| {
                    if dtype == Dtype::F16 {
                        f16::from_bits(*bits).is_finite()
                    } else {
                        bf16::from_bits(*bits).is_finite()
                    }
                })
                .flat_map(u16::to_le_bytes)
                .collect();
            let tensor = StoredTensor { dtype, shape: vec![bytes.len() / 2], bytes };
            let values = tensor.finite_f32(Path::new("x"), "t").unwrap();
            assert_eq!(StoredTensor::from_f32(&values, &tensor.shape, dtype), tensor);
        }
    }

    #[test]
    fn a_nan_weight_is_named_with_its_place() {
        let tensor = StoredTensor::from_f32(&[0.0, f32::NAN], &[2], Dtype::F32);
        let error = tensor.finite_f32(Path::new("model.safetensors"), "w").unwrap_err().to_string();
        assert!(error.contains("`w`: element 1 is NaN"), "{error}");
    }

    #[test]
    fn integers_are_not_accepted_as_parameters() {
        let tensor = StoredTensor { dtype: Dtype::I8, shape: vec![1], bytes: vec![3] };
        let error = tensor.finite_f32(Path::new("model.safetensors"), "w").unwrap_err().to_string();
        assert!(error.contains("stored as I8"), "{error}");
    }
}
