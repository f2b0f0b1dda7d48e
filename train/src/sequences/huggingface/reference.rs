//! Reference outputs that travel with an export, in the format `genesis import --check` reads:
//! whoever loads the folder, in whatever program, can see whether it computes the same.
//!
//! The batch is a pure function of the configuration: two rows of random tokens without padding,
//! for which versions 4.57 and 5 of transformers scale ESM-2's embeddings differently.

use std::collections::BTreeMap;

use burn::backend::flex::FlexDevice;
use burn::tensor::Tensor;
use genesis_kernels::{Cpu, Precision};
use genesis_model::{Mode, Packed, TransformerConfig};
use genesis_schema::{IGNORE, Seeds, TokenBatch};
use safetensors::Dtype;

use crate::exchange::tensor::StoredTensor;
use crate::sequences::inference::generate::{GenerateOptions, Generator, Limits};
use crate::sequences::inference::{InferenceError, SequencesModel};

/// Name of the file in the folder.
pub const REFERENCE: &str = "reference.safetensors";

/// Most logits in the file: 4 MiB.
const LOGITS: usize = 1 << 20;
/// Rows of the batch, `B`.
const ROWS: usize = 2;
/// Most columns of the batch, `T`.
const COLUMNS: usize = 32;
/// Prompt and continuation of the greedy sample, tokens.
const PROMPT: usize = 4;
const GREEDY: usize = 20;

/// The fixed batch of a configuration, as a grid and packed.
#[derive(Debug, Clone)]
pub struct ReferenceBatch {
    columns: usize,
    ids: Vec<i64>,
    labels: Vec<i64>,
    mask: Vec<i64>,
    /// The same tokens, with the labels of [`genesis_schema`].
    pub packed: TokenBatch,
}

impl ReferenceBatch {
    /// The batch of `config`.
    pub fn new(config: &TransformerConfig) -> Self {
        let columns = (LOGITS / (ROWS * config.vocab_size)).clamp(4, COLUMNS).min(config.context);
        let mut batch = Self {
            columns,
            ids: Vec::new(),
            labels: Vec::new(),
            mask: Vec::new(),
            packed: TokenBatch::default(),
        };
        for row in 0..ROWS {
            batch.push_row(config, row);
        }
        batch
    }

    fn push_row(&mut self, config: &TransformerConfig, row: usize) {
        let length = self.columns;
        let stream = Seeds::new(0).stream("export reference");
        let draw = |column: usize, n: usize| {
            let value = stream.below(row as u64, column as u64, n as u64);
            u32::try_from(value).expect("a vocabulary has fewer than 2^32 tokens")
        };
        // Padding tokens inside a row mean different things to different programs. Folders of
        // causal models need not name one.
        let pad = config.pad_token.filter(|_| !config.causal());
        let next = |token: u32| (token + 1) % u32::try_from(config.vocab_size).expect("checked");
        let avoid = |token: u32| if Some(token) == pad { next(token) } else { token };
        let truth: Vec<u32> = (0..length).map(|c| avoid(draw(c, config.vocab_size))).collect();
        let mut seen = truth.clone();
        let mut labels: Vec<i64> = truth.iter().map(|&token| i64::from(token)).collect();
        if let (false, Some(mask)) = (config.causal(), config.mask_token) {
            for column in 0..length {
                if column % 5 == 2 { seen[column] = mask } else { labels[column] = IGNORE }
            }
        }
        self.ids.extend(seen.iter().map(|&token| i64::from(token)));
        self.labels.extend(&labels);
        self.mask.extend(vec![1; length]);
        if config.causal() {
            labels.rotate_left(1);
            labels[length - 1] = IGNORE;
        }
        self.packed.push_segment(&seen, &labels, 0, row as u64);
    }

    /// `[B, T, V]`.
    pub fn shape(&self, config: &TransformerConfig) -> [usize; 3] {
        [ROWS, self.columns, config.vocab_size]
    }

    /// The reference file of `model`, whose logits on the packed batch are `logits`.
    ///
    /// # Errors
    /// NaN logits while generating.
    pub fn file(
        &self,
        model: &SequencesModel,
        logits: &[f32],
    ) -> Result<BTreeMap<String, StoredTensor>, InferenceError> {
        let grid = [ROWS, self.columns];
        let mut tensors = BTreeMap::from([
            ("input_ids".to_owned(), integers(&self.ids, &grid)),
            ("labels".to_owned(), integers(&self.labels, &grid)),
            ("attention_mask".to_owned(), integers(&self.mask, &grid)),
            (
                "logits".to_owned(),
                StoredTensor::from_f32(logits, &self.shape(&model.config), Dtype::F32),
            ),
            ("loss".to_owned(), StoredTensor::from_f32(&[self.loss(model)], &[1], Dtype::F32)),
        ]);
        if let Some([prompt, tokens]) = self.greedy(model)? {
            tensors.insert("greedy.prompt".to_owned(), integers(&prompt, &[prompt.len()]));
            tensors.insert("greedy.tokens".to_owned(), integers(&tokens, &[tokens.len()]));
        }
        Ok(tensors)
    }

    /// Mean over labelled tokens, nats.
    fn loss(&self, model: &SequencesModel) -> f32 {
        let packed = Packed::upload(&self.packed, &FlexDevice);
        let sum: Tensor<Cpu, 1> =
            model.network().loss_sum(&packed, &Mode::inference(Precision::Full));
        let mean = sum.div_scalar(self.packed.num_labels().max(1) as f64);
        mean.into_data().convert::<f32>().into_vec().expect("converted to f32 just now")[0]
    }

    /// Prompt and greedy continuation, which does not stop at any token; causal models only.
    fn greedy(&self, model: &SequencesModel) -> Result<Option<[Vec<i64>; 2]>, InferenceError> {
        let context = model.config.context;
        if !model.config.causal() || context <= PROMPT {
            return Ok(None);
        }
        let prompt = &self.packed.tokens[..PROMPT];
        let options = GenerateOptions {
            temperature: 0.0,
            max_tokens: Some(GREEDY.min(context - PROMPT)),
            ..GenerateOptions::default()
        };
        let drawn = Generator::start(model, prompt, Limits::default(), &options)?.draw(0)?;
        let wide = |tokens: &[u32]| tokens.iter().map(|&token| i64::from(token)).collect();
        Ok(Some([wide(prompt), wide(&drawn.tokens)]))
    }
}

fn integers(values: &[i64], shape: &[usize]) -> StoredTensor {
    StoredTensor {
        dtype: Dtype::I64,
        shape: shape.to_vec(),
        bytes: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
    }
}
