//! Maps between channels on CUDA: for every degree one batch of products, its 2 l + 1 components, read and
//! written in place by strides. Nodes of several species are sorted by species first, so that each species
//! has one run of rows, and put back afterwards.

use super::{Block, ChannelLinear};
use crate::RowIndex;
use crate::families::rows::gpu::{Index, gather, sum};
use crate::machine::cuda::product::{Matrices, Product};
use crate::machine::cuda::{Array, CudaMachine, Launch, Source};
use crate::machine::launch::Number;

static SOURCE: Source =
    Source::of("families/channel_linear/channel_linear.cu", include_str!("channel_linear.cu"));

/// Threads of a block.
const THREADS: usize = 256;

/// Nodes by species in the memory of a machine: item `i` is the place there, its row the node.
#[derive(Clone, Debug)]
pub(crate) struct Order<A>(Index<A>);

impl<A> Order<A> {
    pub(crate) fn upload<M: CudaMachine<Array = A>>(machine: &M, species: &RowIndex) -> Self {
        let order = RowIndex::new(species.items(), species.num_items());
        Self(Index::upload(machine, &order))
    }
}

/// A call: the map with the order of its nodes, where it has species, and the number of nodes and of rows
/// that x has for each.
#[derive(Debug)]
pub(crate) struct Call<'a, M: CudaMachine> {
    pub(crate) machine: &'a M,
    pub(crate) map: &'a ChannelLinear,
    pub(crate) order: Option<&'a Order<M::Array>>,
    pub(crate) num_nodes: usize,
    pub(crate) num_rows: usize,
}

/// Nodes of one species, which lie side by side.
#[derive(Clone, Copy, Debug)]
struct Run {
    species: usize,
    first: usize,
    count: usize,
}

impl<M: CudaMachine> Call<'_, M> {
    /// `[N, (max l + 1)^2, C]`
    pub(crate) fn forward(&self, x: &M::Array, weights: &M::Array) -> M::Array {
        let x = self.sorted(x, self.num_rows);
        let weights = self.scaled(weights);
        // Degrees without a copy have no product that would write their zeros.
        let y =
            self.machine.zeros(x.element(), self.num_nodes * self.width(self.map.num_outputs()));
        self.for_each(|block, run| {
            let (a, b) = (self.inputs(&x, block, run), self.weights(&weights, block, run));
            let product = Product::of(a, b, self.outputs(&y, block, run));
            self.machine.multiply(Product { batch: block.components, ..product });
        });
        self.put_back(y, self.map.num_outputs())
    }

    /// The gradient of x.
    pub(crate) fn input(&self, grad: &M::Array, weights: &M::Array) -> M::Array {
        let grad = self.sorted(grad, self.map.num_outputs());
        let weights = self.scaled(weights);
        // Rows behind the last block are not read, so their gradient is zero.
        let dx = self.machine.zeros(grad.element(), self.num_nodes * self.width(self.num_rows));
        self.for_each(|block, run| {
            let (a, b) = (self.outputs(&grad, block, run), self.weights(&weights, block, run));
            let product = Product::of(a, b.transpose(), self.inputs(&dx, block, run));
            self.machine.multiply(Product { batch: block.components, ..product });
        });
        self.put_back(dx, self.num_rows)
    }

    /// The gradient of the weights.
    pub(crate) fn weight(&self, grad: &M::Array, x: &M::Array) -> M::Array {
        let grad = self.sorted(grad, self.map.num_outputs());
        let x = self.sorted(x, self.num_rows);
        let dw = self.machine.zeros(x.element(), self.map.num_weights());
        self.for_each(|block, run| {
            for component in 0..block.components {
                let a = of_component(self.inputs(&x, block, run), component);
                let b = of_component(self.outputs(&grad, block, run), component);
                let product = Product::of(a.transpose(), b, self.weights(&dw, block, run));
                self.machine.multiply(Product { accumulate: component > 0, ..product });
            }
        });
        self.scaled(&dw)
    }

    /// Numbers of `rows` rows.
    fn width(&self, rows: usize) -> usize {
        rows * self.map.channels
    }

    /// All degrees with inputs and all species with nodes.
    fn for_each(&self, product: impl Fn(&Block, Run)) {
        let runs = self.runs();
        for block in self.map.blocks().filter(|block| block.inputs > 0) {
            for &run in runs.iter().filter(|run| run.count > 0) {
                product(&block, run);
            }
        }
    }

    fn runs(&self) -> Vec<Run> {
        let Some(species) = &self.map.species else {
            return vec![Run { species: 0, first: 0, count: self.num_nodes }];
        };
        let run = |z: usize| Run {
            species: z,
            first: species.starts()[z] as usize,
            count: species.items_of(z).len(),
        };
        (0..species.num_rows()).map(run).collect()
    }

    /// `[count, I_l]` for every component.
    fn inputs<'b>(&self, x: &'b M::Array, block: &Block, run: Run) -> Matrices<'b, M::Array> {
        let stride = self.width(self.num_rows);
        Matrices {
            array: x,
            offset: run.first * stride + self.width(block.first_input),
            rows: run.count,
            columns: block.inputs,
            stride,
            transposed: false,
            batch_stride: block.inputs,
        }
    }

    /// `[count, C]` for every component.
    fn outputs<'b>(&self, y: &'b M::Array, block: &Block, run: Run) -> Matrices<'b, M::Array> {
        let stride = self.width(self.map.num_outputs());
        Matrices {
            array: y,
            offset: run.first * stride + self.width(block.first_output),
            rows: run.count,
            columns: self.map.channels,
            stride,
            transposed: false,
            batch_stride: self.map.channels,
        }
    }

    /// `[I_l, C]` of a species, the same for every component.
    fn weights<'b>(
        &self,
        weights: &'b M::Array,
        block: &Block,
        run: Run,
    ) -> Matrices<'b, M::Array> {
        Matrices {
            array: weights,
            offset: block.first_weight + self.width(run.species),
            rows: block.inputs,
            columns: self.map.channels,
            stride: self.width(self.map.num_species()),
            transposed: false,
            batch_stride: 0,
        }
    }

    /// Weights, or their gradient, times the factor of their degree.
    fn scaled(&self, weights: &M::Array) -> M::Array {
        let element = weights.element();
        let scaled = self.machine.array(element, weights.len());
        for block in self.map.blocks() {
            let range = block.weights(self.map.num_species(), self.map.channels);
            if range.is_empty() {
                continue;
            }
            let launch = Launch::of(&SOURCE, "scale_block").define("Real", element.real());
            let launch = launch.input(weights).output(&scaled);
            let launch = launch.number(Number::U64(range.start as u64)).size(range.len());
            let launch = launch.real(block.factor);
            self.machine.launch(launch.grid(range.len().div_ceil(THREADS)).block(256));
        }
        scaled
    }

    /// Nodes by species; as they are where there is one.
    fn sorted(&self, x: &M::Array, rows: usize) -> M::Array {
        match self.order {
            Some(Order(order)) => gather(self.machine, x, order, self.width(rows)),
            None => x.clone(),
        }
    }

    /// The reverse.
    fn put_back(&self, x: M::Array, rows: usize) -> M::Array {
        match self.order {
            Some(Order(order)) => sum(self.machine, &x, order, self.width(rows)),
            None => x,
        }
    }
}

/// One matrix of a batch.
fn of_component<A>(batch: Matrices<'_, A>, component: usize) -> Matrices<'_, A> {
    Matrices { offset: batch.offset + component * batch.batch_stride, ..batch }
}

#[cfg(all(test, unix))]
#[path = "cuda_tests.rs"]
mod tests;
