//! A document's result does not depend on what it is packed with, nor on how it is fed.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::print_stdout,
    reason = "functions of a test, where a panic is the report"
)]

mod support;

use burn::tensor::Tensor;
use genesis_kernels::{Cpu, Precision};
use genesis_model::{KvCache, ModelError, Transformer};
use support::{FAMILIES, GPT2, LLAMA, batch, config, largest_difference, logits, params, to_vec};

const FIRST: &[u32] = &[4, 10, 5, 6, 7];
const SECOND: &[u32] = &[8, 9, 10, 3, 2, 0, 5];

#[test]
fn a_packed_document_has_the_logits_it_has_alone() {
    for (family, table) in FAMILIES {
        let config = config(table);
        let params = params(&config);
        let packed = logits(&config, &params, &batch(&config, &[FIRST, SECOND, FIRST]));
        let alone: Vec<f32> = [FIRST, SECOND, FIRST]
            .iter()
            .flat_map(|tokens| logits(&config, &params, &batch(&config, &[tokens])))
            .collect();
        // Rounding only: sums run over at most 32 products of size one.
        assert!(largest_difference(&packed, &alone) < 1e-5, "{family}");
    }
}

#[test]
fn changing_one_document_leaves_the_bits_of_another() {
    for (family, table) in FAMILIES {
        let config = config(table);
        let params = params(&config);
        let of_second = |first: &[u32]| {
            let all = logits(&config, &params, &batch(&config, &[first, SECOND]));
            all[first.len() * config.vocab_size..].to_vec()
        };
        assert_eq!(of_second(FIRST), of_second(&[1, 1, 10, 10, 9]), "{family}");
    }
}

#[test]
fn masks_in_one_document_rescale_that_document_only() {
    let config = config(support::ESM2);
    let params = params(&config);
    let run = |first: &[u32]| logits(&config, &params, &batch(&config, &[first, SECOND]));
    let (none, one) = (run(&[4, 5, 6, 7]), run(&[4, 5, 10, 7]));
    let first = 4 * config.vocab_size;
    assert!(largest_difference(&none[..config.vocab_size], &one[..config.vocab_size]) > 1e-4);
    assert_eq!(none[first..], one[first..]);
}

#[test]
fn a_later_token_never_changes_an_earlier_logit_of_a_causal_model() {
    for table in [GPT2, LLAMA] {
        let config = config(table);
        let params = params(&config);
        let run = |tokens: &[u32]| logits(&config, &params, &batch(&config, &[tokens]));
        let (a, b) = (run(&[4, 5, 6, 7]), run(&[4, 5, 6, 1]));
        assert_eq!(a[..3 * config.vocab_size], b[..3 * config.vocab_size]);
    }
}

#[test]
fn decoding_with_a_cache_equals_a_full_forward() {
    for table in [GPT2, LLAMA] {
        let config = config(table);
        let params = params(&config);
        let full = logits(&config, &params, &batch(&config, &[SECOND]));
        let model = Transformer::<Cpu>::bind(&config, &params);
        let mut cache = KvCache::new(&config);
        let mut fed = 0;
        for count in [3, 1, 2, 1] {
            let new = &SECOND[fed..fed + count];
            let got = to_vec(model.decode(new, &mut cache, Precision::Full).unwrap());
            fed += count;
            let want = &full[(fed - 1) * config.vocab_size..fed * config.vocab_size];
            assert!(largest_difference(&got, want) < 1e-5, "after {fed} tokens");
        }
        assert_eq!(cache.len(), SECOND.len());
    }
}

#[test]
fn decoding_refuses_what_it_cannot_do_and_keeps_its_cache() {
    let gpt2 = config(GPT2);
    let params = support::params(&gpt2);
    let model = Transformer::<Cpu>::bind(&gpt2, &params);
    let mut cache = KvCache::new(&gpt2);
    let mut decode = |tokens: &[u32]| -> Result<Tensor<Cpu, 1>, ModelError> {
        model.decode(tokens, &mut cache, Precision::Full)
    };
    assert!(decode(&[1; 12]).is_ok());
    let full = decode(&[1]).unwrap_err();
    assert_eq!(full, ModelError::Position { at: 0, position: 12, context: 12 });
    assert!(matches!(decode(&[11]), Err(ModelError::Token { token: 11, .. })));
    assert_eq!(decode(&[]).unwrap_err(), ModelError::EmptyPrompt);
    assert_eq!(cache.len(), 12);

    let esm2 = config(support::ESM2);
    let params = support::params(&esm2);
    let refused = Transformer::<Cpu>::bind(&esm2, &params).decode(
        &[4],
        &mut KvCache::new(&esm2),
        Precision::Full,
    );
    assert_eq!(refused.unwrap_err(), ModelError::NotCausal);
}

#[test]
fn batches_from_outside_are_checked_without_panic() {
    let config = config(GPT2);
    let good = batch(&config, &[FIRST]);
    assert_eq!(config.check_batch(&good), Ok(()));
    let mut bad = good.clone();
    bad.tokens[2] = 11;
    assert!(matches!(config.check_batch(&bad), Err(ModelError::Token { at: 2, .. })));
    let mut bad = good.clone();
    bad.labels[1] = -1;
    assert!(matches!(config.check_batch(&bad), Err(ModelError::Token { token: -1, .. })));
    let mut bad = good;
    bad.positions[4] = 12;
    assert!(matches!(config.check_batch(&bad), Err(ModelError::Position { at: 4, .. })));
}
