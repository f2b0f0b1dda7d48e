//! Weight files of a folder: one `model.safetensors`, or shards listed by
//! `model.safetensors.index.json`. Reads all tensors and remembers which file each came from.
//!
//! Pickled weights (`pytorch_model.bin`) are refused: reading them would execute code.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use serde_json::Value;

use super::error::ExchangeError;
use super::tensor::StoredTensor;

/// Name of the single weight file.
pub const WEIGHTS: &str = "model.safetensors";
/// Name of the list of shards.
pub const WEIGHTS_INDEX: &str = "model.safetensors.index.json";

/// All tensors of a folder by their name in the file.
#[derive(Debug, Clone)]
pub struct WeightFiles {
    /// Tensor and the file it came from.
    pub tensors: BTreeMap<String, (PathBuf, StoredTensor)>,
    /// What a missing tensor is missing from: the single file, or the index.
    pub listed_by: PathBuf,
}

impl WeightFiles {
    /// Reads `folder`.
    ///
    /// # Errors
    /// A file that is missing, truncated or not safetensors; an index that names a tensor its
    /// shard lacks, or a shard that holds a tensor the index does not name.
    pub fn read(folder: &Path) -> Result<Self, ExchangeError> {
        let (single, index) = (folder.join(WEIGHTS), folder.join(WEIGHTS_INDEX));
        if single.is_file() {
            return Ok(Self { tensors: read_located(&single)?, listed_by: single });
        }
        if index.is_file() {
            return read_sharded(folder, &index);
        }
        let pickled = folder.join("pytorch_model.bin").is_file()
            || folder.join("pytorch_model.bin.index.json").is_file();
        let because = if pickled {
            "it has pytorch_model.bin only, which is a program rather than data; save it with \
             `save_pretrained(…, safe_serialization=True)`"
        } else {
            "neither model.safetensors nor model.safetensors.index.json is there"
        };
        Err(ExchangeError::NotAModel { path: folder.to_path_buf(), because: because.to_owned() })
    }
}

/// All tensors of one safetensors file.
///
/// # Errors
/// Naming the file: not readable, or header and data do not agree.
pub fn read_safetensors(path: &Path) -> Result<BTreeMap<String, StoredTensor>, ExchangeError> {
    let bytes = std::fs::read(path).map_err(ExchangeError::io(path, "read"))?;
    parse_safetensors(&bytes, path)
}

/// All tensors of the safetensors file whose content is `bytes`; `path` is for messages.
///
/// # Errors
/// As [`read_safetensors`].
pub fn parse_safetensors(
    bytes: &[u8],
    path: &Path,
) -> Result<BTreeMap<String, StoredTensor>, ExchangeError> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| {
        ExchangeError::malformed(
            path,
            format!("not a complete safetensors file of {} bytes: {error}", bytes.len()),
            "copy the file again and compare its size and SHA-256 with the source",
        )
    })?;
    let stored = |view: safetensors::tensor::TensorView<'_>| StoredTensor {
        dtype: view.dtype(),
        shape: view.shape().to_vec(),
        bytes: view.data().to_vec(),
    };
    Ok(file.tensors().into_iter().map(|(name, view)| (name, stored(view))).collect())
}

/// The bytes of a safetensors file with `metadata.format = "pt"`, as transformers expects.
/// Tensors are laid out by descending element size, then by name: same tensors, same bytes.
pub fn serialise_safetensors<'a>(
    tensors: impl IntoIterator<Item = (&'a str, &'a StoredTensor)>,
) -> Vec<u8> {
    let metadata = [("format".to_owned(), "pt".to_owned())].into();
    safetensors::serialize(tensors, Some(metadata)).expect("shapes and bytes agree")
}

fn read_located(file: &Path) -> Result<BTreeMap<String, (PathBuf, StoredTensor)>, ExchangeError> {
    let tensors = read_safetensors(file)?;
    Ok(tensors.into_iter().map(|(name, tensor)| (name, (file.to_path_buf(), tensor))).collect())
}

fn read_sharded(folder: &Path, index: &Path) -> Result<WeightFiles, ExchangeError> {
    let listed = read_index(index)?;
    let shards: BTreeSet<&String> = listed.values().collect();
    let mut tensors = BTreeMap::new();
    for shard in shards {
        let file = folder.join(shard);
        for (name, located) in read_located(&file)? {
            if listed.get(&name) != Some(shard) {
                return Err(ExchangeError::malformed(
                    &file,
                    format!("holds tensor `{name}`, which {WEIGHTS_INDEX} does not place there"),
                    "the shards and the index come from different saves; copy all of them again",
                ));
            }
            tensors.insert(name, located);
        }
    }
    if let Some((name, shard)) = listed.iter().find(|(name, _)| !tensors.contains_key(*name)) {
        return Err(ExchangeError::malformed(
            &folder.join(shard),
            format!("lacks tensor `{name}`, which {WEIGHTS_INDEX} places there"),
            "the shards and the index come from different saves; copy all of them again",
        ));
    }
    Ok(WeightFiles { tensors, listed_by: index.to_path_buf() })
}

/// Tensor name to shard file name.
fn read_index(path: &Path) -> Result<BTreeMap<String, String>, ExchangeError> {
    let value = read_json(path)?;
    let malformed = |problem: String| {
        ExchangeError::malformed(path, problem, "`weight_map` maps tensor names to file names")
    };
    let map = value
        .get("weight_map")
        .and_then(Value::as_object)
        .ok_or_else(|| malformed("has no object `weight_map`".to_owned()))?;
    map.iter()
        .map(|(name, shard)| match shard.as_str() {
            Some(shard) if is_plain_file_name(shard) => Ok((name.clone(), shard.to_owned())),
            _ => Err(malformed(format!("`weight_map.{name}` is {shard}, not a plain file name"))),
        })
        .collect()
}

/// A downloaded index must not make us read outside its folder.
fn is_plain_file_name(name: &str) -> bool {
    Path::new(name).file_name().is_some_and(|last| last == name)
}

/// A JSON file as a value.
///
/// # Errors
/// Naming the file, line and column.
pub fn read_json(path: &Path) -> Result<Value, ExchangeError> {
    let text = std::fs::read(path).map_err(ExchangeError::io(path, "read"))?;
    serde_json::from_slice(&text).map_err(|error| {
        ExchangeError::malformed(
            path,
            format!("not JSON: {error}"),
            "NaN, Infinity and comments are not JSON; write a number or remove the key",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::Dtype;

    fn tensor(values: &[f32]) -> StoredTensor {
        StoredTensor::from_f32(values, &[values.len()], Dtype::F32)
    }

    fn write_shard(folder: &Path, name: &str, tensors: &[(&str, &StoredTensor)]) {
        std::fs::write(folder.join(name), serialise_safetensors(tensors.iter().copied())).unwrap();
    }

    #[test]
    fn shards_are_read_as_one_set_of_tensors() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (tensor(&[1.0]), tensor(&[2.0, 3.0]));
        write_shard(folder.path(), "model-00001-of-00002.safetensors", &[("a", &a)]);
        write_shard(folder.path(), "model-00002-of-00002.safetensors", &[("b", &b)]);
        let index = r#"{"weight_map": {"a": "model-00001-of-00002.safetensors",
                                       "b": "model-00002-of-00002.safetensors"}}"#;
        std::fs::write(folder.path().join(WEIGHTS_INDEX), index).unwrap();
        let files = WeightFiles::read(folder.path()).unwrap();
        assert_eq!(files.tensors["a"].1, a);
        assert_eq!(files.tensors["b"].1, b);
    }

    #[test]
    fn an_index_that_disagrees_with_its_shard_is_rejected_with_the_tensor_name() {
        let folder = tempfile::tempdir().unwrap();
        write_shard(folder.path(), "x.safetensors", &[("a", &tensor(&[1.0]))]);
        for (index, expected) in [
            (r#"{"weight_map": {"a": "x.safetensors", "b": "x.safetensors"}}"#, "lacks tensor `b`"),
            (r#"{"weight_map": {"b": "x.safetensors"}}"#, "holds tensor `a`"),
            (r#"{"weight_map": {"a": "../x.safetensors"}}"#, "not a plain file name"),
            (r#"{"weights": {}}"#, "no object `weight_map`"),
            (r#"{"weight_map": {"a": NaN}}"#, "not JSON"),
        ] {
            std::fs::write(folder.path().join(WEIGHTS_INDEX), index).unwrap();
            let error = WeightFiles::read(folder.path()).unwrap_err().to_string();
            assert!(error.contains(expected), "{index}: {error}");
        }
    }

    #[test]
    fn pickled_weights_are_refused_with_the_way_out() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("pytorch_model.bin"), b"PK").unwrap();
        let error = WeightFiles::read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("safe_serialization=True"), "{error}");
    }

    #[test]
    fn a_truncated_file_is_rejected_with_its_name_and_size() {
        let folder = tempfile::tempdir().unwrap();
        let bytes = serialise_safetensors([("a", &tensor(&[1.0, 2.0]))]);
        for keep in [0, 7, 20, bytes.len() - 1] {
            std::fs::write(folder.path().join(WEIGHTS), &bytes[..keep]).unwrap();
            let error = WeightFiles::read(folder.path()).unwrap_err().to_string();
            assert!(error.contains("model.safetensors"), "{error}");
            assert!(error.contains(&format!("{keep} bytes")), "{error}");
        }
    }
}
