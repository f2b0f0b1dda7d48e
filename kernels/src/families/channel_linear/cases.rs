//! Maps of all degrees, of one species and by species.

use burn::tensor::Tensor;

use super::{ChannelLinear, ChannelLinearKernels, DegreeMap, roofline};
use super::{channel_linear, channel_linear_input, channel_linear_weight};
use crate::RowIndex;
use crate::cases::Arithmetic::{self, F32, F64};
use crate::cases::{Atoms, Case, HARMONICS, Place, SPECIES, Sizes};

const ROWS: usize = (HARMONICS + 1) * (HARMONICS + 1);

pub(crate) fn cases<B: ChannelLinearKernels>(at: &Place<B>, sizes: &Sizes) -> Vec<Case<B>> {
    let of = |it| [false, true].map(|by_species| forms(sizes.atoms, by_species, it));
    at.can([F32, F64]).into_iter().flat_map(of).flatten().collect()
}

fn forms<B: ChannelLinearKernels>(
    a: Atoms,
    by_species: bool,
    arithmetic: Arithmetic,
) -> [Case<B>; 3] {
    let map = ChannelLinear {
        degrees: vec![DegreeMap { copies: 1, factor: 0.1 }; HARMONICS + 1].into(),
        channels: a.channels,
        species: by_species.then(|| RowIndex::new(&a.species(), SPECIES)),
    };
    let of = if by_species { "by species" } else { "" };
    let shape = format!("{} nodes c{} {of}", a.nodes, a.channels);
    let work = roofline::form(&map, a.nodes, arithmetic.bytes());
    let case = |operation, run: fn(&Tensor<B, 3>, Tensor<B, 1>, &ChannelLinear)| {
        let map = map.clone();
        Case::new(operation, shape.clone(), arithmetic, work, move |at| {
            let x = at.normal([a.nodes, ROWS, a.channels], arithmetic);
            let (weights, map) = (at.normal([map.num_weights()], arithmetic), map.clone());
            move || run(&x, weights.clone(), &map)
        })
    };
    [
        case("forward", |x, w, map| drop(channel_linear(x.clone(), w, map))),
        case("input", |x, w, map| drop(channel_linear_input(x.clone(), w, ROWS, map))),
        case("weight", |x, _, map| drop(channel_linear_weight(x.clone(), x.clone(), map))),
    ]
}
