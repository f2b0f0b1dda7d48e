//! An adapter of wgpu as a machine: launches go at once to the queue on which Burn's wgpu backend runs.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};

use burn::tensor::{Int, Tensor};
use cubecl::Runtime;
use cubecl::prelude::ComputeClient;
use cubecl::wgpu::{WgpuDevice, WgpuRuntime};

use super::launch::spread;
use super::params::fields_of;
use super::{Array, Field, Shader};
use crate::Wgpu;
use crate::machine::launch::Argument;
use crate::machine::{Element, Gpu, Launch, Machine, Tensors};

/// An adapter while one operation is put together.
pub(crate) struct WgpuMachine {
    pub(super) client: ComputeClient<WgpuRuntime>,
    pub(super) device: WgpuDevice,
}

impl Gpu for Wgpu {
    type Machine = WgpuMachine;

    fn on<T>(device: &WgpuDevice, operation: impl FnOnce(&WgpuMachine) -> T) -> T {
        operation(&WgpuMachine { client: WgpuRuntime::client(device), device: device.clone() })
    }
}

impl Machine for WgpuMachine {
    type Array = Array;

    fn array(&self, element: Element, len: usize) -> Array {
        Array::empty(self, element, len)
    }

    fn zeros(&self, element: Element, len: usize) -> Array {
        assert!(element == Element::F32, "wgpu: zeros are F32, not {element:?}");
        Array::new(Tensor::<Wgpu, 1>::zeros([len], &self.device))
    }

    fn upload(&self, values: &[u32]) -> Array {
        Array::upload(self, values)
    }

    fn launch(&self, launch: Launch<'_, Array>) {
        let mut arrays = Vec::new();
        for argument in &launch.arguments {
            if let Argument::Input(array) | Argument::Output(array) = argument {
                arrays.push(*array);
            }
        }
        let (shader, words) = Shader::of(&launch);
        shader.run(&arrays, &words, groups(&launch));
    }
}

impl Tensors<Wgpu> for WgpuMachine {
    fn input<const D: usize>(&self, x: Tensor<Wgpu, D>) -> Array {
        Array::new(x)
    }

    fn input_int<const D: usize>(&self, x: Tensor<Wgpu, D, Int>) -> Array {
        Array::ints(x)
    }

    fn tensor<const D: usize>(&self, array: Array, shape: [usize; D]) -> Tensor<Wgpu, D> {
        array.tensor(shape)
    }

    fn key(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.device.hash(&mut hasher);
        hasher.finish()
    }
}

/// Workgroups of a launch; a row of more than one axis holds goes on along the next.
fn groups<A>(launch: &Launch<'_, A>) -> [u32; 3] {
    let fits =
        |size| u32::try_from(size).expect("a launch has fewer workgroups than u32 can count");
    match (launch.wgsl.groups, launch.grid) {
        (Some(groups), _) | (None, [groups, 1, 1]) => spread(groups),
        (None, grid) => grid.map(fits),
    }
}

impl Shader {
    /// The kernel of a launch, and the words of its numbers.
    ///
    /// # Panics
    /// When the kernel is in CUDA alone: a bug of the family's host side.
    pub(crate) fn of<A>(launch: &Launch<'_, A>) -> (Self, Vec<u32>) {
        let entry = launch.entry;
        let source = launch.source.wgsl.clone();
        let source = source.unwrap_or_else(|| unreachable!("`{entry}` is no kernel of wgpu"));
        let constants = launch.defines.iter().filter(|(name, _)| *name != "Real");
        let constants = constants.map(|(name, value)| {
            let value = value.parse().unwrap_or_else(|_| unreachable!("`{entry}`: {name}={value}"));
            (Cow::Owned(name.clone()), value)
        });
        let threads = launch.wgsl.threads.map(|threads| (Cow::Borrowed("THREADS"), threads));
        let (mut fields, mut words, mut num_arrays) = (Vec::new(), Vec::new(), 0);
        for argument in &launch.arguments {
            let Argument::Number(name, number) = argument else {
                num_arrays += 1;
                continue;
            };
            for (name, scalar, word) in fields_of(name, *number) {
                fields.push(Field { name, scalar, offset: 4 * words.len() });
                words.push(word);
            }
        }
        let shader = Self {
            source,
            entry,
            preludes: launch.wgsl.preludes.clone(),
            constants: constants.chain(threads).collect(),
            workgroup: launch.wgsl.threads.map_or(launch.block, |threads| [threads, 1, 1]),
            shared_bytes: launch.wgsl.shared_bytes,
            num_arrays,
            fields: Cow::Owned(fields),
        };
        (shader, words)
    }
}
