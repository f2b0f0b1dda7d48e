//! Shards: what is written comes back, any Arrow library reads it, and damage never passes.

#![expect(clippy::unwrap_used, reason = "a set-up that fails is a test that fails")]

mod fixture;

use std::fs;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{UInt8Type, UInt32Type, UInt64Type};
use fixture::{proteins, tiny_limits, write};
use genesis_data::dataset::Split;
use genesis_data::dataset::card::sha256_of_bytes;
use genesis_data::error::DataError;
use genesis_data::sequences::SequencesCard;
use genesis_data::sequences::SequencesDataset;
use genesis_data::sequences::card::TokenType;
use genesis_data::sequences::shards::{ShardLimits, ShardReader, ShardWriter};
use proptest::prelude::*;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// Reads every document of both splits through the public interface.
fn read_all(dataset: &SequencesDataset) -> Result<Vec<(Split, Vec<u32>)>, DataError> {
    let mut documents = Vec::new();
    for split in [Split::Train, Split::Validation] {
        for index in 0..dataset.num_documents(split) {
            documents.push((split, dataset.document(split, index)?.tokens.to_vec()));
        }
    }
    Ok(documents)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn documents_and_token_ranges_come_back_unchanged_in_every_width(
        lengths in prop::collection::vec((1usize..90, any::<bool>()), 1..40),
        vocab_size in prop::sample::select(vec![40u32, 256, 257, 65_536, 65_537, 200_000]),
        start in 0.0f64..1.0,
        batch_tokens in 1u64..300,
    ) {
        let top = vocab_size - 1;
        let mut documents: Vec<(Split, Vec<u32>)> = lengths
            .iter()
            .map(|&(length, held_out)| {
                let split = if held_out { Split::Validation } else { Split::Train };
                let token = |i: usize| u32::try_from(i * 7919 + length).unwrap() % top;
                (split, (0..length).map(|i| if i == 0 { top } else { token(i) }).collect())
            })
            .collect();
        let root = folder();
        let limits = ShardLimits { batch_tokens, batch_rows: 4, shard_bytes: 500 };
        write(root.path(), &documents, vocab_size, limits);
        let dataset = SequencesDataset::open(root.path()).unwrap();
        documents.sort_by_key(|(split, _)| *split);
        prop_assert_eq!(&read_all(&dataset).unwrap(), &documents);

        for split in [Split::Train, Split::Validation] {
            let of_split = || documents.iter().filter(|(of, _)| *of == split).map(|(_, t)| t);
            let stream: Vec<u32> = of_split().flatten().copied().collect();
            let total = stream.len() as u64;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in 0..total")]
            let first = (start * total as f64) as u64;
            let segments = dataset.segments(split, first, total - first).unwrap();
            let joined: Vec<u32> = segments.iter().flat_map(|s| s.tokens.to_vec()).collect();
            prop_assert_eq!(&joined[..], &stream[usize::try_from(first).unwrap()..]);
            prop_assert!(segments.iter().all(|s| s.next.is_none()));
            let last = of_split().count() as u64;
            prop_assert_eq!(segments.last().map(|s| s.document + 1), (total > 0).then_some(last));
        }
    }

    #[test]
    fn a_shard_with_forged_bytes_and_matching_digests_never_panics(
        flips in prop::collection::vec((0.0f64..1.0, any::<u8>()), 1..6),
        resize in prop::option::of(0.0f64..1.0),
    ) {
        let root = folder();
        let documents = proteins(Split::Train, 12, 5, 60);
        let mut card = write(root.path(), &documents, 33, tiny_limits());
        forge(root.path(), &mut card, &flips, resize);
        if let Ok(dataset) = SequencesDataset::open(root.path()) {
            let _ = read_all(&dataset);
            let _ = dataset.segments(Split::Train, 0, dataset.num_tokens(Split::Train));
        }
        let _ = genesis_data::verify::verify(root.path(), &mut |_| ());
    }
}

/// Damages the first shard and makes the card agree with the damage, as an attacker would.
fn forge(root: &Path, card: &mut SequencesCard, flips: &[(f64, u8)], resize: Option<f64>) {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in 0..length")]
    let place = |fraction: f64, length: usize| (fraction * length as f64) as usize;
    let path = root.join(&card.shards[0].file);
    let mut bytes = fs::read(&path).unwrap();
    for &(at, value) in flips {
        let at = place(at, bytes.len());
        bytes[at] = value;
    }
    if let Some(fraction) = resize {
        bytes.truncate(place(fraction, bytes.len()));
    }
    fs::write(&path, &bytes).unwrap();
    let shard = &mut card.shards[0];
    shard.bytes = bytes.len() as u64;
    shard.sha256 = sha256_of_bytes(&bytes);
    for batch in &mut shard.batches {
        let range = usize::try_from(batch.offset).unwrap()
            ..usize::try_from(batch.offset + batch.bytes).unwrap();
        if let Some(message) = bytes.get(range) {
            batch.xxh3 = format!("{:016x}", xxhash_rust::xxh3::xxh3_64(message));
        }
    }
    card.save(root).unwrap();
}

#[test]
fn the_arrow_library_reads_a_shard_as_an_ordinary_file() {
    let root = folder();
    let documents = proteins(Split::Train, 12, 5, 60);
    let card = write(root.path(), &documents, 33, tiny_limits());
    let mut tokens = Vec::new();
    let mut ids = Vec::new();
    for shard in &card.shards {
        let file = fs::File::open(root.path().join(&shard.file)).unwrap();
        for batch in arrow_ipc::reader::FileReader::try_new(file, None).unwrap() {
            let batch = batch.unwrap();
            ids.extend_from_slice(batch.column(0).as_primitive::<UInt64Type>().values());
            assert!(batch.column(1).as_primitive::<UInt32Type>().values().iter().all(|&s| s == 0));
            for list in batch.column(2).as_list::<i32>() {
                let list = list.unwrap();
                let values = list.as_primitive::<UInt8Type>().values().iter();
                tokens.push(values.map(|&t| u32::from(t)).collect::<Vec<u32>>());
            }
        }
    }
    let expected: Vec<Vec<u32>> = documents.into_iter().map(|(_, tokens)| tokens).collect();
    assert_eq!(tokens, expected);
    assert_eq!(ids, (1000..1012).collect::<Vec<u64>>());
}

#[test]
fn tokens_lie_at_multiples_of_64_bytes_in_the_mapped_file() {
    let root = folder();
    let card = write(root.path(), &proteins(Split::Train, 12, 5, 60), 33, tiny_limits());
    assert!(card.shards.len() > 1 && card.shards[0].batches.len() > 1, "the fixture is too small");
    for shard in &card.shards {
        let reader = ShardReader::open(root.path(), shard, card.part.token_type).unwrap();
        for index in 0..shard.batches.len() {
            let batch = reader.batch(index).unwrap();
            assert_eq!(batch.document_ids.as_ptr().addr() % 64, 0);
            assert_eq!(batch.offsets.as_ptr().addr() % 64, 0);
            let genesis_data::sequences::shards::TokenSlice::U8(tokens) = batch.tokens else {
                panic!("33 ids need one byte")
            };
            assert_eq!(tokens.as_ptr().addr() % 64, 0);
        }
    }
}

#[test]
fn the_same_documents_give_the_same_bytes() {
    let (first, second) = (folder(), folder());
    let documents = proteins(Split::Train, 30, 5, 60);
    let card = write(first.path(), &documents, 33, tiny_limits());
    let again = write(second.path(), &documents, 33, tiny_limits());
    assert_eq!(card, again);
    assert_eq!(card.digest().unwrap(), again.digest().unwrap());
    for shard in &card.shards {
        let read = |root: &Path| fs::read(root.join(&shard.file)).unwrap();
        assert_eq!(read(first.path()), read(second.path()));
        assert_eq!(sha256_of_bytes(&read(first.path())), shard.sha256);
    }
}

#[test]
fn several_shards_of_several_batches_are_what_they_always_were() {
    let root = folder();
    let documents = [proteins(Split::Train, 12, 5, 60), proteins(Split::Validation, 4, 5, 60)];
    let card = write(root.path(), &documents.concat(), 33, tiny_limits());
    let batches: Vec<usize> = card.shards.iter().map(|shard| shard.batches.len()).collect();
    assert_eq!(batches, [2, 1, 1]);
    // The card lists the digest of every shard and of every batch.
    assert_eq!(
        card.digest().unwrap(),
        "46389463173abf0b0b867417a51297bf96aea38b62e27d1c67662eb8349f95cc"
    );
}

#[test]
fn the_card_comes_back_unchanged_and_its_digest_is_that_of_the_file() {
    let root = folder();
    let card = write(root.path(), &proteins(Split::Train, 3, 5, 9), 33, tiny_limits());
    let (loaded, digest) = SequencesCard::load(root.path()).unwrap();
    assert_eq!(loaded, card);
    assert_eq!(digest, card.digest().unwrap());
    assert_eq!(SequencesDataset::open(root.path()).unwrap().digest(), digest);
}

#[test]
fn a_folder_without_a_card_is_refused_with_a_hint() {
    let root = folder();
    let message = SequencesDataset::open(root.path()).unwrap_err().to_string();
    assert!(message.contains("no dataset.json") && message.contains("genesis ingest"), "{message}");
}

#[test]
fn a_truncated_shard_is_rejected_with_its_name_and_both_sizes() {
    let root = folder();
    let card = write(root.path(), &proteins(Split::Train, 12, 5, 60), 33, tiny_limits());
    let shard = &card.shards[1];
    let path = root.path().join(&shard.file);
    fs::write(&path, &fs::read(&path).unwrap()[..100]).unwrap();
    let message = SequencesDataset::open(root.path()).unwrap_err().to_string();
    assert!(message.contains("train-00001.arrow"), "{message}");
    assert!(
        message.contains("100 bytes") && message.contains(&shard.bytes.to_string()),
        "{message}"
    );
}

#[test]
fn a_flipped_byte_is_found_when_its_batch_is_touched_and_other_batches_stay_readable() {
    let root = folder();
    let card = write(root.path(), &proteins(Split::Train, 12, 5, 60), 33, tiny_limits());
    let (shard, batch) = (&card.shards[0], &card.shards[0].batches[1]);
    let path = root.path().join(&shard.file);
    let mut bytes = fs::read(&path).unwrap();
    let at = usize::try_from(batch.offset + batch.bytes - 1).unwrap();
    bytes[at] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let dataset = SequencesDataset::open(root.path()).unwrap();
    assert!(dataset.document(Split::Train, 0).is_ok());
    let message =
        dataset.document(Split::Train, card.shards[0].batches[0].rows).unwrap_err().to_string();
    for part in ["train-00000.arrow", "batch 1", &batch.offset.to_string(), &batch.xxh3] {
        assert!(message.contains(part), "`{part}` is missing in: {message}");
    }
}

#[test]
fn a_shard_that_is_cut_or_written_while_it_is_read_is_an_error_that_names_it() {
    let root = folder();
    let card = write(root.path(), &proteins(Split::Train, 12, 5, 60), 33, tiny_limits());
    let path = root.path().join(&card.shards[0].file);
    let good = fs::read(&path).unwrap();
    let dataset = SequencesDataset::open(root.path()).unwrap();
    read_all(&dataset).unwrap();
    let write_in_place = |bytes: &[u8], seconds: u64| {
        fs::write(&path, bytes).unwrap();
        // A later moment, whatever the file system keeps of it.
        let later = std::time::SystemTime::now() + std::time::Duration::from_secs(seconds);
        fs::File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
    };
    write_in_place(&vec![0; good.len()], 5);
    let error = read_all(&dataset).unwrap_err().to_string();
    assert!(error.contains(&card.shards[0].file) && error.contains("xxh3"), "{error}");
    write_in_place(&good, 10);
    read_all(&dataset).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_len(100).unwrap();
    let error = read_all(&dataset).unwrap_err().to_string();
    for part in [card.shards[0].file.as_str(), "100 bytes now", "cut while in use"] {
        assert!(error.contains(part), "{part} in {error}");
    }
}

#[test]
fn the_writer_refuses_empty_documents_and_tokens_that_do_not_fit() {
    let root = folder();
    let mut writer =
        ShardWriter::create(root.path(), Split::Train, TokenType::U8, ShardLimits::default())
            .unwrap();
    let empty = writer.push(&[], 5, 0).unwrap_err().to_string();
    assert!(empty.contains("document 5") && empty.contains("no tokens"), "{empty}");
    let wide = writer.push(&[1, 256], 6, 0).unwrap_err().to_string();
    assert!(wide.contains("token 256") && wide.contains("8 bits"), "{wide}");
    assert!(writer.finish().unwrap().is_empty());
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0, "no document, no file");
}

#[test]
fn the_writer_never_overwrites_a_shard() {
    let root = folder();
    fs::write(root.path().join("train-00000.arrow"), "mine").unwrap();
    let mut writer =
        ShardWriter::create(root.path(), Split::Train, TokenType::U8, ShardLimits::default())
            .unwrap();
    writer.push(&[1], 0, 0).unwrap();
    assert!(writer.finish().is_err());
    assert_eq!(fs::read(root.path().join("train-00000.arrow")).unwrap(), b"mine");
}

/// Replaces text in the card and makes its digest file agree.
fn edit_card(root: &Path, from: &str, to: &str) -> String {
    let text = fs::read_to_string(root.join("dataset.json")).unwrap();
    assert!(text.contains(from), "{from} is not in the card");
    let text = text.replacen(from, to, 1);
    let digest = sha256_of_bytes(text.as_bytes());
    fs::write(root.join("dataset.json"), &text).unwrap();
    fs::write(root.join("dataset.json.sha256"), format!("{digest}  dataset.json\n")).unwrap();
    SequencesDataset::open(root).unwrap_err().to_string()
}

#[test]
fn cards_with_strange_contents_are_refused_by_name() {
    let documents = proteins(Split::Train, 3, 5, 9);
    let cases = [
        ("\"schema_version\": 1", "\"schema_version\": 7", "schema_version is 7"),
        ("\"licence\"", "\"license\"", "license"),
        ("\"sources\"", "\"held_out_seen_in_training\": 1, \"sources\"", "unknown field `held_out"),
        ("\"documents\": 3,\n      \"tokens\"", "\"frames\": 3,\n      \"tokens\"", "documents"),
        ("\"rows\"", "\"atoms\": 1, \"rows\"", "unknown field `atoms`"),
        ("\"length_histogram\": {", "\"length_histogram\": {\"nine\": 1,", "`nine` is not a size"),
        ("\"train-00000.arrow\"", "\"../train-00000.arrow\"", "../train-00000.arrow"),
        ("\"tokenizer.json\"", "\"/etc/passwd\"", "/etc/passwd"),
        ("\"tokenizer.json\"", "\"rejects.jsonl\"", "twice"),
        ("\"documents\": 3", "\"documents\": 4", "add up"),
        ("\"rows\": 3", "\"rows\": 18446744073709551615", "add up"),
        ("\"vocab_size\": 33", "\"vocab_size\": 4294967295", "vocabulary of 4294967295"),
    ];
    for (from, to, expected) in cases {
        let root = folder();
        write(root.path(), &documents, 33, ShardLimits::default());
        // The first count is that of a split; the shard's comes later, either breaks the sum.
        let message = edit_card(root.path(), from, to);
        let adds_up = expected == "add up" && message.contains("the card says");
        assert!(message.contains(expected) || adds_up, "{from} -> {to}: {message}");
    }
}
