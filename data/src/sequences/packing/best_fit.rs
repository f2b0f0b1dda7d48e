//! Best fit: lengths into rows of one size, longest first, each into the fullest row that still has room.
//!
//! How many rows there are follows from the lengths alone, whatever the order of equal ones.
//!
//! # Source
//! Best-fit decreasing of bin packing (Johnson, "Near-optimal bin packing algorithms", MIT, 1973): at most
//! 11/9 of the fewest rows, and 6/9 of a row. Ding et al., arXiv:2404.10830, pack documents with it.

use std::collections::BTreeSet;

/// Which row each of `lengths` goes to, and how many rows there are. Of rows with the same room the first is taken.
///
/// # Panics
/// If lengths rise, or one is 0 or above `room`: a bug of the caller, which sorted and cut them.
pub(super) fn best_fit(lengths: impl IntoIterator<Item = u32>, room: u32) -> (Vec<u32>, u32) {
    let (mut rows, mut num_rows, mut last) = (Vec::new(), 0, room);
    // Rows by the room that they have, full ones left out.
    let mut open: BTreeSet<(u32, u32)> = BTreeSet::new();
    for length in lengths {
        assert!((1..=last).contains(&length), "best fit: {length} after {last}");
        last = length;
        let fullest = open.range((length, 0)..).next().copied();
        let (left, row) = fullest.unwrap_or((room, num_rows));
        if !open.remove(&(left, row)) {
            num_rows += 1;
        }
        if left > length {
            open.insert((left - length, row));
        }
        rows.push(row);
    }
    (rows, num_rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_length_goes_to_the_fullest_row_with_room() {
        // 6 and 3 leave 1, 5 and 5 nothing; 4 is the only one that a row of its own is made for.
        assert_eq!(best_fit([6, 5, 5, 4, 3, 1], 10), (vec![0, 1, 1, 0, 2, 2], 3));
        assert_eq!(best_fit([7, 6, 3, 3, 1], 10), (vec![0, 1, 0, 1, 1], 2));
        assert_eq!(best_fit([], 10), (vec![], 0));
        assert_eq!(best_fit([10, 10, 1], 10), (vec![0, 1, 2], 3));
    }

    #[test]
    fn no_row_is_over_full_and_none_could_take_what_the_next_began_with() {
        let stream = genesis_schema::Seeds::new(1).stream("lengths");
        for case in 0..200 {
            let room = 1 + u32::try_from(stream.below(case, 0, 60)).unwrap();
            let count = stream.below(case, 1, 300);
            let length = |i| 1 + u32::try_from(stream.below(case, 2 + i, u64::from(room))).unwrap();
            let mut lengths: Vec<u32> = (0..count).map(length).collect();
            lengths.sort_unstable_by(|a, b| b.cmp(a));
            let (rows, num_rows) = best_fit(lengths.iter().copied(), room);
            let mut held = vec![0; num_rows as usize];
            for (&row, &length) in rows.iter().zip(&lengths) {
                let opened = held[row as usize] == 0;
                let earlier = &held[..row as usize];
                assert!(!opened || earlier.iter().all(|it| it + length > room), "room was left");
                held[row as usize] += length;
            }
            assert!(held.iter().all(|&it| it > 0 && it <= room));
            // Any two rows hold more than one row has room for, but at most one pair.
            let total: u32 = lengths.iter().sum();
            assert!(num_rows <= 1 || 2 * total > (num_rows - 1) * room);
        }
    }
}
