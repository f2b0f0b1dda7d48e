//! The parity gate: before a run, a device must compute what the CPU computes.
//!
//! A few samples of the run go through loss and gradients: on the CPU in f64, which counts as exact;
//! on the CPU in the precision of the run, [`VARIANTS`] times with parameters that were rounded once
//! more in different directions; and on the device. How far the variants are from exact says how much
//! this network forgives a rounding, cancellations and bf16 operands included. The device may be
//! [`SLACK`] times as far off, in the loss and in the gradient of every parameter.
//!
//! Not here: which samples (`sample`), and what loss and gradients are ([`Trial`]).

use std::any::TypeId;
use std::collections::BTreeMap;

use burn::tensor::FloatDType;
use genesis_kernels::oracle::ulp;
use genesis_kernels::{Cpu, Kernels, operations};
use genesis_model::Params;

use super::error::TrainError;

/// Times that the CPU computes in the precision of the run: the first without a change.
const VARIANTS: u32 = 4;
/// Factor between the errors of the CPU and those of a device. Two as in every comparison of a
/// kernel with its oracle, and four because elementary functions of a GPU may err by more than the
/// unit in the last place of the CPU's: by 2 in CUDA (Programming Guide, table of `expf` and
/// `tanhf`), by 3 + 2 |x| in an exponential of WGSL (section 15.7.4), which is 4 for the |x| <= 1/2
/// of those that make up most of a softmax.
pub const SLACK: f64 = 8.0;

/// Loss and gradients of some samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Computed {
    /// The loss.
    pub loss: f64,
    /// Gradients in the order of the specs, on the host.
    pub gradients: Vec<Vec<f64>>,
}

/// Something that has a loss and gradients on any backend.
pub trait Trial {
    /// Computes them with `params`, in their precision.
    fn compute<B: Kernels>(
        &self,
        params: &Params<B>,
        device: &B::Device,
    ) -> Result<Computed, TrainError>;

    /// What it is computed on, such as `2 sequences of 40 tokens`.
    fn describe(&self) -> String;
}

/// A quantity that differs too much.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error(
    "parity gate: {backend} does not compute what the CPU does: {quantity} is {got:e} and should be \
     {exact:e}, off by {error:e}; {allowed:e} is allowed, {SLACK} times the error of the CPU in the \
     same precision. Nothing was trained. Run with run.device=\"cpu\"; `genesis doctor` and a newer \
     driver may say more, and please report it"
)]
pub struct Mismatch {
    /// Name of the backend.
    pub backend: String,
    /// `the loss`, or the gradient of a parameter with the place in it.
    pub quantity: String,
    /// The device's value.
    pub got: f64,
    /// The value in f64.
    pub exact: f64,
    /// Their distance.
    pub error: f64,
    /// The largest distance that is allowed.
    pub allowed: f64,
}

/// What a gate that was passed has seen.
#[derive(Debug, Clone, PartialEq)]
pub struct GateReport {
    /// Name of the backend.
    pub backend: String,
    /// What was computed.
    pub samples: String,
    /// Losses and gradients that were compared.
    pub num_quantities: usize,
    /// The one that came closest to its tolerance.
    pub closest: String,
    /// Its error over its tolerance.
    pub share: f64,
}

impl GateReport {
    /// As a sentence.
    pub fn sentence(&self) -> String {
        format!(
            "parity gate: {} agrees with the CPU on {} in {} quantities; closest to its tolerance, \
             with {:.0} % of it, is {}",
            self.backend,
            self.samples,
            self.num_quantities,
            100.0 * self.share,
            self.closest
        )
    }
}

/// Which operations have kernels of the backend, and which are the references, as a sentence.
pub fn kernels_of<B: Kernels>(device: &B::Device) -> String {
    let (own, all) = (B::own_kernels(), operations());
    let (own, references): (Vec<_>, Vec<_>) = all.into_iter().partition(|it| own.contains(it));
    let list = |names: &[&str]| {
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    };
    format!(
        "kernels of {}: {}; composed of Burn operations: {}",
        name_of::<B>(device),
        list(&own),
        list(&references)
    )
}

/// What people call the backend: `cuda` for Burn's `cubecl<cuda>`.
pub fn name_of<B: Kernels>(device: &B::Device) -> String {
    let full = B::name(device);
    let inner = full.strip_prefix("cubecl<").unwrap_or(&full);
    inner.split(['<', '>']).next().unwrap_or(inner).to_owned()
}

/// Whether `B` is what others are compared with.
pub fn is_the_reference<B: Kernels>() -> bool {
    TypeId::of::<B>() == TypeId::of::<Cpu>()
}

/// Lets `params` pass on their device, or says what differs.
///
/// # Errors
/// [`TrainError::Gate`] naming the worst quantity; what computing itself fails with.
pub(crate) fn pass<B: Kernels>(
    trial: &impl Trial,
    params: &Params<B>,
    device: &B::Device,
) -> Result<GateReport, TrainError> {
    let host = params.host_as::<f64>();
    let host = host.into_iter().map(|(name, _, values)| (name, values)).collect();
    let got = trial.compute(params, device)?;
    let expected = Expected::of(trial, params, &host)?;
    let names: Vec<&str> = params.specs().iter().map(|spec| spec.name.as_str()).collect();
    expected.judge(&names, &got, &name_of::<B>(device), &trial.describe())
}

/// What the CPU says.
struct Expected {
    exact: Computed,
    variants: Vec<Computed>,
    /// Distance from 1 to the next number of the run's precision.
    epsilon: f64,
}

type Host = BTreeMap<String, Vec<f64>>;

impl Expected {
    /// Computes `trial` on the CPU with the values `host`, in f64 and in the precision of `params`.
    fn of<B: Kernels>(
        trial: &impl Trial,
        params: &Params<B>,
        host: &Host,
    ) -> Result<Self, TrainError> {
        let device = burn::tensor::Device::<Cpu>::default();
        let (specs, dtype) = (params.specs(), params.dtype());
        let epsilon = if dtype == FloatDType::F64 { f64::EPSILON } else { f64::from(f32::EPSILON) };
        let compute = |values: &Host, dtype| {
            let params = Params::<Cpu>::from_host(specs.clone(), values, &device)?;
            trial.compute(&params.cast(dtype), &device)
        };
        let variants =
            (0..VARIANTS).map(|variant| compute(&rounded(host, variant, epsilon), dtype));
        Ok(Self {
            variants: variants.collect::<Result<_, _>>()?,
            exact: compute(host, FloatDType::F64)?,
            epsilon,
        })
    }

    /// Error of all gradients together over their length, the largest of the variants.
    fn relative_error(&self) -> f64 {
        let length = |of: &mut dyn Iterator<Item = f64>| of.map(|x| x * x).sum::<f64>().sqrt();
        let exact = || self.exact.gradients.iter().flatten().copied();
        let whole = length(&mut exact());
        let errors = self.variants.iter().map(|variant| {
            let values = variant.gradients.iter().flatten();
            length(&mut values.zip(exact()).map(|(value, exact)| value - exact))
        });
        let largest = errors.fold(0.0, f64::max);
        if whole > 0.0 { largest / whole } else { 0.0 }
    }

    /// Compares the loss and every gradient.
    fn judge(
        &self,
        names: &[&str],
        got: &Computed,
        backend: &str,
        samples: &str,
    ) -> Result<GateReport, TrainError> {
        let relative = self.relative_error();
        let loss = |of: &Computed| vec![of.loss];
        let variants: Vec<Vec<f64>> = self.variants.iter().map(loss).collect();
        let views: Vec<&[f64]> = variants.iter().map(Vec::as_slice).collect();
        let mut worst =
            self.worst("the loss".to_owned(), &loss(got), &loss(&self.exact), &views, relative);
        for (at, name) in names.iter().enumerate() {
            let views: Vec<&[f64]> =
                self.variants.iter().map(|it| it.gradients[at].as_slice()).collect();
            let what = format!("the gradient of `{name}`");
            let exact = &self.exact.gradients[at];
            let found = self.worst(what, &got.gradients[at], exact, &views, relative);
            if found.share() > worst.share() {
                worst = found;
            }
        }
        let share = worst.share();
        // Not `share > 1.0`, which a NaN passes.
        if share <= 1.0 {
            return Ok(GateReport {
                backend: backend.to_owned(),
                samples: samples.to_owned(),
                num_quantities: 1 + names.len(),
                closest: worst.quantity,
                share,
            });
        }
        let Place { quantity, got, exact, error, allowed } = worst;
        let backend = backend.to_owned();
        Err(TrainError::Gate(Box::new(Mismatch { backend, quantity, got, exact, error, allowed })))
    }

    /// The element of a quantity that is furthest off.
    fn worst(
        &self,
        what: String,
        got: &[f64],
        exact: &[f64],
        variants: &[&[f64]],
        relative: f64,
    ) -> Place {
        let largest = exact.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
        let distance = |a: &[f64]| {
            let pairs = a.iter().zip(exact);
            pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
        };
        let natural = variants.iter().map(|it| distance(it)).fold(relative * largest, f64::max);
        let allowed = SLACK * natural + ulp(largest, self.epsilon);
        let error = |at: usize| {
            let error = (got[at] - exact[at]).abs();
            if error.is_nan() { f64::INFINITY } else { error }
        };
        let far = (0..exact.len()).max_by(|&a, &b| error(a).total_cmp(&error(b))).unwrap_or(0);
        let quantity =
            if exact.len() > 1 { format!("{what} at {far} of {}", exact.len()) } else { what };
        Place { quantity, got: got[far], exact: exact[far], error: error(far), allowed }
    }
}

/// An element of a quantity.
struct Place {
    quantity: String,
    got: f64,
    exact: f64,
    error: f64,
    allowed: f64,
}

impl Place {
    /// Of the tolerance that is used up.
    fn share(&self) -> f64 {
        if self.error == 0.0 { 0.0 } else { self.error / self.allowed }
    }
}

/// `host` as it would be after one more rounding; variant 0 as it is.
fn rounded(host: &Host, variant: u32, epsilon: f64) -> Host {
    if variant == 0 {
        return host.clone();
    }
    let mut counter = u64::from(variant) << 32;
    let mut moved = |value: f64| {
        counter += 1;
        // The golden ratio's multiples have no pattern; two of their bits say down, up or neither.
        let bits = counter.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 62;
        let direction = [-1.0, 0.0, 0.0, 1.0][usize::try_from(bits).unwrap_or(0)];
        value * (1.0 + direction * epsilon)
    };
    host.iter()
        .map(|(name, values)| (name.clone(), values.iter().map(|&value| moved(value)).collect()))
        .collect()
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn another_rounding_moves_half_of_the_values_by_one_unit_and_variant_zero_none() {
        let host = Host::from([("a".to_owned(), vec![1.0; 4000])]);
        assert_eq!(rounded(&host, 0, 0.25), host);
        let (first, second) = (rounded(&host, 1, 0.25), rounded(&host, 2, 0.25));
        assert_ne!(first, second);
        let moved = |by: f64| first["a"].iter().filter(|x| (*x - by).abs() < 1e-12).count();
        for (by, share) in [(0.75, 0.25), (1.0, 0.5), (1.25, 0.25)] {
            assert!((moved(by) as f64 / 4000.0 - share).abs() < 0.02, "{by}");
        }
    }

    #[test]
    fn the_kernels_of_the_cpu_and_its_references_are_listed_once_each() {
        let text = kernels_of::<Cpu>(&Device::<Cpu>::default());
        let (own, references) = text.split_once("; composed of Burn operations: ").unwrap();
        assert!(own.contains("attention_backward") && !own.contains(" embedding,"), "{text}");
        assert!(references.contains("embedding") && !references.contains("attention"), "{text}");
    }
}
