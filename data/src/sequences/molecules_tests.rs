//! The generated molecules are read back by an independent small parser that adds up bonds.

use std::collections::BTreeMap;

use super::*;
use crate::sequences::tokenize::{smiles_is_balanced, smiles_tokens};

struct Atom {
    symbol: String,
    /// Sum of bond orders; an aromatic bond counts one, the ring's pi system is added below.
    bonds: u32,
}

/// Atoms with their bond sums: reads organic-subset SMILES as the generator writes them.
fn atoms(smiles: &str) -> Vec<Atom> {
    let mut atoms: Vec<Atom> = Vec::new();
    let (mut previous, mut stack, mut bond) = (None::<usize>, Vec::new(), 1);
    let mut rings: BTreeMap<String, usize> = BTreeMap::new();
    for token in smiles_tokens(smiles) {
        match token.unwrap() {
            "(" => stack.push(previous),
            ")" => previous = stack.pop().unwrap(),
            "=" => bond = 2,
            "#" => bond = 3,
            digit if digit.as_bytes()[0].is_ascii_digit() => {
                let here = previous.unwrap();
                match rings.remove(digit) {
                    None => drop(rings.insert(digit.to_owned(), here)),
                    Some(there) => {
                        assert!(here > there + 1, "{smiles}: a ring of two");
                        atoms[here].bonds += 1;
                        atoms[there].bonds += 1;
                    }
                }
            }
            symbol => {
                atoms.push(Atom { symbol: symbol.to_owned(), bonds: 0 });
                let here = atoms.len() - 1;
                if let Some(there) = previous {
                    atoms[here].bonds += bond;
                    atoms[there].bonds += bond;
                }
                (previous, bond) = (Some(here), 1);
            }
        }
    }
    atoms
}

/// Most bonds of each symbol; for aromatic ones without the pi electron.
fn most(symbol: &str) -> u32 {
    match symbol {
        "C" | "[N+]" => 4,
        "N" | "c" => 3,
        "O" | "S" | "n" | "o" | "s" | "[nH]" => 2,
        "F" | "Cl" | "Br" | "[O-]" => 1,
        other => panic!("unexpected atom {other}"),
    }
}

#[test]
fn no_generated_atom_has_more_bonds_than_its_element_allows() {
    for index in 0..5000 {
        let smiles = molecule(3, index);
        assert_eq!(smiles_is_balanced(&smiles), Ok(()), "{smiles}");
        for atom in atoms(&smiles) {
            assert!(atom.bonds <= most(&atom.symbol), "{smiles}: {} {}", atom.symbol, atom.bonds);
        }
    }
}

#[test]
fn molecules_are_varied_and_the_same_seed_gives_the_same_ones() {
    let all: Vec<String> = (0..2000).map(|index| molecule(1, index)).collect();
    let distinct: std::collections::BTreeSet<&String> = all.iter().collect();
    assert!(distinct.len() > 1700, "{}", distinct.len());
    assert!(all.iter().any(|s| s.contains('1')) && all.iter().any(|s| s.contains('(')));
    assert!(all.iter().any(|s| s.contains("c1")) && all.iter().any(|s| s.contains("[nH]")));
    assert!(all.iter().all(|s| s.len() < 120));
    assert_eq!(all[7], molecule(1, 7));
    assert_ne!(all[7], molecule(2, 7));
}

/// Datasets made from the generator must not change with a release.
#[test]
fn the_first_molecules_of_seed_zero_are_these() {
    let first: Vec<String> = (0..4).map(|index| molecule(0, index)).collect();
    assert_eq!(
        first,
        [
            "C1(=C=CCl)CN(N)CC1=N",
            "Oc1ccsc1CON=C=CCOON",
            "C1CC(NCC)CC1COC",
            "c1cc[nH]c1c1cc[nH]c1CCOCCC",
        ]
    );
}
