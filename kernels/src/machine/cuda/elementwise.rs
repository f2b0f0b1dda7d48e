//! The grid that elementwise kernels share: 256 threads of four numbers each.
//!
//! Such a kernel takes its inputs, its outputs, their `u64 count`, and numbers of its own.

use super::launch::Number;
use super::{Array, Launch, Machine, Source};

const THREADS: u32 = 256;
const NUMBERS: usize = 4 * THREADS as usize;

/// `O` arrays as long as the first input; all inputs have one length and type. Nothing is launched where
/// there are no numbers.
pub(crate) fn map<M: Machine, const I: usize, const O: usize>(
    machine: &M,
    (source, entry): (&Source, &'static str),
    inputs: [&M::Array; I],
    numbers: &[Number],
) -> [M::Array; O] {
    let (element, count) = (inputs[0].element(), inputs[0].len());
    let outputs: [M::Array; O] = std::array::from_fn(|_| machine.array(element, count));
    if count == 0 {
        return outputs;
    }
    let mut launch = Launch::of(source, entry).define("Real", element.real());
    for input in inputs {
        assert!(input.len() == count, "`{entry}`: {} numbers beside {count}", input.len());
        launch = launch.input(input);
    }
    for output in &outputs {
        launch = launch.output(output);
    }
    launch = launch.number(Number::U64(count as u64));
    launch = numbers.iter().fold(launch, |launch, &number| launch.number(number));
    machine.launch(launch.grid(count.div_ceil(NUMBERS)).block(THREADS));
    outputs
}
