//! D = alpha op(A) op(B) + beta C, plus a bias for every row of D: column-major, by plain loops.
//!
//! Sums run along k in one order, in the type that the description names; operands of TF32 lose the bits that
//! the device's lose. Every column is asked for as reading or writing. Not here: the order of sums of a device.

use super::describe::{
    BF16, BIAS, Description, F32, F64, Layout, PLAIN, SUMS_F32, SUMS_F64, SUMS_TF32,
};
use super::{BlasStatus, Done, INVALID_VALUE, NOT_SUPPORTED, misuse};
use crate::arena::Arena;

/// Which of the matrices.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Operand {
    A,
    B,
    C,
    D,
}

impl Operand {
    pub(super) const ALL: [Self; 4] = [Self::A, Self::B, Self::C, Self::D];
}

/// A product that was checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Problem {
    product: Description,
    layouts: [Layout; 4],
    /// m, n and k.
    sizes: [usize; 3],
    pub(super) factors: [f64; 2],
    pub(super) addresses: [usize; 4],
    pub(super) workspace: (usize, usize),
}

fn bytes_of(kind: i32) -> usize {
    match kind {
        F64 => 8,
        F32 => 4,
        _ => 2,
    }
}

impl Problem {
    /// Checks descriptions against one another; what the library does not compute is no finding.
    pub(super) fn of(product: &Description, layouts: [Layout; 4]) -> Result<Self, BlasStatus> {
        let [a, b, c, d] = layouts;
        let turned = |of: Layout, transposed: bool| {
            if transposed { (of.columns, of.rows) } else { (of.rows, of.columns) }
        };
        let (m, k) = turned(a, product.transposed[0]);
        let (k_of_b, n) = turned(b, product.transposed[1]);
        let fits = k == k_of_b && (d.rows, d.columns) == (m, n) && (c.rows, c.columns) == (m, n);
        if !fits || m * n * k == 0 {
            let text = format!(
                "cublasLt: op(A) [{m}, {k}] and op(B) [{k_of_b}, {n}] do not give C and D {c:?} {d:?}"
            );
            return Err(misuse(INVALID_VALUE, &text));
        }
        for (operand, of) in Operand::ALL.into_iter().zip(layouts) {
            if of.stride < i64::try_from(of.rows).unwrap_or(i64::MAX) || of.batch != d.batch {
                let text = format!(
                    "cublasLt: the layout of {operand:?} has a stride below its rows, or another batch: {of:?}"
                );
                return Err(misuse(INVALID_VALUE, &text));
            }
        }
        let kinds = (a.kind, b.kind, c.kind, d.kind, product.sums, product.scale);
        let computed = match kinds {
            (F32, F32, F32, F32, SUMS_F32 | SUMS_TF32, F32)
            | (F64, F64, F64, F64, SUMS_F64, F64) => true,
            (BF16, BF16, c, d, SUMS_F32, F32) => c == d && (d == F32 || d == BF16),
            _ => false,
        };
        // A bias in f64 is what a program must not count on.
        let epilogue = product.epilogue == PLAIN || (product.epilogue == BIAS && d.kind != F64);
        if !computed || !epilogue {
            return Err(NOT_SUPPORTED);
        }
        let sizes = [m, n, k].map(|size| usize::try_from(size).unwrap_or(usize::MAX));
        let (factors, addresses, workspace) = ([1.0, 0.0], [0; 4], (0, 0));
        Ok(Self { product: *product, layouts, sizes, factors, addresses, workspace })
    }

    /// Checks what only the call knows.
    pub(super) fn check_addresses(&self) -> Done {
        for (operand, (address, of)) in
            Operand::ALL.into_iter().zip(self.addresses.into_iter().zip(self.layouts))
        {
            let is_needed = operand != Operand::C || self.factors[1] != 0.0;
            if is_needed && (address == 0 || !address.is_multiple_of(bytes_of(of.kind))) {
                let text = format!("cublasLtMatmul: {operand:?} is at {address:#x}");
                return Err(misuse(INVALID_VALUE, &text));
            }
        }
        if self.addresses[2] == self.addresses[3] && self.layouts[2] != self.layouts[3] {
            return Err(misuse(INVALID_VALUE, "cublasLtMatmul in place with two layouts"));
        }
        if self.product.epilogue == BIAS && self.product.bias == 0 {
            return Err(misuse(INVALID_VALUE, "cublasLtMatmul without the address of its bias"));
        }
        Ok(())
    }

    /// Computes it.
    pub(super) fn run(&self, arena: &mut Arena) -> Result<(), String> {
        let names = Operand::ALL.iter().map(|operand| format!("{operand:?}")).zip(self.addresses);
        arena.now.arguments = names.collect();
        if self.workspace.1 > 0 {
            arena.now.arguments.push(("workspace".into(), self.workspace.0));
            arena.touch(self.workspace.0, self.workspace.1, true)?;
        }
        let bias = if self.product.epilogue == BIAS {
            arena.now.arguments.push(("bias".into(), self.product.bias as usize));
            let kind = self.layouts[3].kind;
            column(arena, self.product.bias as usize, kind, self.sizes[0])?
        } else {
            vec![0.0; self.sizes[0]]
        };
        for batch in 0..usize::try_from(self.layouts[3].batch).unwrap_or(0) {
            self.run_one(arena, batch, &bias)?;
        }
        Ok(())
    }

    /// Where a column of a matrix begins.
    fn place(&self, operand: Operand, batch: usize, at: usize) -> usize {
        let of = &self.layouts[operand as usize];
        let elements = batch as i64 * of.batch_stride + at as i64 * of.stride;
        self.addresses[operand as usize]
            .wrapping_add_signed(elements as isize * bytes_of(of.kind) as isize)
    }

    /// The matrix as its columns lie.
    fn read(
        &self,
        arena: &mut Arena,
        operand: Operand,
        batch: usize,
    ) -> Result<Vec<Vec<f64>>, String> {
        let of = self.layouts[operand as usize];
        let rows = usize::try_from(of.rows).unwrap_or(0);
        let column = |at| column(arena, self.place(operand, batch, at), of.kind, rows);
        let columns = (0..usize::try_from(of.columns).unwrap_or(0)).map(column);
        let mut columns: Vec<Vec<f64>> = columns.collect::<Result<_, _>>()?;
        if self.product.sums == SUMS_TF32 {
            columns.iter_mut().flatten().for_each(|x| *x = tf32(*x));
        }
        Ok(columns)
    }

    fn run_one(&self, arena: &mut Arena, batch: usize, bias: &[f64]) -> Result<(), String> {
        let [m, n, k] = self.sizes;
        let [alpha, beta] = self.factors;
        let a = self.read(arena, Operand::A, batch)?;
        let b = self.read(arena, Operand::B, batch)?;
        let a = if self.product.transposed[0] { turned(&a, k) } else { a };
        let b = if self.product.transposed[1] { b } else { turned(&b, k) };
        let is_f64 = self.product.sums == SUMS_F64;
        for at in 0..n {
            let factors = b.iter().map(|row| row[at]);
            let sums = if is_f64 { sums_f64(&a, factors, m) } else { sums_f32(&a, factors, m) };
            let kind = self.layouts[3].kind;
            let before = if beta == 0.0 {
                vec![0.0; m]
            } else {
                column(arena, self.place(Operand::C, batch, at), kind, m)?
            };
            let round = |x: f64| if is_f64 { x } else { f64::from(x as f32) };
            let results: Vec<f64> = (0..m)
                .map(|row| round(round(alpha * sums[row] + beta * before[row]) + bias[row]))
                .collect();
            write(arena, self.place(Operand::D, batch, at), kind, &results)?;
        }
        Ok(())
    }
}

/// Rows become columns.
fn turned(columns: &[Vec<f64>], rows: usize) -> Vec<Vec<f64>> {
    (0..rows).map(|row| columns.iter().map(|column| column[row]).collect()).collect()
}

fn sums_f64(a: &[Vec<f64>], factors: impl Iterator<Item = f64>, m: usize) -> Vec<f64> {
    let mut sums = vec![0.0; m];
    for (column, factor) in a.iter().zip(factors) {
        sums.iter_mut().zip(column).for_each(|(sum, x)| *sum += x * factor);
    }
    sums
}

fn sums_f32(a: &[Vec<f64>], factors: impl Iterator<Item = f64>, m: usize) -> Vec<f64> {
    let mut sums = vec![0.0_f32; m];
    for (column, factor) in a.iter().zip(factors) {
        // The product of two f32 is exact in f64: one rounding a term, as of a fused multiply-add.
        sums.iter_mut()
            .zip(column)
            .for_each(|(sum, x)| *sum = (f64::from(*sum) + x * factor) as f32);
    }
    sums.into_iter().map(f64::from).collect()
}

/// To ten bits behind the point, to nearest, ties away from zero: what the device does with operands of TF32.
fn tf32(x: f64) -> f64 {
    let bits = (x as f32).to_bits();
    if bits & 0x7f80_0000 == 0x7f80_0000 {
        return x;
    }
    f64::from(f32::from_bits(bits.wrapping_add(0x1000) & !0x1fff))
}

fn column(arena: &mut Arena, at: usize, kind: i32, rows: usize) -> Result<Vec<f64>, String> {
    arena.touch(at, rows * bytes_of(kind), false)?;
    let number = |row: usize| {
        // SAFETY: so many bytes were just touched.
        unsafe {
            match kind {
                F64 => (at as *const f64).add(row).read_unaligned(),
                F32 => (at as *const f32).add(row).read_unaligned().into(),
                _ => f32::from_bits(u32::from((at as *const u16).add(row).read_unaligned()) << 16)
                    .into(),
            }
        }
    };
    Ok((0..rows).map(number).collect())
}

fn write(arena: &mut Arena, at: usize, kind: i32, numbers: &[f64]) -> Result<(), String> {
    arena.touch(at, numbers.len() * bytes_of(kind), true)?;
    for (row, &number) in numbers.iter().enumerate() {
        // SAFETY: so many bytes were just touched.
        unsafe {
            match kind {
                F64 => (at as *mut f64).add(row).write_unaligned(number),
                F32 => (at as *mut f32).add(row).write_unaligned(number as f32),
                _ => (at as *mut u16).add(row).write_unaligned(bf16(number as f32)),
            }
        }
    }
    Ok(())
}

/// To nearest, ties to even.
fn bf16(x: f32) -> u16 {
    let bits = x.to_bits();
    if x.is_nan() {
        return (bits >> 16) as u16 | 0x40;
    }
    ((bits + 0x7fff + (bits >> 16 & 1)) >> 16) as u16
}
