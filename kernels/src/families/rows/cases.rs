//! Features of nodes, an edge a row.

use super::{RowIndex, RowsKernels, gather_rows, roofline, sum_rows};
use crate::cases::{Arithmetic::F32, Case, Place, Sizes, scattered};

pub(crate) fn cases<B: RowsKernels>(_: &Place<B>, sizes: &Sizes) -> Vec<Case<B>> {
    let (count, nodes, width) = (sizes.atoms.edges(), sizes.atoms.nodes, sizes.atoms.channels);
    let index = RowIndex::new(&scattered(count, nodes), nodes);
    let shape = format!("{count} items of {nodes} x {width}");
    let (gathered, summed) = (index.clone(), index);
    vec![
        Case::new("gather", shape.clone(), F32, roofline::gather(count, width, 4), move |at| {
            let (x, index) = (at.normal([nodes, width], F32), gathered.clone());
            move || gather_rows(x.clone(), &index)
        }),
        Case::new("sum", shape, F32, roofline::sum(count, width, nodes, 4), move |at| {
            let (x, index) = (at.normal([count, width], F32), summed.clone());
            move || sum_rows(x.clone(), &index)
        }),
    ]
}
