//! The order in which parts and ranks are added up.
//!
//! Usually a rank adds up what it computes and the engine sums over ranks, in the order that is fastest. In the
//! deterministic mode a step has a fixed number of parts, and every sum is made along one binary tree over
//! them, whoever computes which part:
//!
//! ```text
//! ranks 1                   2                  4
//!       ((a+b)+(c+d))       (a+b) | (c+d)      a | b | c | d
//! ```
//!
//! A rank holds a whole branch of the tree, so a number of ranks that is a power of two gives the bits of one.
//! Not here: what moves between ranks (`reduction`).

use burn::tensor::Tensor;
use genesis_kernels::Kernels;

use super::task::Gradients;
use crate::cluster::Element;

/// What is summed along the tree.
pub(crate) trait Add {
    /// The sum, this one first.
    fn add(self, next: Self) -> Self;
}

impl<B: Kernels> Add for Gradients<B> {
    fn add(self, next: Self) -> Self {
        let sums = self.1.into_iter().zip(next.1).map(|(a, b)| a.add(b)).collect();
        (self.0 + next.0, sums)
    }
}

impl<B: Kernels> Add for Tensor<B, 1> {
    fn add(self, next: Self) -> Self {
        Tensor::add(self, next)
    }
}

impl Add for f64 {
    fn add(self, next: Self) -> Self {
        self + next
    }
}

impl<E: Element> Add for Vec<E> {
    fn add(mut self, next: Self) -> Self {
        self.iter_mut().zip(next).for_each(|(sum, value)| *sum = *sum + value);
        self
    }
}

/// The sum of `parts` along a binary tree over them: neighbours first, then pairs of pairs. Holds one sum for
/// each floor of the tree at most. `None` without any part.
///
/// # Errors
/// The first of the parts' own.
pub(crate) fn tree<T: Add, E>(
    parts: impl IntoIterator<Item = Result<T, E>>,
) -> Result<Option<T>, E> {
    // Sums with the number of parts in each, which fall from left to right.
    let mut open: Vec<(usize, T)> = Vec::new();
    for part in parts {
        let mut sum = (1, part?);
        while open.last().is_some_and(|(size, _)| *size == sum.0) {
            let Some((size, left)) = open.pop() else { break };
            sum = (size + sum.0, left.add(sum.1));
        }
        open.push(sum);
    }
    Ok(open.into_iter().map(|(_, sum)| sum).rev().reduce(|right, left| left.add(right)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A text that shows how it was added up.
    struct Shown(String);

    impl Add for Shown {
        fn add(self, next: Self) -> Self {
            Self(format!("({}+{})", self.0, next.0))
        }
    }

    fn shown(parts: usize) -> Option<String> {
        let letter =
            |i| Ok::<_, ()>(Shown(char::from(b'a' + u8::try_from(i).unwrap()).to_string()));
        tree((0..parts).map(letter)).unwrap().map(|sum| sum.0)
    }

    #[test]
    fn sums_are_made_along_one_tree() {
        assert_eq!(shown(0), None);
        assert_eq!(shown(1).unwrap(), "a");
        assert_eq!(shown(4).unwrap(), "((a+b)+(c+d))");
        assert_eq!(shown(8).unwrap(), "(((a+b)+(c+d))+((e+f)+(g+h)))");
        assert_eq!(shown(7).unwrap(), "(((a+b)+(c+d))+((e+f)+g))", "any number has its tree");
    }

    #[test]
    fn branches_of_ranks_give_the_bits_of_the_whole_tree() {
        let values: Vec<f64> = (0..16).map(|i| (f64::from(i) * 0.37).sin() * 1e3).collect();
        let sum = |parts: &[f64]| tree(parts.iter().map(|it| Ok::<_, ()>(*it))).unwrap().unwrap();
        let whole = sum(&values);
        for world in [1, 2, 4, 8, 16] {
            let branches: Vec<f64> = values.chunks(16 / world).map(sum).collect();
            assert_eq!(sum(&branches).to_bits(), whole.to_bits(), "{world} ranks");
        }
        let line: f64 = values.iter().sum();
        assert_ne!(line.to_bits(), whole.to_bits(), "the order matters for these numbers");
    }

    #[test]
    fn the_first_error_of_a_part_is_the_error_of_the_sum() {
        assert_eq!(tree([Ok(1.0), Err("second"), Err("third")]), Err("second"));
    }
}
