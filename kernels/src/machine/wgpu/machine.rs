//! An adapter of wgpu as a machine: launches go at once to the queue on which Burn's wgpu backend runs.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};

use burn::tensor::{Int, Tensor};
use cubecl::Runtime;
use cubecl::prelude::ComputeClient;
use cubecl::wgpu::{WgpuDevice, WgpuRuntime};

use super::launch::spread;
use super::params::{count, fields_of};
use super::{Array, Field, Shader};
use crate::Wgpu;
use crate::machine::launch::Argument;
use crate::machine::{Element, Gpu, Language, Launch, Machine, Tensors};

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
    const LANGUAGE: Language = Language::Wgsl;

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

    fn in_place_of(&self, x: &Array) -> Array {
        x.to_change()
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

/// Workgroups of a launch; a row of more than one axis holds goes on along the next where that has no meaning.
fn groups<A>(launch: &Launch<'_, A>) -> [u32; 3] {
    let fits =
        |size| u32::try_from(size).expect("a launch has fewer workgroups than u32 can count");
    match (launch.wgsl.groups, launch.wgsl.has_axes) {
        (Some(groups), _) => spread(groups),
        (None, false) => spread(launch.grid[0]),
        (None, true) => launch.grid.map(fits),
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
        let shared =
            |name: &str| name != "Real" && launch.wgsl.without.iter().all(|&other| other != name);
        let constants = launch.defines.iter().filter(|(name, _)| shared(name));
        let constants = constants.map(|(name, value)| {
            let value = value.parse().unwrap_or_else(|_| unreachable!("`{entry}`: {name}={value}"));
            (Cow::Owned(name.clone()), value)
        });
        let own = launch.wgsl.constants.iter().map(|&(name, value)| (name, count(value)));
        let own = own.chain(launch.wgsl.threads.map(|threads| ("THREADS", threads)));
        let own = own.map(|(name, value)| (Cow::Borrowed(name), value));
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
            constants: constants.chain(own).collect(),
            workgroup: launch.wgsl.threads.map_or(launch.block, |threads| [threads, 1, 1]),
            shared_bytes: launch.wgsl.shared_bytes,
            num_arrays,
            fields,
        };
        (shader, words)
    }
}
