//! Elementwise kernels, printed from a formula or written by hand: one number of each output out of one number of
//! each input. Not here: the formulas, which are the families'.

use burn::tensor::Tensor;

use super::emit::{FORMULA_THREADS, FOURS, Written};
use super::{Array, ArrayOf, Gpu, Launch, Machine, Number, Source, Tensors};
use crate::formula::Formula;
use crate::shape::assert_shape;

/// The kernel of a formula; make it once and keep it.
#[derive(Debug)]
pub(crate) struct Elementwise<const I: usize, const O: usize> {
    source: Source,
    entry: &'static str,
}

impl<const I: usize, const O: usize> Elementwise<I, O> {
    pub(crate) fn of<F: Formula<I, O>>() -> Self {
        Self { source: Source::elementwise(&Written::of::<F, I, O>()), entry: F::NAME }
    }

    /// The outputs, as long as the inputs.
    pub(crate) fn map<M: Machine>(&self, machine: &M, inputs: [&M::Array; I]) -> [M::Array; O] {
        map(machine, self.launch(), inputs, &[])
    }

    /// The same of tensors, which have one shape.
    pub(crate) fn run<B: Gpu, const D: usize>(
        &self,
        inputs: [Tensor<B, D>; I],
    ) -> [Tensor<B, D>; O] {
        run(inputs, self.entry, |machine, inputs| self.map(machine, inputs))
    }

    fn launch<A>(&self) -> Launch<'_, A> {
        let launch = Launch::of(&self.source, self.entry);
        #[cfg(feature = "wgpu")]
        let launch = launch.behind(crate::machine::wgpu::FUNCTIONS, 0);
        launch
    }

    /// The kernel in WGSL.
    #[cfg(all(test, feature = "wgpu"))]
    pub(crate) fn shader(&self) -> crate::machine::wgpu::Shader {
        let mut shaders = crate::machine::wgpu::testing::recorded(|machine| {
            self.map(machine, [&machine.numbers(1); I]);
        });
        shaders.remove(0)
    }
}

/// Runs an elementwise operation on tensors of one shape.
pub(crate) fn run<B: Gpu, const D: usize, const I: usize, const O: usize>(
    inputs: [Tensor<B, D>; I],
    operation: &str,
    of: impl FnOnce(&B::Machine, [&ArrayOf<B>; I]) -> [ArrayOf<B>; O],
) -> [Tensor<B, D>; O] {
    let (shape, device) = (inputs[0].dims(), inputs[0].device());
    for input in &inputs {
        assert_shape(operation, "input", input.dims(), shape, "as the first");
    }
    B::on(&device, |machine| {
        let inputs = inputs.map(|x| machine.input(x));
        of(machine, inputs.each_ref()).map(|array| machine.tensor(array, shape))
    })
}

/// `O` arrays as long as the first input, by a kernel that takes its inputs, its outputs, their count, and numbers of
/// its own; all inputs have one length and type. Nothing is launched where there are no numbers.
pub(crate) fn map<M: Machine, const I: usize, const O: usize>(
    machine: &M,
    launch: Launch<'_, M::Array>,
    inputs: [&M::Array; I],
    numbers: &[(&'static str, Number)],
) -> [M::Array; O] {
    let (element, count) = (inputs[0].element(), inputs[0].len());
    let outputs: [M::Array; O] = std::array::from_fn(|_| machine.array(element, count));
    if count == 0 {
        return outputs;
    }
    let mut launch = launch.define("Real", element.real());
    for input in inputs {
        let entry = launch.entry;
        assert!(input.len() == count, "`{entry}`: {} numbers beside {count}", input.len());
        launch = launch.input(input);
    }
    for output in &outputs {
        launch = launch.output(output);
    }
    launch = launch.count("count", count);
    launch = numbers.iter().fold(launch, |launch, &(name, number)| launch.named(name, number));
    let threads = FORMULA_THREADS;
    let launch = launch.groups(count.div_ceil(threads as usize)).block(threads);
    machine.launch(launch.grid(count.div_ceil(FOURS as usize)));
    outputs
}
