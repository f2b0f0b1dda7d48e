//! Gradients of parts and ranks to the gradients of a step.
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

use burn::tensor::{DType, Tensor, TensorData};
use genesis_kernels::Kernels;

use super::error::TrainError;
use super::task::Gradients;
use crate::cluster::{Cluster, ClusterError, Element};
use crate::keys::ParallelConfig;

/// How gradients are summed over ranks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Summing {
    /// Along the tree, by gathering; otherwise by the engine's own sums.
    pub(crate) deterministic: bool,
    /// Bytes that are exchanged at once.
    pub(crate) bucket_bytes: usize,
}

impl From<&ParallelConfig> for Summing {
    fn from(config: &ParallelConfig) -> Self {
        Self { deterministic: config.deterministic, bucket_bytes: config.bucket_bytes() }
    }
}

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

impl Summing {
    /// The loss and the gradients of all ranks, the same bits on each.
    ///
    /// # Errors
    /// A rank that is gone.
    pub(crate) fn over_ranks<B: Kernels>(
        self,
        cluster: &Cluster,
        (loss, gradients): Gradients<B>,
    ) -> Result<Gradients<B>, TrainError> {
        if cluster.is_alone() {
            return Ok((loss, gradients));
        }
        let losses = cluster.gather(&[loss])?.into_iter().map(|it| Ok::<_, ClusterError>(it[0]));
        let loss = tree(losses)?.unwrap_or_default();
        let double = gradients.first().is_some_and(|it| it.dtype() == DType::F64);
        let gradients = if double {
            self.exchange::<B, f64>(cluster, &gradients)?
        } else {
            self.exchange::<B, f32>(cluster, &gradients)?
        };
        Ok((loss, gradients))
    }

    /// Gradients in buckets to the host, over the ranks, and back.
    fn exchange<B: Kernels, E: Element + burn::tensor::Element>(
        self,
        cluster: &Cluster,
        gradients: &[Tensor<B, 1>],
    ) -> Result<Vec<Tensor<B, 1>>, TrainError> {
        let mut summed = Vec::with_capacity(gradients.len());
        for bucket in self.buckets::<B, E>(gradients) {
            let mut values: Vec<E> = Vec::new();
            for gradient in bucket {
                let data = gradient.to_data().convert::<E>();
                values.extend(data.into_vec::<E>().expect("converted just now"));
            }
            let values = self.sum(cluster, values)?;
            let mut rest = values.as_slice();
            for gradient in bucket {
                let (mine, after) = rest.split_at(gradient.dims()[0]);
                let data = TensorData::new(mine.to_vec(), gradient.dims());
                summed.push(Tensor::from_data(data, (&gradient.device(), gradient.dtype())));
                rest = after;
            }
        }
        Ok(summed)
    }

    /// Neighbours that fit a bucket together; one that is larger has one of its own.
    fn buckets<B: Kernels, E>(self, gradients: &[Tensor<B, 1>]) -> Vec<&[Tensor<B, 1>]> {
        let most = self.bucket_bytes / size_of::<E>();
        let mut buckets = Vec::new();
        let (mut first, mut held) = (0, 0);
        for (at, gradient) in gradients.iter().enumerate() {
            let length = gradient.dims()[0];
            if at > first && held + length > most {
                buckets.push(&gradients[first..at]);
                (first, held) = (at, 0);
            }
            held += length;
        }
        if first < gradients.len() {
            buckets.push(&gradients[first..]);
        }
        buckets
    }

    fn sum<E: Element>(
        self,
        cluster: &Cluster,
        mut values: Vec<E>,
    ) -> Result<Vec<E>, ClusterError> {
        if self.deterministic {
            let all = cluster.gather(&values)?.into_iter().map(Ok::<_, ClusterError>);
            return Ok(tree(all)?.unwrap_or_default());
        }
        cluster.sum(&mut values)?;
        Ok(values)
    }
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
