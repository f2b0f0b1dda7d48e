//! Burn's tensors as arrays, and back: the same memory, no copy where Burn's is laid out by rows.

use burn::tensor::{DType, Int, Tensor};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use burn_cuda::CudaDevice;
use cubecl::client::ComputeClient;
use cubecl::cuda::CudaRuntime;
use cubecl::server::Handle;

use crate::Cuda;
use crate::graph::{primitive, tensor};
use crate::machine::{Array, Element};

/// What vectors and matrix products want of an address; allocations give 512.
const ALIGNMENT: usize = 256;

/// Memory of Burn's, shared with the tensor it came from.
#[derive(Clone, Debug)]
pub(crate) struct DeviceArray {
    pub(crate) handle: Handle,
    element: Element,
    len: usize,
}

impl Array for DeviceArray {
    fn element(&self) -> Element {
        self.element
    }

    fn len(&self) -> usize {
        self.len
    }
}

impl DeviceArray {
    /// Memory that nobody wrote yet.
    pub(crate) fn new(client: &ComputeClient<CudaRuntime>, element: Element, len: usize) -> Self {
        // Memory of no bytes has no address.
        let handle = client.empty((len * element.bytes()).max(ALIGNMENT));
        Self { handle, element, len }
    }

    /// A table of the host.
    pub(crate) fn upload(client: &ComputeClient<CudaRuntime>, values: &[u32]) -> Self {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_ne_bytes()).collect();
        let padded = if bytes.is_empty() { vec![0; ALIGNMENT] } else { bytes };
        let handle = client.create_from_slice(&padded);
        Self { handle, element: Element::U32, len: values.len() }
    }

    /// The memory of a float tensor, row by row.
    pub(crate) fn of<const D: usize>(x: Tensor<Cuda, D>) -> Self {
        Self::of_primitive(primitive(x))
    }

    /// The memory of an integer tensor, row by row.
    pub(crate) fn of_int<const D: usize>(x: Tensor<Cuda, D, Int>) -> Self {
        Self::of_primitive(x.into_primitive())
    }

    fn of_primitive(x: CubeTensor<CudaRuntime>) -> Self {
        let element = element(x.dtype);
        let x = into_contiguous(x);
        let is_aligned = x.handle.offset_start.unwrap_or(0).is_multiple_of(ALIGNMENT as u64);
        let x = if is_aligned { x } else { x.copy() };
        Self { len: x.meta.num_elements(), handle: x.handle, element }
    }

    /// May it be overwritten: does nobody else hold the memory?
    pub(crate) fn is_sole(&self) -> bool {
        self.handle.can_mut()
    }

    /// The array as a float tensor of this shape.
    ///
    /// # Panics
    /// When the shape has another number of elements: a bug of the caller.
    pub(crate) fn tensor<const D: usize>(
        self,
        client: &ComputeClient<CudaRuntime>,
        device: &CudaDevice,
        shape: [usize; D],
    ) -> Tensor<Cuda, D> {
        let len: usize = shape.iter().product();
        assert!(self.len == len, "{} numbers are no {shape:?}", self.len);
        let dtype = match self.element {
            Element::F32 => DType::F32,
            Element::F64 => DType::F64,
            Element::Bf16 => DType::BF16,
            Element::U8 => DType::U8,
            Element::U32 => DType::U32,
            Element::I32 => DType::I32,
        };
        let (client, device) = (client.clone(), device.clone());
        tensor(CubeTensor::new_contiguous(client, device, shape.into(), self.handle, dtype))
    }
}

fn element(dtype: DType) -> Element {
    let element = match dtype {
        DType::F32 => Some(Element::F32),
        DType::F64 => Some(Element::F64),
        DType::BF16 => Some(Element::Bf16),
        DType::U8 => Some(Element::U8),
        DType::U32 => Some(Element::U32),
        DType::I32 => Some(Element::I32),
        _ => None,
    };
    element.unwrap_or_else(|| unreachable!("kernels of CUDA take no {dtype:?}"))
}
