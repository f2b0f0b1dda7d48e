//! Tensors of the wgpu backend as arrays of a kernel, and back: contiguous memory and its shape.

use burn::tensor::{DType, Int, Shape, Tensor, TensorPrimitive};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::ComputeClient;
use cubecl::server::Handle;
use cubecl::wgpu::WgpuRuntime;

use super::WgpuMachine;
use crate::Wgpu;
use crate::machine::Element;

/// Bytes of an array of no numbers: memory of no bytes cannot be bound, nor less than one element, and the
/// largest element of a kernel is four numbers.
const ROOM_OF_NONE: usize = 16;

/// Contiguous numbers of four bytes on a device.
#[derive(Debug, Clone)]
pub(crate) struct Array(CubeTensor<WgpuRuntime>);

impl Array {
    /// The numbers of a float tensor, copied only if they are not contiguous.
    pub(crate) fn new<const D: usize>(tensor: Tensor<Wgpu, D>) -> Self {
        let tensor = tensor.into_primitive().tensor();
        let dtype = tensor.dtype;
        assert!(dtype == DType::F32, "wgpu: a tensor is {dtype:?} but its kernels compute in F32");
        Self::of(tensor)
    }

    /// An array of no numbers has the [`ROOM_OF_NONE`].
    fn of(tensor: CubeTensor<WgpuRuntime>) -> Self {
        let mut tensor = into_contiguous(tensor);
        if tensor.meta.shape().num_elements() == 0 {
            tensor.handle = tensor.client.empty(ROOM_OF_NONE);
        }
        Self(tensor)
    }

    fn with(machine: &WgpuMachine, len: usize, handle: Handle, dtype: DType) -> Self {
        let (client, device) = (machine.client.clone(), machine.device.clone());
        Self(CubeTensor::new_contiguous(client, device, Shape::new([len]), handle, dtype))
    }

    /// Memory that nobody wrote yet.
    pub(super) fn empty(machine: &WgpuMachine, element: Element, len: usize) -> Self {
        let dtype = match element {
            Element::F32 => DType::F32,
            Element::U32 => DType::U32,
            Element::I32 => DType::I32,
            _ => unreachable!("wgpu: no kernel knows {element:?}"),
        };
        Self::with(
            machine,
            len,
            machine.client.empty(if len == 0 { ROOM_OF_NONE } else { 4 * len }),
            dtype,
        )
    }

    /// Whole numbers of the host.
    pub(super) fn upload(machine: &WgpuMachine, numbers: &[u32]) -> Self {
        let padded = if numbers.is_empty() { &[0; ROOM_OF_NONE / 4][..] } else { numbers };
        let bytes: Vec<u8> = padded.iter().flat_map(|number| number.to_ne_bytes()).collect();
        let handle = machine.client.create_from_slice(&bytes);
        Self::with(machine, numbers.len(), handle, DType::U32)
    }

    /// The same numbers for a kernel to change: this memory where nobody else holds it, else a copy.
    pub(crate) fn to_change(&self) -> Self {
        if self.0.can_mut() { self.clone() } else { Self(self.0.copy()) }
    }

    /// The numbers of an integer tensor.
    pub(crate) fn ints<const D: usize>(tensor: Tensor<Wgpu, D, Int>) -> Self {
        let tensor = tensor.into_primitive();
        let dtype = tensor.dtype;
        assert!(dtype == DType::I32, "wgpu: integers are {dtype:?} but its kernels read I32");
        Self::of(tensor)
    }

    /// The array as a float tensor of this shape.
    pub(crate) fn tensor<const D: usize>(self, shape: [usize; D]) -> Tensor<Wgpu, D> {
        let length = self.len();
        let numbers: usize = shape.iter().product();
        assert!(numbers == length, "wgpu: {length} numbers cannot have the shape {shape:?}");
        let CubeTensor { client, device, handle, dtype, .. } = self.0;
        let shape = Shape::new(shape);
        let tensor = CubeTensor::new_contiguous(client, device, shape, handle, dtype);
        Tensor::from_primitive(TensorPrimitive::Float(tensor))
    }

    /// How many numbers.
    pub(crate) fn len(&self) -> usize {
        self.0.meta.shape().num_elements()
    }

    /// The queue of its device.
    pub(super) fn client(&self) -> &ComputeClient<WgpuRuntime> {
        &self.0.client
    }

    /// The memory of its numbers.
    pub(super) fn binding(&self) -> cubecl::server::Binding {
        self.0.handle.clone().binding()
    }
}

impl crate::machine::Array for Array {
    fn element(&self) -> Element {
        match self.0.dtype {
            DType::F32 => Element::F32,
            DType::U32 => Element::U32,
            DType::I32 => Element::I32,
            other => unreachable!("wgpu: no kernel knows {other:?}"),
        }
    }

    fn len(&self) -> usize {
        Array::len(self)
    }
}
