//! Documents packed in rows: each once an epoch and whole, the same rows however they are asked for.

#![expect(clippy::unwrap_used, reason = "a set-up that fails is a test that fails")]

mod fixture;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use fixture::{SPECIAL, proteins, tiny_limits, write};
use genesis_data::dataset::{Corpus, Loader, Member, Mixture, Split};
use genesis_data::sequences::packing::Piece;
use genesis_data::sequences::{
    Objective, Packing, Rows, SequencesCorpus, SequencesDataset, SequencesLoader,
    SequencesLoaderPlan, rows_of,
};
use genesis_schema::{IGNORE, Seeds, TokenBatch};
use proptest::prelude::*;

const CAUSAL: Objective = Objective::Causal { context: 64 };
const MASKED: Objective = Objective::Masked { context: 64, rate: 0.15 };

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

/// A dataset of documents of these lengths, each token its number among all.
fn counting(root: &Path, lengths: &[u32]) -> Arc<SequencesDataset> {
    let mut next = 0;
    let document = |&length: &u32| {
        next += length;
        (Split::Train, (next - length..next).collect())
    };
    let documents: Vec<(Split, Vec<u32>)> = lengths.iter().map(document).collect();
    write(root, &documents, 60_000, tiny_limits());
    Arc::new(SequencesDataset::open(root).unwrap())
}

fn protein_dataset(root: &Path) -> Arc<SequencesDataset> {
    let mut documents = proteins(Split::Train, 211, 3, 90);
    documents.extend(proteins(Split::Validation, 17, 3, 60));
    write(root, &documents, 33, tiny_limits());
    Arc::new(SequencesDataset::open(root).unwrap())
}

fn corpus(members: &[(&str, &Arc<SequencesDataset>)]) -> SequencesCorpus {
    let member = |&(name, dataset): &(&str, &Arc<SequencesDataset>)| Member {
        name: name.to_owned(),
        dataset: Arc::clone(dataset),
    };
    Corpus::new(members.iter().map(member).collect()).unwrap()
}

fn loader(
    dataset: &Arc<SequencesDataset>,
    window: u64,
    plan: SequencesLoaderPlan,
) -> SequencesLoader {
    let corpus = SequencesCorpus::sole(Arc::clone(dataset));
    let rows = rows_of(&corpus, Packing { context: 64, window }, plan.seed).unwrap();
    SequencesLoader::packed(corpus, Arc::new(Mixture::sole()), plan, &rows).unwrap()
}

/// Segments of batches as one batch.
fn join(batches: Vec<TokenBatch>) -> TokenBatch {
    let mut whole = TokenBatch::default();
    for batch in batches {
        for (s, range) in batch.cu_seqlens.windows(2).enumerate() {
            let range = range[0] as usize..range[1] as usize;
            let (tokens, labels) = (&batch.tokens[range.clone()], &batch.labels[range.clone()]);
            whole.push_segment(tokens, labels, batch.positions[range.start], batch.document_ids[s]);
        }
        whole.samples.extend(batch.samples);
    }
    whole
}

/// What `epoch` holds: the pieces of every row, in the order of the epoch.
fn epoch_of(rows: &Rows, dataset: &SequencesDataset, epoch: u64) -> Vec<Vec<Piece>> {
    let at = |place| rows.row(dataset, epoch, rows.at(epoch, place)).unwrap();
    (0..rows.num_rows()).map(at).collect()
}

/// Every token once, no document cut that fits a row, long ones in whole rows and a rest.
fn check_epoch(epoch: &[Vec<Piece>], lengths: &[u32], context: u32) {
    let mut pieces: BTreeMap<u64, Vec<Piece>> = BTreeMap::new();
    for row in epoch {
        let held: u32 = row.iter().map(|piece| piece.length).sum();
        assert!(held <= context && !row.is_empty(), "{row:?}");
        for piece in row {
            pieces.entry(piece.document).or_default().push(*piece);
        }
    }
    assert_eq!(pieces.len(), lengths.len(), "documents");
    for (document, mut pieces) in pieces {
        let length = lengths[usize::try_from(document).unwrap()];
        pieces.sort_by_key(|piece| piece.start);
        let mut next = 0;
        for piece in &pieces {
            assert_eq!(piece.start, next);
            assert!(piece.length == context || piece.start + piece.length == length);
            next += piece.length;
        }
        assert_eq!(next, length);
        assert_eq!(pieces.len(), length.div_ceil(context) as usize, "cut no more than it must");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn every_document_comes_whole_and_once_an_epoch(
        lengths in prop::collection::vec(prop_oneof![
            8 => 1u32..40, 2 => 40u32..=64, 1 => Just(64u32), 1 => Just(1u32), 1 => 65u32..900
        ], 1..60),
        window in prop_oneof![1u64..9, Just(4096u64)],
        seed in any::<u64>(),
    ) {
        let root = tempfile::tempdir().unwrap();
        let dataset = counting(root.path(), &lengths);
        for context in [64, 7] {
            let packing = Packing { context, window };
            let rows = Rows::plan(&dataset, packing, Seeds::new(seed)).unwrap();
            let context = u32::try_from(context).unwrap();
            let long = lengths.iter().filter(|&&it| it > context);
            let pieces = long.clone().map(|it| u64::from(it.div_ceil(context))).sum();
            prop_assert_eq!(rows.cut(), (long.count() as u64, pieces));
            for epoch in [0, 1, 77] {
                check_epoch(&epoch_of(&rows, &dataset, epoch), &lengths, context);
            }
        }
    }
}

#[test]
fn epochs_have_as_many_rows_in_other_orders_and_other_company() {
    let root = tempfile::tempdir().unwrap();
    let dataset = protein_dataset(root.path());
    let rows = Rows::plan(&dataset, Packing { context: 64, window: 50 }, Seeds::new(1)).unwrap();
    let [first, second] = [0, 1].map(|epoch| epoch_of(&rows, &dataset, epoch));
    let sorted = |epoch: &[Vec<Piece>]| {
        let documents = |row: &Vec<Piece>| row.iter().map(|it| it.document).collect::<Vec<_>>();
        let mut rows: Vec<Vec<u64>> = epoch.iter().map(documents).collect();
        rows.sort();
        rows
    };
    assert_ne!(first, second);
    assert_ne!(sorted(&first), sorted(&second), "equally long documents change places");
    // Rows do not come by how full they are: neighbours differ as much as rows at random do.
    let held = |row: &Vec<Piece>| row.iter().map(|it| it.length).sum::<u32>();
    let fullness: Vec<u32> = first.iter().map(held).collect();
    let falls = fullness.windows(2).filter(|pair| pair[0] > pair[1]).count();
    let rises = fullness.windows(2).filter(|pair| pair[0] < pair[1]).count();
    assert!(falls > fullness.len() / 8 && rises > fullness.len() / 8, "{fullness:?}");
}

#[test]
fn any_number_of_ranks_slices_and_steps_ahead_gets_the_same_rows() {
    let root = tempfile::tempdir().unwrap();
    let dataset = protein_dataset(root.path());
    for (objective, window) in [(CAUSAL, 32), (MASKED, 32), (MASKED, 4096)] {
        for (sequences, shared) in [
            (24, &[(1, 2), (2, 1), (2, 3), (3, 4), (4, 2), (6, 1), (8, 1), (8, 3)][..]),
            (35, &[(5, 1), (7, 1), (5, 7), (7, 5)][..]),
        ] {
            let whole = loader(&dataset, window, plan(objective, sequences));
            for step in [0, 1, 7, 1_000_003] {
                let want = join(whole.step(step).unwrap());
                for &(world, accumulation) in shared {
                    let of_rank = |rank| {
                        let plan = SequencesLoaderPlan {
                            rank,
                            world,
                            accumulation,
                            ..plan(objective, sequences)
                        };
                        loader(&dataset, window, plan).step(step).unwrap()
                    };
                    let found = join((0..world).flat_map(of_rank).collect());
                    assert_eq!(found, want, "{world} ranks, step {step}");
                }
            }
        }
        let whole = loader(&dataset, window, plan(objective, 6));
        for depth in [0, 1, 2, 3, 5, 8] {
            let ahead = Arc::new(loader(&dataset, window, plan(objective, 6))).prefetch(3, depth);
            for made in ahead.take(30) {
                let (step, batches) = made.unwrap();
                assert_eq!(batches.concat(), whole.step(step).unwrap(), "depth {depth}");
            }
        }
    }
}

#[test]
fn a_run_resumes_at_every_step_with_the_same_rows() {
    let root = tempfile::tempdir().unwrap();
    let dataset = protein_dataset(root.path());
    let straight = loader(&dataset, 20, plan(MASKED, 5));
    let per_epoch = straight.samples_per_epoch();
    let steps: Vec<_> = (0..per_epoch).map(|step| straight.step(step).unwrap()).collect();
    // Backwards, each by a loader that knows nothing of the others: five epochs are inside.
    for (step, want) in steps.iter().enumerate().rev() {
        let resumed = loader(&dataset, 20, plan(MASKED, 5));
        assert_eq!(resumed.position(step as u64).unwrap(), 5 * step as u64);
        assert_eq!(&resumed.step(step as u64).unwrap(), want);
    }
    let mut given: Vec<(u64, u64)> = Vec::new();
    for batch in steps.iter().flatten() {
        given.extend(batch.samples.iter().map(|it| (it.epoch, it.index)));
        assert_eq!(
            batch.samples.iter().map(|it| it.units as usize).sum::<usize>(),
            batch.num_tokens()
        );
    }
    given.sort_unstable();
    let every = (0..5).flat_map(|epoch| (0..per_epoch).map(move |row| (epoch, row)));
    assert_eq!(given, every.collect::<Vec<_>>(), "every row once an epoch");
}

#[test]
fn labels_of_packed_documents_are_the_next_token_of_the_same_document() {
    let root = tempfile::tempdir().unwrap();
    let lengths = [5, 1, 200, 17, 64, 33, 65, 30];
    let dataset = counting(root.path(), &lengths);
    let loader = loader(&dataset, 4, plan(CAUSAL, 1));
    let total: u32 = lengths.iter().sum();
    let ends: Vec<u32> = lengths
        .iter()
        .scan(0, |at, n| {
            *at += n;
            Some(*at)
        })
        .collect();
    let mut seen = vec![0; total as usize];
    for step in 0..loader.samples_per_epoch() {
        let batch = join(loader.step(step).unwrap());
        for (s, range) in batch.cu_seqlens.windows(2).enumerate() {
            for (i, at) in (range[0] as usize..range[1] as usize).enumerate() {
                let token = batch.tokens[at];
                seen[token as usize] += 1;
                assert_eq!(batch.document_ids[s], ends.partition_point(|&end| end <= token) as u64);
                assert_eq!(batch.positions[at] as usize, i);
                let goes_on = !ends.contains(&(token + 1));
                let want = if goes_on { i64::from(token) + 1 } else { IGNORE };
                assert_eq!(batch.labels[at], want, "token {token}");
            }
        }
    }
    assert!(seen.iter().all(|&count| count == 1), "{seen:?}");
}

#[test]
fn packed_documents_are_masked_each_and_special_tokens_are_spared() {
    let root = tempfile::tempdir().unwrap();
    let dataset = protein_dataset(root.path());
    let loader = loader(&dataset, 64, plan(MASKED, 1));
    let (mut residues, mut hidden) = (0, 0);
    for step in 0..12 * loader.samples_per_epoch() {
        let batch = join(loader.step(step).unwrap());
        for (s, range) in batch.cu_seqlens.windows(2).enumerate() {
            let range = range[0] as usize..range[1] as usize;
            let label = |i: usize| u32::try_from(batch.labels[i]).ok();
            let original: Vec<u32> =
                range.clone().map(|i| label(i).unwrap_or(batch.tokens[i])).collect();
            let document = dataset.document(Split::Train, batch.document_ids[s]).unwrap();
            let document = document.tokens.to_vec();
            assert!(document.chunks(64).any(|piece| piece == original), "no piece of its document");
            let labels: Vec<u32> = range.filter_map(label).collect();
            assert!(labels.iter().all(|token| !SPECIAL.contains(token)));
            let candidates = original.iter().filter(|token| !SPECIAL.contains(token)).count();
            assert!(candidates < 2 || !labels.is_empty(), "a document without a label");
            residues += candidates;
            hidden += labels.len();
        }
    }
    // Documents without a hidden token are given one, which lifts the rate in short ones.
    let rate = hidden as f64 / residues as f64;
    assert!((0.15..0.17).contains(&rate), "rate {rate}");
}

#[test]
fn sources_of_a_mixture_are_packed_apart_and_do_not_change_each_other() {
    let roots = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let of = |root: &Path, count| {
        write(root, &proteins(Split::Train, count, 3, 90), 33, tiny_limits());
        Arc::new(SequencesDataset::open(root).unwrap())
    };
    let [a, b, c] = [(0, 150), (1, 1), (2, 60)].map(|(i, count)| of(roots[i].path(), count));
    let given = |members: &[(&str, &Arc<SequencesDataset>)], weights: &[u64], source: u32| {
        let corpus = corpus(members);
        let rows = rows_of(&corpus, Packing { context: 64, window: 16 }, 3).unwrap();
        let turns = genesis_data::dataset::mixture::Turns::new(weights).unwrap();
        let later = genesis_data::dataset::mixture::Turns::new(&vec![1; weights.len()]).unwrap();
        let mixture = Arc::new(Mixture::new([(0, turns), (96, later)]));
        let loader = SequencesLoader::packed(corpus, mixture, plan(MASKED, 24), &rows).unwrap();
        let mut given = Vec::new();
        for batch in (0..12).flat_map(|step| loader.step(step).unwrap()) {
            let mut at = 0;
            for sample in &batch.samples {
                let range = at..at + sample.units as usize;
                at = range.end;
                if sample.source == source {
                    given.push((sample.epoch, sample.index, batch.tokens[range].to_vec()));
                }
            }
        }
        given
    };
    let two = given(&[("a", &a), ("c", &c)], &[1, 2], 1);
    let three = given(&[("a", &a), ("b", &b), ("c", &c)], &[1, 1, 2], 2);
    let common = two.len().min(three.len());
    assert!(common > 60 && two[..common] == three[..common]);
    assert!(two.last().unwrap().0 > 0, "the source began another epoch");
}

#[test]
fn packing_wastes_little_of_lengths_like_those_of_proteins() {
    let root = tempfile::tempdir().unwrap();
    let stream = Seeds::new(5).stream("lengths");
    // Log-normal with the median and spread of Swiss-Prot: 295 residues, e^0.66 around it.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some hundreds")]
    let length = |i| ((295f64.ln() + 0.66 * stream.normal(i, 0)).exp() as u32).clamp(2, 5000);
    let lengths: Vec<u32> = (0..3000).map(length).collect();
    let documents =
        lengths.iter().map(|&it| (Split::Train, vec![5; it as usize])).collect::<Vec<_>>();
    write(root.path(), &documents, 33, genesis_data::sequences::shards::ShardLimits::default());
    let dataset = SequencesDataset::open(root.path()).unwrap();
    for (context, window) in [(512, 1024), (1024, 1024), (1024, 4096), (2048, 1024)] {
        let rows = Rows::plan(&dataset, Packing { context, window }, Seeds::new(1)).unwrap();
        assert!(rows.padding() <= 0.02, "context {context}: {}", rows.padding());
        let tokens: u64 = lengths.iter().map(|&it| u64::from(it)).sum();
        assert_eq!(rows.num_tokens(), tokens);
        assert!(rows.num_rows() >= tokens.div_ceil(context as u64));
    }
}

#[test]
fn a_row_without_a_label_gives_its_place_to_another() {
    let root = tempfile::tempdir().unwrap();
    let unknown = (Split::Train, vec![24; 640]);
    let mut documents = proteins(Split::Train, 40, 30, 60);
    documents.push(unknown);
    let mut card = write(root.path(), &documents, 33, tiny_limits());
    card.part.tokenizer.unlabelled = vec![24];
    card.save(root.path()).unwrap();
    let dataset = Arc::new(SequencesDataset::open(root.path()).unwrap());
    for objective in [CAUSAL, MASKED] {
        let loader = loader(&dataset, 8, plan(objective, 1));
        for step in 0..2 * loader.samples_per_epoch() {
            let batch = join(loader.step(step).unwrap());
            assert!(batch.num_labels() > 0, "step {step}");
            assert!(batch.labels.iter().all(|&label| label != 24));
        }
    }
}

#[test]
fn rows_are_pinned() {
    let root = tempfile::tempdir().unwrap();
    let dataset = protein_dataset(root.path());
    let rows = Rows::plan(&dataset, Packing { context: 64, window: 50 }, Seeds::new(1)).unwrap();
    let described = rows.described();
    assert_eq!((described.rows, described.digest.as_str()), (157, DIGEST));
    let at: Vec<u64> = [0, 1, 2, 80, 156].map(|place| rows.at(3, place)).into();
    assert_eq!(at, PLACES);
    let row = rows.row(&dataset, 3, PLACES[0]).unwrap();
    let row: Vec<(u64, u32, u32)> =
        row.iter().map(|it| (it.document, it.start, it.length)).collect();
    assert_eq!(row, ROW);
}

// Computed by an independent program with integers of any size, which looks at every row for the best fit. They must
// never change: old runs resume with them.
const DIGEST: &str = "65c47499973838ba770dade655a3bc7720d14641922f54cc5f254dc17b19bd0d";
const PLACES: [u64; 5] = [113, 108, 94, 136, 4];
const ROW: [(u64, u32, u32); 3] = [(94, 64, 26), (38, 0, 25), (139, 64, 12)];

#[test]
fn rows_follow_from_everything_that_the_digest_stands_for() {
    let root = tempfile::tempdir().unwrap();
    let dataset = protein_dataset(root.path());
    let digest = |context, window, seed| {
        let rows = Rows::plan(&dataset, Packing { context, window }, Seeds::new(seed)).unwrap();
        rows.described().digest
    };
    let all = [digest(64, 50, 1), digest(65, 50, 1), digest(64, 51, 1), digest(64, 50, 2)];
    let distinct: std::collections::BTreeSet<&String> = all.iter().collect();
    assert_eq!(distinct.len(), 4);
    assert_eq!(digest(64, 50, 1), all[0]);
}

#[test]
fn packings_that_cannot_be_are_refused_and_damaged_lengths_are_named() {
    let root = tempfile::tempdir().unwrap();
    let dataset = protein_dataset(root.path());
    let refused = |dataset: &SequencesDataset, context, window| {
        let packing = Packing { context, window };
        Rows::plan(dataset, packing, Seeds::new(1)).unwrap_err().to_string()
    };
    assert!(refused(&dataset, 64, 0).contains("batch.packing.window"));
    assert!(refused(&dataset, 64, u64::MAX).contains("use 1 to"));
    assert!(refused(&dataset, 0, 8).contains("objective.context"));
    let empty = tempfile::tempdir().unwrap();
    write(empty.path(), &proteins(Split::Validation, 3, 5, 9), 33, tiny_limits());
    let empty = SequencesDataset::open(empty.path()).unwrap();
    assert!(refused(&empty, 64, 8).contains("the training split has 0 documents"));
    // The offsets of the second batch rise from 0: make the second one huge.
    let card = &dataset.card().shards[0];
    let (shard, batch) = (root.path().join(&card.file), &card.batches[1]);
    let mut bytes = std::fs::read(&shard).unwrap();
    let start = usize::try_from(batch.offset).unwrap();
    let mut offsets = vec![0];
    for document in card.batches[0].rows..card.batches[0].rows + batch.rows {
        let length = dataset.document(Split::Train, document).unwrap().tokens.len();
        offsets.push(offsets[offsets.len() - 1] + i32::try_from(length).unwrap());
    }
    let wanted: Vec<u8> = offsets.iter().flat_map(|it| it.to_le_bytes()).collect();
    let at = bytes[start..].windows(wanted.len()).position(|it| it == wanted).unwrap();
    bytes[start + at + 7] = 0x7f;
    std::fs::write(&shard, bytes).unwrap();
    let dataset = SequencesDataset::open(root.path()).unwrap();
    let error = refused(&dataset, 64, 8);
    assert!(error.contains(shard.file_name().unwrap().to_str().unwrap()), "{error}");
    assert!(error.contains("batch 1"), "{error}");
}
