//! Loaders: one global sequence for any number of ranks, resumable anywhere, exact labels.

#![expect(clippy::unwrap_used, reason = "a set-up that fails is a test that fails")]

mod fixture;

use std::path::Path;
use std::sync::Arc;

use fixture::{SPECIAL, proteins, tiny_limits, write};
use genesis_data::dataset::{Loader, Split};
use genesis_data::sequences::SequencesDataset;
use genesis_data::sequences::{Objective, SequencesLoader, SequencesLoaderPlan};
use genesis_schema::{IGNORE, TokenBatch};

const CAUSAL: Objective = Objective::Causal { context: 16 };
const MASKED: Objective = Objective::Masked { context: 24, rate: 0.15 };

fn plan(objective: Objective, sequences: usize) -> SequencesLoaderPlan {
    SequencesLoaderPlan {
        objective,
        sequences_per_step: sequences,
        accumulation: 1,
        apart: false,
        rank: 0,
        world: 1,
        seed: 3,
    }
}

fn open(root: &Path) -> Arc<SequencesDataset> {
    Arc::new(SequencesDataset::open(root).unwrap())
}

fn protein_dataset(root: &Path) -> Arc<SequencesDataset> {
    let mut documents = proteins(Split::Train, 101, 3, 60);
    documents.extend(proteins(Split::Validation, 17, 3, 60));
    write(root, &documents, 33, tiny_limits());
    open(root)
}

/// Documents of which every token is different: the token is its place in the split.
fn counting_dataset(root: &Path, lengths: &[u32]) -> Arc<SequencesDataset> {
    let mut next = 0;
    let mut documents = Vec::new();
    for split in [Split::Train, Split::Validation] {
        for &length in lengths {
            documents.push((split, (next..next + length).collect::<Vec<u32>>()));
            next += length;
        }
        next = 0;
    }
    write(root, &documents, 60_000, tiny_limits());
    open(root)
}

/// Joins batches as one rank would have received them.
fn join(batches: Vec<TokenBatch>) -> TokenBatch {
    let mut whole = TokenBatch::default();
    for batch in batches {
        for s in 0..batch.num_segments() {
            let range = batch.cu_seqlens[s] as usize..batch.cu_seqlens[s + 1] as usize;
            let first = batch.positions[range.start];
            let (tokens, labels) = (&batch.tokens[range.clone()], &batch.labels[range]);
            whole.push_segment(tokens, labels, first, batch.document_ids[s]);
        }
    }
    whole
}

#[test]
fn any_number_of_ranks_and_slices_sees_the_same_global_sequence() {
    let root = tempfile::tempdir().unwrap();
    let dataset = protein_dataset(root.path());
    for objective in [CAUSAL, MASKED] {
        let whole = SequencesLoader::new(Arc::clone(&dataset), plan(objective, 24)).unwrap();
        for (world, accumulation) in [(1, 2), (2, 1), (3, 4), (4, 2), (8, 3), (24, 1)] {
            for step in [0, 1, 7, 1_000_003] {
                let mut parts = Vec::new();
                for rank in 0..world {
                    let plan =
                        SequencesLoaderPlan { rank, world, accumulation, ..plan(objective, 24) };
                    let batches = SequencesLoader::new(Arc::clone(&dataset), plan)
                        .unwrap()
                        .step(step)
                        .unwrap();
                    assert_eq!(batches.len(), accumulation);
                    parts.extend(batches);
                }
                assert_eq!(
                    join(parts),
                    join(whole.step(step).unwrap()),
                    "{world} ranks, step {step}"
                );
            }
        }
    }
}

#[test]
fn a_step_depends_on_its_number_alone_so_any_position_resumes_exactly() {
    let root = tempfile::tempdir().unwrap();
    let dataset = protein_dataset(root.path());
    for objective in [CAUSAL, MASKED] {
        let straight = SequencesLoader::new(Arc::clone(&dataset), plan(objective, 6)).unwrap();
        let steps: Vec<_> = (0..60).map(|step| straight.step(step).unwrap()).collect();
        // Epoch ends are inside: 60 steps of 6 samples pass 101 documents three times.
        for first in [0, 1, 16, 17, 33, 59] {
            let resumed =
                Arc::new(SequencesLoader::new(Arc::clone(&dataset), plan(objective, 6)).unwrap());
            assert_eq!(resumed.position(first).unwrap(), 6 * first);
            for depth in [0, 1, 2, 5] {
                let prefetch = Arc::clone(&resumed).prefetch(first, depth);
                for (item, want) in prefetch.zip(first..60) {
                    let (step, batches) = item.unwrap();
                    assert_eq!(step, want);
                    assert_eq!(
                        batches.concat(),
                        steps[usize::try_from(step).unwrap()],
                        "depth {depth}"
                    );
                }
            }
        }
    }
}

#[test]
fn causal_labels_are_the_next_token_of_the_same_document() {
    let root = tempfile::tempdir().unwrap();
    let lengths = [5, 1, 40, 17, 33, 64];
    let dataset = counting_dataset(root.path(), &lengths);
    let total: u32 = lengths.iter().sum();
    let ends: Vec<u32> = lengths
        .iter()
        .scan(0, |at, n| {
            *at += n;
            Some(*at)
        })
        .collect();
    assert_eq!(total % 16, 0, "so that an epoch reaches every token");
    let loader = SequencesLoader::new(dataset, plan(CAUSAL, 10)).unwrap();
    assert_eq!(loader.samples_per_epoch(), u64::from(total / 16));
    let mut seen = vec![0; total as usize];
    for step in 0..3 {
        let batch = join(loader.step(step).unwrap());
        assert_eq!(batch.num_tokens(), 160);
        for s in 0..batch.num_segments() {
            let range = batch.cu_seqlens[s] as usize..batch.cu_seqlens[s + 1] as usize;
            for (i, at) in range.enumerate() {
                let token = batch.tokens[at];
                seen[token as usize] += 1;
                let document = ends.partition_point(|&end| end <= token) as u64;
                assert_eq!(batch.document_ids[s], document);
                assert_eq!(batch.positions[at] as usize, i);
                let goes_on = !ends.contains(&(token + 1));
                let want = if goes_on { i64::from(token) + 1 } else { IGNORE };
                assert_eq!(batch.labels[at], want, "token {token}");
            }
        }
    }
    assert!(
        seen.iter().all(|&count| count == 3),
        "three epochs, each token once in each: {seen:?}"
    );
}

#[test]
fn block_borders_move_from_epoch_to_epoch() {
    let root = tempfile::tempdir().unwrap();
    let dataset = counting_dataset(root.path(), &[160]);
    let loader = SequencesLoader::new(dataset, plan(CAUSAL, 10)).unwrap();
    let borders = |epoch| loader.step(epoch).unwrap()[0].tokens[0] % 16;
    let distinct: std::collections::BTreeSet<u32> = (0..20).map(borders).collect();
    assert!(distinct.len() > 5, "{distinct:?}");
}

#[test]
fn an_epoch_of_masked_documents_visits_each_document_once_across_step_borders() {
    let root = tempfile::tempdir().unwrap();
    let dataset = protein_dataset(root.path());
    let loader = SequencesLoader::new(dataset, plan(MASKED, 10)).unwrap();
    let visited: Vec<u64> =
        (0..101).flat_map(|step| join(loader.step(step).unwrap()).document_ids).collect();
    for epoch in visited.chunks(101) {
        let mut sorted = epoch.to_vec();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..101).collect::<Vec<u64>>());
    }
    assert_ne!(visited[..101], visited[101..202], "each epoch has its own order");
}

#[test]
fn masking_keeps_its_rates_spares_special_tokens_and_labels_every_document() {
    let root = tempfile::tempdir().unwrap();
    let dataset = protein_dataset(root.path());
    let loader = SequencesLoader::new(Arc::clone(&dataset), plan(MASKED, 101)).unwrap();
    let (mut candidates, mut masked, mut random, mut kept) = (0f64, 0f64, 0f64, 0f64);
    for step in 0..60 {
        let batch = join(loader.step(step).unwrap());
        for s in 0..batch.num_segments() {
            let range = batch.cu_seqlens[s] as usize..batch.cu_seqlens[s + 1] as usize;
            let original: Vec<u32> = range
                .clone()
                .map(|i| u32::try_from(batch.labels[i]).unwrap_or(batch.tokens[i]))
                .collect();
            let document =
                dataset.document(Split::Train, batch.document_ids[s]).unwrap().tokens.to_vec();
            assert_eq!(original.len(), document.len().min(24));
            assert!(document.windows(original.len()).any(|w| w == original), "not a window");
            let labelled = range.clone().filter(|&i| batch.labels[i] != IGNORE);
            let residues = original.iter().filter(|t| !SPECIAL.contains(t)).count();
            assert!(labelled.clone().count() >= usize::from(residues >= 2), "no label");
            candidates += residues as f64;
            for i in labelled {
                let label = u32::try_from(batch.labels[i]).unwrap();
                assert!(!SPECIAL.contains(&label), "a special token was chosen");
                match batch.tokens[i] {
                    32 => masked += 1.0,
                    token if token == label => kept += 1.0,
                    token => {
                        assert!((4..24).contains(&token), "{token} is no residue");
                        random += 1.0;
                    }
                }
            }
        }
    }
    let chosen = masked + random + kept;
    let close = |got: f64, want: f64, n: f64| (got / n - want).abs() < 4.0 * (want / n).sqrt();
    assert!(close(masked, 0.8, chosen), "mask {}", masked / chosen);
    // One random draw in twenty gives the residue that was there.
    assert!(close(random, 0.1 * 0.95, chosen), "random {}", random / chosen);
    assert!(close(kept, 0.1 * 1.05, chosen), "kept {}", kept / chosen);
    // Documents without a chosen token are given one, which lifts the rate in short ones.
    let rate = chosen / candidates;
    assert!((0.15..0.19).contains(&rate), "rate {rate}");
}

#[test]
fn validation_is_the_same_for_every_seed_and_batch_size() {
    let root = tempfile::tempdir().unwrap();
    let dataset = protein_dataset(root.path());
    for objective in [CAUSAL, MASKED] {
        let collect = |seed, per_batch, max| {
            let plan = SequencesLoaderPlan { seed, ..plan(objective, 4) };
            let loader = SequencesLoader::new(Arc::clone(&dataset), plan).unwrap();
            let batches = loader.validation(max, per_batch).map(Result::unwrap).collect();
            join(batches)
        };
        let all = collect(1, 4, None);
        assert_eq!(all, collect(2, 7, None));
        assert_eq!(all, collect(2, 1, Some(usize::MAX)));
        let some = collect(1, 4, Some(5));
        assert!(some.num_tokens() < all.num_tokens());
        assert!(some.document_ids.last() > Some(&8), "a part is spread over the split");
    }
}

#[test]
fn causal_validation_labels_every_token_but_the_first_of_each_document_once() {
    let root = tempfile::tempdir().unwrap();
    let lengths = [5, 1, 40, 17, 30];
    let dataset = counting_dataset(root.path(), &lengths);
    let loader = SequencesLoader::new(dataset, plan(CAUSAL, 2)).unwrap();
    let batch = join(loader.validation(None, 3).map(Result::unwrap).collect());
    let total: u32 = lengths.iter().sum();
    assert_eq!(batch.tokens, (0..total).collect::<Vec<u32>>());
    assert_eq!(batch.num_labels(), total as usize - lengths.len());
}

#[test]
fn a_split_without_validation_documents_gives_no_batches() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), &proteins(Split::Train, 9, 5, 60), 33, tiny_limits());
    for objective in [CAUSAL, MASKED] {
        let loader = SequencesLoader::new(open(root.path()), plan(objective, 2)).unwrap();
        let mut validation = loader.validation(Some(3), 2);
        assert_eq!(validation.num_sequences(), 0);
        assert!(validation.next().is_none());
    }
}

#[test]
fn plans_that_cannot_work_are_refused_with_the_numbers() {
    let root = tempfile::tempdir().unwrap();
    let dataset = protein_dataset(root.path());
    let tokens = dataset.num_tokens(Split::Train);
    let huge = Objective::Causal { context: usize::try_from(tokens).unwrap() + 1 };
    let with_rate = |rate| plan(Objective::Masked { context: 24, rate }, 4);
    let cases = [
        (
            SequencesLoaderPlan { world: 3, accumulation: 2, ..plan(CAUSAL, 8) },
            "multiple of 3 x 2 = 6",
        ),
        (plan(CAUSAL, 0), "0 sequences"),
        (SequencesLoaderPlan { world: 0, ..plan(CAUSAL, 8) }, "0 ranks"),
        (
            SequencesLoaderPlan { rank: 2, world: 2, ..plan(CAUSAL, 8) },
            "rank 2 does not exist among 2",
        ),
        (plan(huge, 1), &*format!("training split has {tokens}")),
        (plan(MASKED, 102), "a step takes 102 sequences, the training split has 101"),
        (plan(Objective::Causal { context: 0 }, 1), "0 tokens"),
        (with_rate(f64::NAN), "NaN"),
        (with_rate(0.0), "not in (0, 1]"),
        (with_rate(1.5), "1.5"),
    ];
    for (plan, expected) in cases {
        let message = SequencesLoader::new(Arc::clone(&dataset), plan).unwrap_err().to_string();
        assert!(message.contains(expected), "`{expected}` is missing in: {message}");
    }
    let loader = SequencesLoader::new(dataset, plan(CAUSAL, 8)).unwrap();
    assert!(loader.step(u64::MAX).is_err(), "a step beyond all numbers is an error");
}

#[test]
fn masked_training_without_a_mask_token_names_the_tokenizer() {
    let root = tempfile::tempdir().unwrap();
    let mut card = write(root.path(), &proteins(Split::Train, 9, 5, 60), 33, tiny_limits());
    card.part.tokenizer.mask = None;
    card.part.tokenizer.kind = "byte".to_owned();
    card.save(root.path()).unwrap();
    let message = SequencesLoader::new(open(root.path()), plan(MASKED, 2)).unwrap_err().to_string();
    assert!(message.contains("tokenizer `byte` has none"), "{message}");
}

#[test]
fn parts_that_are_summed_apart_are_the_same_on_any_number_of_ranks() {
    let root = tempfile::tempdir().unwrap();
    let dataset = protein_dataset(root.path());
    for objective in [CAUSAL, MASKED] {
        let parts = |world: usize, step: u64| -> Vec<Vec<TokenBatch>> {
            let of_rank = |rank| {
                let plan = SequencesLoaderPlan {
                    accumulation: 4 / world,
                    apart: true,
                    rank,
                    world,
                    ..plan(objective, 8)
                };
                SequencesLoader::new(Arc::clone(&dataset), plan).unwrap().parts(step).unwrap()
            };
            (0..world).flat_map(of_rank).collect()
        };
        for step in [0, 7] {
            let alone = parts(1, step);
            assert!(alone.len() == 4 && alone.iter().all(|part| part.len() == 1));
            assert!([2, 4].iter().all(|&world| parts(world, step) == alone));
        }
    }
}
