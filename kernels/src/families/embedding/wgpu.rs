//! Row lookup on wgpu and its gradient: the host sorts the tokens by id, and a workgroup sums those of
//! one id in token order, so no atomics are needed.

use burn::tensor::{Int, Tensor};

use super::reference::host_ids;
use crate::Wgpu;
use crate::machine::wgpu::{Array, Shader, Source, count, groups_of, params, spread};
use crate::shape::assert_ids;

params! {
    /// Of both entry points.
    EmbeddingParams { rows: u32, width: u32 }
}

const FILE: Source =
    Source::file("families/embedding/embedding.wgsl", include_str!("embedding.wgsl"));

fn forward_shader() -> Shader {
    Shader::new::<EmbeddingParams>(FILE, "embedding", 3)
}

fn sums_shader() -> Shader {
    Shader::new::<EmbeddingParams>(FILE, "embedding_sums", 4)
}

/// Every kernel that this family launches.
#[cfg(test)]
pub(crate) fn shaders() -> Vec<Shader> {
    vec![forward_shader(), sums_shader()]
}

/// [`embedding`](fn@crate::families::embedding::embedding).
pub(crate) fn forward(weight: Tensor<Wgpu, 2>, ids: Tensor<Wgpu, 1, Int>) -> Tensor<Wgpu, 2> {
    let ([rows, width], [tokens]) = (weight.dims(), ids.dims());
    assert_ids("embedding", "ids", &host_ids(&ids), rows, "the table");
    let (weight, ids) = (Array::new(weight), Array::ints(ids));
    let y = weight.room([tokens, width]);
    let params = EmbeddingParams { rows: count(tokens), width: count(width) };
    forward_shader().launch(&[&weight, &ids, &y], &params, groups_of(y.len()));
    y.tensor([tokens, width])
}

/// [`embedding_backward`](fn@crate::families::embedding::embedding_backward).
pub(crate) fn backward(
    grad: Tensor<Wgpu, 2>,
    ids: &Tensor<Wgpu, 1, Int>,
    num_rows: usize,
) -> Tensor<Wgpu, 2> {
    let [tokens, width] = grad.dims();
    let ids = host_ids(ids);
    assert_ids("embedding_backward", "ids", &ids, num_rows, "the table");
    let zeros = Tensor::<Wgpu, 2>::zeros([num_rows, width], &grad.device());
    if tokens == 0 || width == 0 {
        return zeros;
    }
    let Tokens { order, runs } = Tokens::by_id(&ids);
    let (grad, sums) = (Array::new(grad), Array::new(zeros));
    let num_runs = runs.len() / 3;
    let params = EmbeddingParams { rows: count(num_runs), width: count(width) };
    let arrays = [&grad, &grad.table(&runs), &grad.table(&order), &sums];
    sums_shader().launch(&arrays, &params, spread(num_runs));
    sums.tensor([num_rows, width])
}

/// Tokens grouped by their ids.
#[derive(Debug, PartialEq)]
struct Tokens {
    /// Tokens id by id, those of one id in order.
    order: Vec<u32>,
    /// Id, first and last place in `order`, of every id that occurs.
    runs: Vec<u32>,
}

impl Tokens {
    fn by_id(ids: &[i64]) -> Self {
        let mut order: Vec<usize> = (0..ids.len()).collect();
        // A stable sort keeps tokens of one id in order.
        order.sort_by_key(|&token| ids[token]);
        let mut runs = vec![];
        let mut first = 0;
        for run in order.chunk_by(|&a, &b| ids[a] == ids[b]) {
            let id = usize::try_from(ids[run[0]]).expect("ids are rows of the table");
            runs.extend([count(id), count(first), count(first + run.len())]);
            first += run.len();
        }
        Self { order: order.into_iter().map(count).collect(), runs }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_of_an_id_stay_in_order_and_ids_that_do_not_occur_have_no_run() {
        let want = Tokens { order: vec![1, 3, 0, 2], runs: vec![0, 0, 2, 7, 2, 3, 9, 3, 4] };
        assert_eq!(Tokens::by_id(&[7, 0, 9, 0]), want);
    }
}
