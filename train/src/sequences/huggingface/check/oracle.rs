//! A file of reference outputs, and the packed batch that asks the model the same question.
//!
//! Safetensors with `input_ids`, `labels`, `attention_mask` (`[B, T]` integers; no mask means all
//! ones, label -100 is ignored), and any of `logits` `[B, T, V]`, `loss` `[1]`,
//! `grad.<parameter>` and `curve` `[K]`. Letters: `B` rows, `T` columns, `V` vocabulary.
//!
//! Rows are laid end to end without their padding. A token keeps its column as position, which is
//! what transformers uses whatever the padding. Causal labels are those of the next column.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use genesis_schema::{IGNORE, TokenBatch};

use crate::exchange::error::ExchangeError;
use crate::exchange::tensor::StoredTensor;
use crate::exchange::weights::read_safetensors;

/// Prefix of gradients.
const GRADIENT: &str = "grad.";

/// Reference outputs for one padded batch.
#[derive(Debug, Clone)]
pub struct Oracle {
    path: PathBuf,
    num_rows: usize,
    num_columns: usize,
    input_ids: Vec<i64>,
    labels: Option<Vec<i64>>,
    attended: Vec<bool>,
    /// `[B, T, V]`.
    pub logits: Option<StoredTensor>,
    /// Mean over labelled tokens, nats.
    pub loss: Option<f64>,
    /// Gradient of the loss by parameter, named as in the file.
    pub gradients: BTreeMap<String, StoredTensor>,
    /// Loss before each step.
    pub curve: Option<Vec<f64>>,
}

/// The oracle's question in the model's form.
#[derive(Debug, Clone)]
pub struct Question {
    /// Attended tokens only.
    pub batch: TokenBatch,
    /// Place `row * T + column` of each packed token.
    pub places: Vec<usize>,
    /// Labels whose prediction is made at a padded column, where this model computes nothing.
    pub labels_at_padding: usize,
}

impl Oracle {
    /// Reads a file in the format of this module.
    ///
    /// # Errors
    /// [`ExchangeError`] naming the tensor that is missing or has another shape than the rest.
    pub fn read(path: &Path) -> Result<Self, ExchangeError> {
        let mut tensors = read_safetensors(path)?;
        let missing = |name: &str| {
            ExchangeError::malformed(
                path,
                format!("has no tensor `{name}`"),
                "an oracle holds input_ids, labels, attention_mask, logits, loss, grad.* and curve",
            )
        };
        let ids = tensors.remove("input_ids").ok_or_else(|| missing("input_ids"))?;
        let &[num_rows, num_columns] = ids.shape.as_slice() else {
            return Err(shape_problem(path, "input_ids", &ids.shape, "[B, T]"));
        };
        let grid = [num_rows, num_columns];
        let input_ids = integers(path, "input_ids", &ids, grid)?;
        let attended = match tensors.remove("attention_mask") {
            Some(mask) => {
                integers(path, "attention_mask", &mask, grid)?.iter().map(|&m| m != 0).collect()
            }
            None => vec![true; input_ids.len()],
        };
        let labels = tensors.remove("labels");
        let labels = labels.map(|labels| integers(path, "labels", &labels, grid)).transpose()?;
        let logits = tensors.remove("logits");
        if let Some(logits) = &logits
            && (logits.shape.len() != 3 || logits.shape[..2] != grid)
        {
            let want = format!("[{num_rows}, {num_columns}, V]");
            return Err(shape_problem(path, "logits", &logits.shape, &want));
        }
        let mut numbers = |name: &str| tensors.remove(name).map(|t| floats(path, name, &t));
        let loss = numbers("loss").transpose()?;
        let curve = numbers("curve").transpose()?.filter(|curve| !curve.is_empty());
        let loss = match loss.as_deref() {
            None => None,
            Some(&[loss]) => Some(loss),
            Some(more) => return Err(shape_problem(path, "loss", &[more.len()], "[1]")),
        };
        let gradients = tensors
            .into_iter()
            .filter_map(|(name, tensor)| Some((name.strip_prefix(GRADIENT)?.to_owned(), tensor)))
            .collect();
        let path = path.to_path_buf();
        Ok(Self {
            path,
            num_rows,
            num_columns,
            input_ids,
            labels,
            attended,
            logits,
            loss,
            gradients,
            curve,
        })
    }

    /// File it was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Rows times columns.
    pub fn num_places(&self) -> usize {
        self.num_rows * self.num_columns
    }

    /// The packed batch. `causal` models predict the label of the next column.
    ///
    /// # Errors
    /// A token that is no id; no attended token at all.
    pub fn question(&self, causal: bool) -> Result<Question, ExchangeError> {
        let mut question =
            Question { batch: TokenBatch::default(), places: Vec::new(), labels_at_padding: 0 };
        for row in 0..self.num_rows {
            self.push_row(row, causal, &mut question)?;
        }
        if question.places.is_empty() {
            return Err(ExchangeError::unsuitable(
                &self.path,
                "no position is attended to, so there is nothing to compare",
            ));
        }
        Ok(question)
    }

    fn push_row(
        &self,
        row: usize,
        causal: bool,
        question: &mut Question,
    ) -> Result<(), ExchangeError> {
        let (mut tokens, mut labels, mut positions) = (Vec::new(), Vec::new(), Vec::new());
        for column in 0..self.num_columns {
            let place = row * self.num_columns + column;
            let label = self.label(row, column, causal);
            if !self.attended[place] {
                question.labels_at_padding += usize::from(label != IGNORE);
                continue;
            }
            let id = self.input_ids[place];
            tokens.push(u32::try_from(id).map_err(|_| {
                let problem = format!("input_ids[{row}, {column}] is {id}, which is no token id");
                ExchangeError::unsuitable(&self.path, problem)
            })?);
            labels.push(label);
            positions.push(u32::try_from(column).expect("a row is shorter than 2^32 tokens"));
            question.places.push(place);
        }
        if !tokens.is_empty() {
            let from = question.batch.positions.len();
            question.batch.push_segment(&tokens, &labels, 0, row as u64);
            question.batch.positions[from..].copy_from_slice(&positions);
        }
        Ok(())
    }

    fn label(&self, row: usize, column: usize, causal: bool) -> i64 {
        let column = column + usize::from(causal);
        match &self.labels {
            Some(labels) if column < self.num_columns => labels[row * self.num_columns + column],
            _ => IGNORE,
        }
    }
}

fn integers(
    path: &Path,
    name: &str,
    tensor: &StoredTensor,
    want: [usize; 2],
) -> Result<Vec<i64>, ExchangeError> {
    if tensor.shape != want {
        return Err(shape_problem(path, name, &tensor.shape, &format!("{want:?}")));
    }
    tensor.as_i64().ok_or_else(|| dtype_problem(path, name, tensor, "an integer type"))
}

fn floats(path: &Path, name: &str, tensor: &StoredTensor) -> Result<Vec<f64>, ExchangeError> {
    tensor.as_f64().ok_or_else(|| dtype_problem(path, name, tensor, "a floating-point type"))
}

fn shape_problem(path: &Path, name: &str, got: &[usize], want: &str) -> ExchangeError {
    let problem = format!("tensor `{name}` is {got:?} but must be {want}");
    ExchangeError::malformed(path, problem, "all tensors of an oracle describe one batch")
}

fn dtype_problem(path: &Path, name: &str, tensor: &StoredTensor, want: &str) -> ExchangeError {
    let problem = format!("tensor `{name}` is {} but must have {want}", tensor.dtype);
    ExchangeError::malformed(path, problem, "the format is that of the reference script")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::weights::serialise_safetensors;
    use safetensors::Dtype;

    fn i64s(values: &[i64], shape: &[usize]) -> StoredTensor {
        StoredTensor {
            dtype: Dtype::I64,
            shape: shape.to_vec(),
            bytes: values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        }
    }

    fn oracle(tensors: &[(&str, StoredTensor)]) -> Result<Oracle, ExchangeError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("oracle.safetensors");
        let bytes = serialise_safetensors(tensors.iter().map(|(name, t)| (*name, t)));
        std::fs::write(&path, bytes).unwrap();
        Oracle::read(&path)
    }

    #[test]
    fn padding_is_left_out_and_positions_stay_columns() {
        let oracle = oracle(&[
            ("input_ids", i64s(&[9, 5, 6, 7, 8, 9], &[2, 3])),
            ("labels", i64s(&[-100, 5, 6, 7, 8, -100], &[2, 3])),
            ("attention_mask", i64s(&[0, 1, 1, 1, 1, 0], &[2, 3])),
        ])
        .unwrap();
        let question = oracle.question(true).unwrap();
        assert_eq!(question.batch.tokens, [5, 6, 7, 8]);
        assert_eq!(question.batch.positions, [1, 2, 0, 1]);
        assert_eq!(question.batch.cu_seqlens, [0, 2, 4]);
        assert_eq!(question.batch.labels, [6, IGNORE, 8, IGNORE]);
        assert_eq!(question.places, [1, 2, 3, 4]);
        // Label 5 is predicted at the padded column 0.
        assert_eq!(question.labels_at_padding, 1);
        assert_eq!(oracle.question(false).unwrap().batch.labels, [5, 6, 7, 8]);
    }

    #[test]
    fn everything_but_the_ids_is_optional() {
        let oracle = oracle(&[("input_ids", i64s(&[1, 2], &[1, 2]))]).unwrap();
        assert!(oracle.logits.is_none() && oracle.loss.is_none() && oracle.curve.is_none());
        assert_eq!(oracle.question(true).unwrap().batch.labels, [IGNORE, IGNORE]);
    }

    #[test]
    fn disagreeing_shapes_are_named_with_both() {
        let error =
            oracle(&[("input_ids", i64s(&[1, 2], &[1, 2])), ("labels", i64s(&[1, 2, 3], &[1, 3]))]);
        let error = error.unwrap_err().to_string();
        assert!(error.contains("`labels` is [1, 3] but must be [1, 2]"), "{error}");
    }
}
