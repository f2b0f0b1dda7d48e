//! Checks at the boundary of a kernel: the message names the operation, the argument, both
//! shapes and what fixes the expected one.
//!
//! A wrong shape here is a bug of the caller in this program, never a user's input, so these
//! are assertions. Not here: checks of values, which belong to their family.

/// Asserts that `argument` of `operation` has the shape `want`, which holds `because`.
///
/// # Panics
/// When the shapes differ.
#[track_caller]
pub fn assert_shape<const D: usize>(
    operation: &str,
    argument: &str,
    got: [usize; D],
    want: [usize; D],
    because: &str,
) {
    assert!(got == want, "{operation}: `{argument}` is {got:?} but must be {want:?}: {because}");
}

/// Asserts that every id is in `0..count`; the message names the first that is not.
///
/// # Panics
/// When an id is out of range.
#[track_caller]
pub fn assert_ids(operation: &str, argument: &str, ids: &[i64], count: usize, what: &str) {
    let bound = i64::try_from(count).expect("a tensor has fewer rows than i64 can count");
    let wrong = ids.iter().position(|id| !(0..bound).contains(id));
    if let Some(at) = wrong {
        let id = ids[at];
        assert!(
            (0..bound).contains(&id),
            "{operation}: `{argument}[{at}]` is {id} but {what} has {count} rows, so it must be in 0..{count}"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "attention: `k` is [2, 3] but must be [2, 4]: `q` fixes D")]
    fn the_message_names_both_shapes_and_the_reason() {
        assert_shape("attention", "k", [2, 3], [2, 4], "`q` fixes D");
    }

    #[test]
    #[should_panic(expected = "`ids[1]` is 7 but the vocabulary has 5 rows")]
    fn the_first_id_out_of_range_is_named() {
        assert_ids("embedding", "ids", &[4, 7, 9], 5, "the vocabulary");
    }
}
