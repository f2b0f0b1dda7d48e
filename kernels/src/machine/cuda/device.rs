//! The machine of production: collects the launches of one operation and gives them to the device at once, so
//! that an operation crosses between Burn's work and ours a single time.

use std::cell::RefCell;
use std::sync::Arc;

use burn::tensor::{Int, Tensor};
use burn_cuda::CudaDevice;
use cubecl::Runtime;
use cubecl::client::ComputeClient;
use cubecl::cuda::CudaRuntime;

pub(crate) use super::array::DeviceArray;
use super::bridge::{self, Batch, Step, Value};
use super::context::Context;
use super::cublaslt::{self, Blas, Plan};
use super::driver::Shape;
use super::error::CudaError;
use super::product::Product;
use super::{CudaMachine, Limits};
use crate::Cuda;
use crate::machine::launch::{Argument, Launch};
use crate::machine::{Array, Element, Gpu, Machine, Tensors};

/// A device while one operation is put together.
pub(crate) struct DeviceMachine {
    context: Arc<Context>,
    client: ComputeClient<CudaRuntime>,
    device: CudaDevice,
    batch: RefCell<Batch>,
}

/// Puts an operation together and gives it to the device.
///
/// # Panics
/// When the device cannot be used, or earlier work on it failed: the message says what is missing.
pub(crate) fn on<T>(device: &CudaDevice, operation: impl FnOnce(&DeviceMachine) -> T) -> T {
    let machine = DeviceMachine::new(device);
    let result = operation(&machine);
    bridge::submit(&machine.context, machine.batch.into_inner());
    result
}

/// What must not fail, since nobody above could do anything about it.
fn certain<T>(what: &str, result: Result<T, CudaError>) -> T {
    result.unwrap_or_else(|error| unreachable!("{what}: {error}"))
}

impl DeviceMachine {
    fn new(device: &CudaDevice) -> Self {
        let context = certain("CUDA", Context::of(device));
        if let Some(failure) = context.failure() {
            certain::<()>("earlier work on the device", Err(failure));
        }
        let client = CudaRuntime::client(device);
        Self { context, client, device: device.clone(), batch: RefCell::default() }
    }

    fn slot(&self, array: &DeviceArray) -> usize {
        let mut batch = self.batch.borrow_mut();
        batch.arrays.push(array.handle.clone());
        batch.arrays.len() - 1
    }

    fn push(&self, step: Step) {
        self.batch.borrow_mut().steps.push(step);
    }

    fn kernel_step(&self, launch: &Launch<'_, DeviceArray>) -> Result<Step, CudaError> {
        let kernel = self.context.kernel(launch)?;
        launch.check_against(&kernel.signature, &self.context.driver.limits)?;
        let shape = Shape {
            grid: launch.grid.map(|size| u32::try_from(size).unwrap_or(u32::MAX)),
            block: launch.block,
            shared_bytes: u32::try_from(launch.shared_bytes).unwrap_or(u32::MAX),
        };
        if shape.shared_bytes > 0 {
            let driver = &self.context.driver;
            driver.allow_shared(kernel.function, launch.entry, shape.shared_bytes)?;
        }
        let pairs = launch.arguments.iter().zip(&kernel.signature.parameters);
        let value = |(argument, parameter): (&Argument<'_, DeviceArray>, &_)| match argument {
            Argument::Input(array) | Argument::Output(array) => Value::Address(self.slot(array)),
            Argument::Number(_, number) => Value::Number(number.bytes_for(parameter)),
        };
        Ok(Step::Kernel { function: kernel.function, shape, values: pairs.map(value).collect() })
    }
}

impl Machine for DeviceMachine {
    type Array = DeviceArray;

    fn array(&self, element: Element, len: usize) -> DeviceArray {
        DeviceArray::new(&self.client, element, len)
    }

    fn zeros(&self, element: Element, len: usize) -> DeviceArray {
        let array = self.array(element, len);
        if len > 0 {
            let bytes = len * element.bytes();
            let array = self.slot(&array);
            self.push(Step::Clear { array, bytes });
        }
        array
    }

    fn upload(&self, values: &[u32]) -> DeviceArray {
        DeviceArray::upload(&self.client, values)
    }

    fn launch(&self, launch: Launch<'_, DeviceArray>) {
        let step = certain(&launch.source.name, self.kernel_step(&launch));
        self.push(step);
    }
}

impl CudaMachine for DeviceMachine {
    fn limits(&self) -> Limits {
        self.context.driver.limits
    }

    fn multiply(&self, product: Product<'_, DeviceArray>) {
        product.check();
        certain("a matrix product", cublaslt::put(self, &product));
    }
}

impl Gpu for Cuda {
    type Machine = DeviceMachine;

    fn on<T>(device: &CudaDevice, operation: impl FnOnce(&DeviceMachine) -> T) -> T {
        on(device, operation)
    }
}

impl Tensors<Cuda> for DeviceMachine {
    fn input<const D: usize>(&self, x: Tensor<Cuda, D>) -> DeviceArray {
        DeviceArray::of(x)
    }

    fn input_int<const D: usize>(&self, x: Tensor<Cuda, D, Int>) -> DeviceArray {
        DeviceArray::of_int(x)
    }

    fn in_place_of(&self, x: &DeviceArray) -> DeviceArray {
        if x.is_sole() { x.clone() } else { self.array(x.element(), x.len()) }
    }

    fn tensor<const D: usize>(&self, array: DeviceArray, shape: [usize; D]) -> Tensor<Cuda, D> {
        array.tensor(&self.client, &self.device, shape)
    }

    fn key(&self) -> u64 {
        self.device.index as u64
    }
}

impl DeviceMachine {
    /// The device.
    pub(super) fn context(&self) -> &Context {
        &self.context
    }

    /// Adds a product with its plan.
    pub(super) fn push_product(
        &self,
        blas: &Arc<Blas>,
        plan: Arc<Plan>,
        product: &Product<'_, DeviceArray>,
    ) {
        let added = product.onto.unwrap_or(product.out.array);
        let operands = [product.a.array, product.b.array, added, product.out.array];
        let operands = operands.map(|array| self.slot(array));
        let bias = product.bias.map(|array| self.slot(array));
        self.push(Step::Product { blas: blas.clone(), plan, operands, bias });
    }
}
