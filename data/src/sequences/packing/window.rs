//! Some documents as rows: what fills a row alone, and the rest packed by best fit.
//!
//! A document longer than a row is cut: pieces of a whole row from its begin on, and what is left over is packed like a
//! document. No other document is cut.

use super::best_fit::best_fit;
use crate::dataset::opened::find;

/// A run of tokens of one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// Index of the document in its split.
    pub document: u64,
    /// Its first token.
    pub start: u32,
    /// Tokens.
    pub length: u32,
}

/// A document to be packed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item {
    pub(super) document: u64,
    pub(super) length: u32,
    /// Of documents that are equally long, the lowest is packed first.
    pub(super) rank: u64,
}

/// What a number of documents come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) rows: u64,
    /// Documents longer than a row.
    pub(super) cut: u64,
    /// What these are cut into.
    pub(super) pieces: u64,
}

impl Counts {
    /// Of documents of `lengths`, which are used up.
    pub(super) fn of(mut lengths: Vec<u32>, context: u32) -> Self {
        let mut counts = Self::default();
        for &length in &lengths {
            counts.rows += u64::from(length / context);
            if length > context {
                counts.cut += 1;
                counts.pieces += u64::from(length.div_ceil(context));
            }
        }
        lengths.retain_mut(|length| {
            *length %= context;
            *length > 0
        });
        lengths.sort_unstable_by(|a, b| b.cmp(a));
        counts.rows += u64::from(best_fit(lengths, context).1);
        counts
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            rows: self.rows + other.rows,
            cut: self.cut + other.cut,
            pieces: self.pieces + other.pieces,
        }
    }
}

/// Documents in rows. Those that one document fills come first, in the order of the documents.
#[derive(Debug)]
pub(super) struct Window {
    context: u32,
    /// By rank.
    items: Vec<Item>,
    /// `[documents + 1]` rows that are filled by one of the documents before, then all such rows.
    filled_before: Vec<u64>,
    /// Places in `items` of what is packed, row by row.
    packed: Vec<u32>,
    /// `[packed rows + 1]` first place of each in `packed`.
    starts: Vec<u32>,
}

impl Window {
    pub(super) fn pack(mut items: Vec<Item>, context: u32) -> Self {
        items.sort_unstable_by_key(|item| item.rank);
        let mut filled_before = vec![0];
        for item in &items {
            let before = filled_before[filled_before.len() - 1];
            filled_before.push(before + u64::from(item.length / context));
        }
        let rest = |place: &u32| items[*place as usize].length % context;
        let all = 0..u32::try_from(items.len()).expect("a window has fewer than 2^32 documents");
        let mut packed: Vec<u32> = all.filter(|place| rest(place) > 0).collect();
        // Stable: equally long ones stay in order.
        packed.sort_by_key(|place| std::cmp::Reverse(rest(place)));
        let (rows, num_rows) = best_fit(packed.iter().map(rest), context);
        let starts = starts(&rows, num_rows);
        let mut by_row: Vec<(u32, u32)> = rows.into_iter().zip(packed).collect();
        by_row.sort_by_key(|&(row, _)| row);
        let packed = by_row.into_iter().map(|(_, place)| place).collect();
        Self { context, items, filled_before, packed, starts }
    }

    pub(super) fn num_rows(&self) -> u64 {
        self.filled() + self.starts.len() as u64 - 1
    }

    fn filled(&self) -> u64 {
        self.filled_before[self.items.len()]
    }

    /// What row `row` holds.
    ///
    /// # Panics
    /// If there is no such row.
    pub(super) fn row(&self, row: u64) -> Vec<Piece> {
        let context = self.context;
        if row < self.filled() {
            let place = find(&self.filled_before, row);
            let number =
                u32::try_from(row - self.filled_before[place]).expect("a piece of a document");
            let document = self.items[place].document;
            return vec![Piece { document, start: number * context, length: context }];
        }
        let row = usize::try_from(row - self.filled()).expect("a row of a window");
        let places = &self.packed[self.starts[row] as usize..self.starts[row + 1] as usize];
        let rest = |&place: &u32| {
            let Item { document, length, .. } = self.items[place as usize];
            let rest = length % context;
            Piece { document, start: length - rest, length: rest }
        };
        places.iter().map(rest).collect()
    }
}

/// `[num_rows + 1]` how many of `rows` are below each row, then all.
fn starts(rows: &[u32], num_rows: u32) -> Vec<u32> {
    let mut starts = vec![0; num_rows as usize + 1];
    for &row in rows {
        starts[row as usize + 1] += 1;
    }
    for row in 1..starts.len() {
        starts[row] += starts[row - 1];
    }
    starts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(lengths: &[u32]) -> Vec<Item> {
        let numbered = lengths.iter().enumerate();
        numbered
            .map(|(i, &length)| Item { document: 100 + i as u64, length, rank: i as u64 })
            .collect()
    }

    fn piece(document: u64, start: u32, length: u32) -> Piece {
        Piece { document, start, length }
    }

    #[test]
    fn documents_longer_than_a_row_are_cut_and_no_other_one() {
        let window = Window::pack(items(&[25, 4, 10, 6, 5]), 10);
        let rows: Vec<Vec<Piece>> = (0..window.num_rows()).map(|row| window.row(row)).collect();
        assert_eq!(
            rows,
            [
                vec![piece(100, 0, 10)],
                vec![piece(100, 10, 10)],
                vec![piece(102, 0, 10)],
                vec![piece(103, 0, 6), piece(101, 0, 4)],
                vec![piece(100, 20, 5), piece(104, 0, 5)],
            ]
        );
        let counts = Counts::of(vec![25, 4, 10, 6, 5], 10);
        assert_eq!(counts, Counts { rows: 5, cut: 1, pieces: 3 });
    }

    #[test]
    fn equally_long_documents_change_places_and_the_number_of_rows_stays() {
        let lengths = [7, 3, 7, 3, 3, 7, 2];
        let mut turned = items(&lengths);
        for item in &mut turned {
            item.rank = 10 - item.rank;
        }
        let (one, other) = (Window::pack(items(&lengths), 10), Window::pack(turned, 10));
        assert_eq!(one.num_rows(), other.num_rows());
        assert_eq!(one.num_rows(), Counts::of(lengths.to_vec(), 10).rows);
        assert_eq!(one.row(0), [piece(100, 0, 7), piece(101, 0, 3)]);
        assert_eq!(other.row(0), [piece(105, 0, 7), piece(104, 0, 3)]);
    }
}
