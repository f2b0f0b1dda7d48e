//! What the targets share: a scratch folder, reading a file as the program does, and datasets to damage.

pub mod damage;
pub mod datasets;
pub mod scratch;

use std::path::Path;

use genesis_data::formats::{NamedOptions, read_named};
use genesis_data::sequences::tokenize::{Tokenizer, smiles_is_balanced, smiles_tokens};
use genesis_data::structures::{StructuresIngest, read_each_structure};

/// Reads a file of sequences as `embed` and `score` do, and gives its texts to every tokenizer made here.
pub fn sequences(path: &Path) {
    let Ok(file) = read_named(path, &NamedOptions::default()) else { return };
    let again = read_named(path, &NamedOptions::default());
    assert_eq!(again.as_ref().ok(), Some(&file), "the same file gives the same records");
    let tokenizers = [Tokenizer::byte(), Tokenizer::amino_acid(), Tokenizer::nucleotide()];
    let mut ids = Vec::new();
    for record in file.records.iter().filter_map(|(_, record)| record.as_ref().ok()) {
        for tokenizer in &tokenizers {
            ids.clear();
            if tokenizer.encode_framed(&record.text, &mut ids).is_ok() {
                assert!(ids.iter().all(|&id| tokenizer.has(id)), "ids are those of the vocabulary");
                tokenizer.decode(&ids);
            }
        }
        // Pieces of SMILES are the text, one behind the other; white space around it is ignored.
        let pieces: Result<String, _> = smiles_tokens(&record.text).collect();
        assert!(pieces.is_err() || pieces.is_ok_and(|whole| whole == record.text.trim()));
        let _ = smiles_is_balanced(&record.text);
    }
}

/// Reads a file of structures as `predict` does.
pub fn structures(path: &Path) {
    let plan = StructuresIngest {
        inputs: vec![path.to_path_buf()],
        allow_missing_labels: true,
        ..StructuresIngest::default()
    };
    let Ok(read) = read_each_structure(&plan) else { return };
    for structure in read.into_iter().flatten() {
        let atoms = structure.frame.atomic_numbers.len();
        assert!(atoms > 0 && structure.frame.positions.len() == atoms, "every atom has a position");
        assert!(
            structure.frame.positions.iter().flatten().all(|x| x.is_finite()),
            "positions are numbers"
        );
    }
}
