//! Kernels made from a table (`emit`): their texts, and launches of them.

use super::emit::Kernel;
use super::{Array, Launch, Machine, Source};

/// A kernel with its text; make it once and keep it.
#[derive(Clone, Debug)]
pub(crate) struct Emitted {
    source: Source,
    entry: &'static str,
    threads: u32,
    /// Numbers that a group shares.
    shared: u32,
}

impl Emitted {
    /// The kernels of a family in their order.
    pub(crate) fn all(family: &str, kernels: &[Kernel]) -> Vec<Self> {
        let emitted = |(at, kernel): (usize, &Kernel)| Self {
            source: Source::printed(format!("{family}/{}-{at}.cu", kernel.name), kernel),
            entry: kernel.name,
            threads: kernel.threads,
            shared: kernel.shared.unwrap_or_default(),
        };
        kernels.iter().enumerate().map(emitted).collect()
    }

    /// Threads of a block.
    pub(crate) fn threads(&self) -> usize {
        self.threads as usize
    }

    /// Runs it over `blocks` blocks for `count` of what it counts; nothing for no block. What it reads comes
    /// before what it writes, as in its text.
    pub(crate) fn launch<M: Machine>(
        &self,
        machine: &M,
        [inputs, outputs]: [&[&M::Array]; 2],
        count: usize,
        blocks: usize,
    ) {
        if blocks == 0 {
            return;
        }
        let real = outputs[0].element().real();
        let mut launch = Launch::<M::Array>::of(&self.source, self.entry).define("Real", real);
        for input in inputs {
            launch = launch.input(input);
        }
        for output in outputs {
            launch = launch.output(output);
        }
        let launch = launch.count("count", count).behind("", 4 * self.shared);
        machine.launch(launch.grid(blocks).block(self.threads));
    }
}
