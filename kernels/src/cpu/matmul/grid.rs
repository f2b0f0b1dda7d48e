//! How the result of a product is cut among threads: a grid of rectangles, one per thread.
//!
//! Every thread packs what it multiplies, so the grid is the one with the least packing and the
//! least idle time. The summed axis is never cut.

use std::ops::Range;

/// Multiply-adds that are worth a thread: about 10 microseconds of one core, twice what handing
/// over costs.
const WORTH_A_THREAD: usize = 1 << 19;

/// Multiply-adds in the time that packing a number takes, a copy.
const PACKING: usize = 8;

/// Rectangles of whole tiles.
#[derive(Debug)]
pub(super) struct Grid {
    shape: [usize; 2],
    tile: [usize; 2],
    /// Rectangles down and across.
    parts: [usize; 2],
}

impl Grid {
    /// The grid for `[M, N]` results of K terms on at most so many threads.
    pub(super) fn new(shape: [usize; 2], terms: usize, tile: [usize; 2], threads: usize) -> Self {
        let [rows, columns] = shape;
        let worth = (rows * columns).saturating_mul(terms) / WORTH_A_THREAD;
        let threads = threads.min(worth).max(1);
        let grid = |down| Self { shape, tile, parts: [down, threads / down] };
        let least = (1..=threads).map(grid).min_by_key(Self::cost);
        least.unwrap_or(Self { shape, tile, parts: [1, 1] })
    }

    /// Work of the slowest thread per term, in multiply-adds.
    fn cost(&self) -> usize {
        let [rows, columns] = [0, 1].map(|axis| {
            let tiles = self.shape[axis].div_ceil(self.tile[axis]);
            tiles.div_ceil(self.parts[axis]) * self.tile[axis]
        });
        rows * columns + PACKING * (rows + columns)
    }

    pub(super) fn len(&self) -> usize {
        self.parts[0] * self.parts[1]
    }

    /// Rows and columns of a rectangle; some are empty where there are fewer tiles than parts.
    pub(super) fn part(&self, number: usize) -> (Range<usize>, Range<usize>) {
        let at = [number / self.parts[1], number % self.parts[1]];
        let range = |axis: usize| {
            let tiles = self.shape[axis].div_ceil(self.tile[axis]);
            let edge = |part: usize| {
                (tiles * part / self.parts[axis] * self.tile[axis]).min(self.shape[axis])
            };
            edge(at[axis])..edge(at[axis] + 1)
        };
        (range(0), range(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_every_number_once_for_any_number_of_threads() {
        for shape in [[100, 70], [1, 1000], [1000, 1], [15, 33]] {
            for threads in 1..9 {
                let grid = Grid::new(shape, 1 << 20, [14, 32], threads);
                assert!(grid.len() <= threads);
                let mut seen = vec![0; shape[0] * shape[1]];
                for part in 0..grid.len() {
                    let (rows, columns) = grid.part(part);
                    for row in rows {
                        columns.clone().for_each(|column| seen[row * shape[1] + column] += 1);
                    }
                }
                assert!(seen.iter().all(|&count| count == 1), "{grid:?}");
            }
        }
    }

    #[test]
    fn small_products_stay_on_one_thread_and_long_ones_are_cut_where_they_are_long() {
        assert_eq!(Grid::new([150, 32], 32, [14, 32], 8).len(), 1);
        assert_eq!(Grid::new([4096, 384], 1024, [14, 32], 2).parts, [2, 1]);
        assert_eq!(Grid::new([14, 4096], 1024, [14, 32], 4).parts, [1, 4]);
        assert_eq!(Grid::new([0, 5], 7, [14, 32], 4).len(), 1);
    }
}
