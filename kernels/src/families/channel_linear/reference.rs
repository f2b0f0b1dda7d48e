//! The map and its other two forms in Burn operations: one product per degree and species, of all
//! nodes, and zero for those of another species.

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

use super::{Block, ChannelLinear};

/// `[N, M, C]` to `[N, (max l + 1)^2, C]`.
pub fn forward<B: Backend>(
    x: &Tensor<B, 3>,
    weights: &Tensor<B, 1>,
    map: &ChannelLinear,
) -> Tensor<B, 3> {
    let num_nodes = x.dims()[0];
    let block = |block: Block| {
        let rows = inputs_of(x, &block, map);
        let parts = (0..map.num_species()).map(|z| {
            let rows = of_species(rows.clone(), z, &block, map);
            rows.matmul(matrix(weights, z, &block, map))
        });
        let sum = parts.reduce(Tensor::add).unwrap_or_else(|| unreachable!("S is at least 1"));
        sum.reshape([num_nodes, block.components, map.channels])
    };
    Tensor::cat(map.blocks().map(block).collect(), 1)
}

/// The gradient of x, of `num_rows` rows a node.
pub fn input<B: Backend>(
    grad: &Tensor<B, 3>,
    weights: &Tensor<B, 1>,
    num_rows: usize,
    map: &ChannelLinear,
) -> Tensor<B, 3> {
    let num_nodes = grad.dims()[0];
    let block = |block: Block| {
        let rows = outputs_of(grad, &block, map);
        let parts = (0..map.num_species()).map(|z| {
            let rows = of_species(rows.clone(), z, &block, map);
            rows.matmul(matrix(weights, z, &block, map).transpose())
        });
        let sum = parts.reduce(Tensor::add).unwrap_or_else(|| unreachable!("S is at least 1"));
        sum.reshape([num_nodes, block.input_rows(map.channels).len(), map.channels])
    };
    let mut blocks: Vec<_> = map.blocks().map(block).collect();
    if num_rows > map.num_inputs() {
        let shape = [num_nodes, num_rows - map.num_inputs(), map.channels];
        blocks.push(Tensor::zeros(shape, (&grad.device(), grad.dtype())));
    }
    Tensor::cat(blocks, 1)
}

/// The gradient of the weights.
pub fn weight<B: Backend>(
    grad: &Tensor<B, 3>,
    x: &Tensor<B, 3>,
    map: &ChannelLinear,
) -> Tensor<B, 1> {
    let block = |block: Block| {
        let (rows, grad) = (inputs_of(x, &block, map), outputs_of(grad, &block, map));
        let of_species = |z| {
            let product = of_species(rows.clone(), z, &block, map).transpose().matmul(grad.clone());
            product.mul_scalar(block.factor).unsqueeze_dim(1)
        };
        let all: Tensor<B, 3> = Tensor::cat((0..map.num_species()).map(of_species).collect(), 1);
        all.reshape([block.inputs * map.num_species() * map.channels])
    };
    Tensor::cat(map.blocks().map(block).collect(), 0)
}

/// `[N (2 l + 1), I_l]`
fn inputs_of<B: Backend>(x: &Tensor<B, 3>, block: &Block, map: &ChannelLinear) -> Tensor<B, 2> {
    let [num_nodes, _, channels] = x.dims();
    let rows = x.clone().slice([0..num_nodes, block.input_rows(map.channels), 0..channels]);
    rows.reshape([num_nodes * block.components, block.inputs])
}

/// `[N (2 l + 1), C]`
fn outputs_of<B: Backend>(grad: &Tensor<B, 3>, block: &Block, map: &ChannelLinear) -> Tensor<B, 2> {
    let [num_nodes, _, channels] = grad.dims();
    let rows = grad.clone().slice([0..num_nodes, block.output_rows(), 0..channels]);
    rows.reshape([num_nodes * block.components, map.channels])
}

/// The rows of nodes of species `z`, zero elsewhere.
fn of_species<B: Backend>(
    rows: Tensor<B, 2>,
    z: usize,
    block: &Block,
    map: &ChannelLinear,
) -> Tensor<B, 2> {
    let Some(species) = &map.species else { return rows };
    let of_node = species.rows().iter().map(|&of| f64::from(u8::from(of as usize == z)));
    let mask: Vec<f64> =
        of_node.flat_map(|one| std::iter::repeat_n(one, block.components)).collect();
    let shape = [mask.len(), 1];
    let device = rows.device();
    let mask = Tensor::from_data(TensorData::new(mask, shape), (&device, rows.dtype()));
    rows.mul(mask)
}

/// `f_l W_l[:, z, :]`
fn matrix<B: Backend>(
    weights: &Tensor<B, 1>,
    z: usize,
    block: &Block,
    map: &ChannelLinear,
) -> Tensor<B, 2> {
    let (num_species, channels) = (map.num_species(), map.channels);
    let weights = weights.clone().slice(block.weights(num_species, channels));
    let weights: Tensor<B, 3> = weights.reshape([block.inputs, num_species, channels]);
    let of_species = weights.slice([0..block.inputs, z..z + 1, 0..channels]);
    of_species.reshape([block.inputs, channels]).mul_scalar(block.factor)
}
