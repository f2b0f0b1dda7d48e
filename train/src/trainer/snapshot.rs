//! The state of a run at one moment, which stays while training goes on.
//!
//! On the CPU a snapshot holds the tensors themselves: none that someone else holds is changed, so an update makes
//! new ones, and what the snapshot costs is their memory. On a device, whose memory has no room for a second state,
//! values come to the host at once. Not here: files (`checkpoint`), and when they are written (`saving`).

use std::borrow::Cow;

use burn::tensor::{DType, Tensor};
use genesis_kernels::Kernels;
use genesis_model::{ParamSpec, Params};

use super::gate::is_the_reference;
use crate::checkpoint::host::values_of;
use crate::checkpoint::{Stored, Stretch, Values};

/// A tensor, or a stretch of one, as it was.
#[derive(Debug)]
pub(super) struct Kept<B: Kernels> {
    of: Stretch,
    at: Place<B>,
}

#[derive(Debug)]
enum Place<B: Kernels> {
    Shared(Tensor<B, 1>),
    Host(Values),
}

impl<B: Kernels> Kept<B> {
    /// The values of `tensor` now.
    pub(super) fn new(of: Stretch, tensor: &Tensor<B, 1>) -> Self {
        let shares = is_the_reference::<B>();
        let at =
            if shares { Place::Shared(tensor.clone()) } else { Place::Host(values_of(tensor)) };
        Self { of, at }
    }
}

/// All of `params`.
pub(super) fn whole<B: Kernels>(params: &Params<B>) -> Vec<Kept<B>> {
    let specs = params.specs().iter();
    let kept = |(spec, value): (&ParamSpec, _)| {
        Kept::new(Stretch::whole(spec.name.clone(), spec.shape.clone()), value)
    };
    specs.zip(params.values()).map(kept).collect()
}

impl<B: Kernels> Stored for Kept<B> {
    fn name(&self) -> &str {
        &self.of.tensor
    }
    fn shape(&self) -> Vec<usize> {
        self.of.stored_shape()
    }
    fn dtype(&self) -> &'static str {
        match &self.at {
            Place::Shared(tensor) if tensor.dtype() == DType::F64 => "F64",
            Place::Shared(_) => "F32",
            Place::Host(values) => values.dtype(),
        }
    }
    fn stretch(&self) -> Stretch {
        self.of.clone()
    }
    fn values(&self) -> Cow<'_, Values> {
        match &self.at {
            Place::Shared(tensor) => Cow::Owned(values_of(tensor)),
            Place::Host(values) => Cow::Borrowed(values),
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use genesis_kernels::Cpu;
    use genesis_model::{Init, ParamSpec, Params};
    use genesis_schema::Seeds;

    use super::super::optim::{AdamSettings, Optimizer, Rule};
    use super::*;

    const RULE: Rule =
        Rule::Adamw(AdamSettings { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weight_decay: 0.1 });

    /// Parameters and the optimizer's state now.
    fn now(params: &Params<Cpu>, optimizer: &Optimizer<Cpu>) -> Vec<Kept<Cpu>> {
        let model = params.values().iter().map(|it| Kept::new(Stretch::whole("w", vec![]), it));
        model.chain(optimizer.state().map(|(of, it)| Kept::new(of, it))).collect()
    }

    fn shown(kept: &[Kept<Cpu>]) -> Vec<Values> {
        kept.iter().map(|it| it.values().into_owned()).collect()
    }

    #[test]
    fn updates_right_after_a_snapshot_change_nothing_in_it() {
        let spec = |name, shape: &[usize]| ParamSpec::new(name, shape, Init::Normal { std: 1.0 });
        let specs = [spec("large", &[300, 70]), spec("small", &[3])];
        let stream = Seeds::new(9).stream("init");
        let mut params =
            Params::<Cpu>::initialise(specs.into(), &stream, &Device::<Cpu>::default());
        let mut optimizer = Optimizer::new(RULE, &params);
        let step = |params: &mut Params<Cpu>, optimizer: &mut Optimizer<Cpu>| {
            let gradients = params.values().iter().map(|it| it.clone().mul_scalar(0.3)).collect();
            optimizer.step(params, gradients, 1.0, 1e-2);
        };
        step(&mut params, &mut optimizer);
        let snapshot = now(&params, &optimizer);
        let before = shown(&snapshot);
        for _ in 0..3 {
            step(&mut params, &mut optimizer);
        }
        assert_eq!(shown(&snapshot), before);
        assert_ne!(shown(&now(&params, &optimizer)), before, "the updates did something");
    }
}
