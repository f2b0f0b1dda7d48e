//! Matrix products of the emulator: plain loops in the precision that the product asks for.

use crate::machine::cuda::product::{Compute, Product};
use crate::machine::{Array, Element};

use super::memory::GuardedArray;

/// Computes the product.
pub(super) fn run(product: &Product<'_, GuardedArray>) {
    product.check();
    let [m, n, _] = product.sizes();
    for batch in 0..product.batch {
        for row in 0..m {
            for column in 0..n {
                let value = if product.out.array.element() == Element::F64 {
                    element::<f64>(product, [batch, row, column])
                } else {
                    element::<f32>(product, [batch, row, column])
                };
                product.out.array.set(product.out.place(batch, row, column), value);
            }
        }
    }
}

fn element<T: crate::testing::Real>(
    product: &Product<'_, GuardedArray>,
    [batch, row, column]: [usize; 3],
) -> f64 {
    let [_, _, k] = product.sizes();
    let operand =
        |matrices: &crate::machine::cuda::product::Matrices<'_, GuardedArray>, row, column| {
            let value = matrices.array.get(matrices.place(batch, row, column));
            T::of(if product.compute == Compute::Tf32 { cut(value) } else { value })
        };
    let term = |at: usize| operand(&product.a, row, at) * operand(&product.b, at, column);
    let mut sum: T = (0..k).map(term).sum();
    if let Some(bias) = product.bias {
        sum = sum + T::of(bias.get(column));
    }
    if product.accumulate {
        sum = sum + T::of(product.out.array.get(product.out.place(batch, row, column)));
    }
    if let Some(onto) = product.onto {
        sum = sum + T::of(onto.get(product.out.place(batch, row, column)));
    }
    sum.wide()
}

/// An f32 to 10 bits of fraction, nearest.
#[expect(clippy::cast_possible_truncation, reason = "the operand is an f32")]
fn cut(x: f64) -> f64 {
    let bits = (x as f32).to_bits();
    if !x.is_finite() {
        return x;
    }
    f64::from(f32::from_bits((bits + 0x0fff + ((bits >> 13) & 1)) & !0x1fff))
}
