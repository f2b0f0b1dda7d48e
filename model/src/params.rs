//! Named parameters: flat tensors with the names and shapes that foreign files use.
//!
//! A parameter is stored as a rank-1 tensor, because optimizers, checkpoints and collectives want
//! flat memory; [`Params::get`] gives it its shape. The order is that of the specs and never
//! changes. All parameters of a set have one floating-point type, f32 or f64. Not here: which
//! parameters a network has (`transformer/specs.rs`, `equivariant/specs.rs`), and files.

use std::{collections::BTreeMap, sync::Arc};

use burn::{
    backend::Autodiff,
    tensor::{
        DType, Element, FloatDType, Tensor, TensorData,
        backend::{AutodiffBackend, Backend},
    },
};
use genesis_schema::Stream;
use rayon::prelude::*;

/// How a parameter gets its first value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// All zeros: biases.
    Zeros,
    /// All ones: scales of normalisations.
    Ones,
    /// Independent normal numbers of mean zero.
    Normal {
        /// Standard deviation.
        std: f64,
    },
}

/// Name, shape and first value of one parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct ParamSpec {
    /// Canonical name, the one transformers or mace-torch gives the parameter.
    pub name: String,
    /// Shape in row-major order, as in the file.
    pub shape: Vec<usize>,
    /// First value.
    pub init: Init,
    /// Whether weight decay applies: of a transformer, to exactly the tensors with two or more
    /// axes; of a MACE, to those that mace-torch decays.
    pub decay: bool,
}

impl ParamSpec {
    /// A spec whose `decay` follows from the shape.
    pub fn new(name: impl Into<String>, shape: &[usize], init: Init) -> Self {
        Self { name: name.into(), shape: shape.to_vec(), init, decay: shape.len() >= 2 }
    }

    /// Product of the shape.
    pub fn num_elements(&self) -> usize {
        self.shape.iter().product()
    }
}

/// Why host values do not fit a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParamsError {
    /// A parameter of the network has no value.
    #[error("parameter `{name}` of shape {shape:?} is missing; the file belongs to another model")]
    Missing {
        /// Canonical name.
        name: String,
        /// Shape the network wants.
        shape: Vec<usize>,
    },
    /// A value has the wrong number of elements.
    #[error("parameter `{name}` has {got} elements but shape {shape:?} needs {want}")]
    Length {
        /// Canonical name.
        name: String,
        /// Elements given.
        got: usize,
        /// Elements needed.
        want: usize,
        /// Shape the network wants.
        shape: Vec<usize>,
    },
    /// Values were given that the network does not have.
    #[error("the model has no parameter called {names:?}")]
    Unknown {
        /// Names given in vain.
        names: Vec<String>,
    },
}

/// What the host stores parameters in: `f32` or `f64`, the type the tensors then have.
pub trait HostFloat: Element {}

impl HostFloat for f32 {}
impl HostFloat for f64 {}

/// All parameters of a network on one device, each as a flat tensor.
#[derive(Debug, Clone)]
pub struct Params<B: Backend> {
    specs: Arc<[ParamSpec]>,
    index: Arc<BTreeMap<String, usize>>,
    values: Vec<Tensor<B, 1>>,
}

impl<B: Backend> Params<B> {
    /// First values. Element `i` of parameter `p` is number `(index = hash(p.name), lane = i)` of
    /// `stream`, so a value depends neither on the order of the specs nor on the other parameters.
    pub fn initialise(specs: Arc<[ParamSpec]>, stream: &Stream, device: &B::Device) -> Self {
        Self::initialise_as(specs, stream, FloatDType::F32, device)
    }

    /// [`Self::initialise`] in another floating-point type. Values are drawn in f64 and rounded
    /// once, so those of f32 are the roundings of those of f64.
    pub fn initialise_as(
        specs: Arc<[ParamSpec]>,
        stream: &Stream,
        dtype: FloatDType,
        device: &B::Device,
    ) -> Self {
        let values = specs
            .iter()
            .map(|spec| upload(first_value(spec, *stream), dtype.into(), device))
            .collect();
        Self::from_values(specs, values)
    }

    /// Values from the host, by canonical name, in the type they have there.
    ///
    /// # Errors
    /// [`ParamsError`] if a value is missing, superfluous or of the wrong length.
    pub fn from_host<T: HostFloat>(
        specs: Arc<[ParamSpec]>,
        host: &BTreeMap<String, Vec<T>>,
        device: &B::Device,
    ) -> Result<Self, ParamsError> {
        let mut values = Vec::with_capacity(specs.len());
        for spec in specs.iter() {
            let value = host.get(&spec.name).ok_or_else(|| ParamsError::Missing {
                name: spec.name.clone(),
                shape: spec.shape.clone(),
            })?;
            if value.len() != spec.num_elements() {
                return Err(ParamsError::Length {
                    name: spec.name.clone(),
                    got: value.len(),
                    want: spec.num_elements(),
                    shape: spec.shape.clone(),
                });
            }
            values.push(upload(value.clone(), T::dtype(), device));
        }
        let params = Self::from_values(specs, values);
        let names: Vec<String> =
            host.keys().filter(|name| !params.index.contains_key(*name)).cloned().collect();
        if names.is_empty() { Ok(params) } else { Err(ParamsError::Unknown { names }) }
    }

    /// Flat tensors in the order of the specs, for example after an optimizer step.
    ///
    /// # Panics
    /// If number or lengths differ from the specs, or a name occurs twice: a bug of the caller.
    pub fn from_values(specs: Arc<[ParamSpec]>, values: Vec<Tensor<B, 1>>) -> Self {
        assert_eq!(specs.len(), values.len(), "Params: one value per spec");
        for (spec, value) in specs.iter().zip(&values) {
            let [got] = value.dims();
            assert_eq!(got, spec.num_elements(), "Params: length of `{}`", spec.name);
        }
        let index: BTreeMap<String, usize> =
            specs.iter().enumerate().map(|(i, spec)| (spec.name.clone(), i)).collect();
        assert_eq!(index.len(), specs.len(), "Params: names are unique");
        Self { specs, index: Arc::new(index), values }
    }

    /// Replaces every value by `next` of it, in the order of the specs. Each is handed over, so a
    /// backend that finds it nowhere else can work in its memory.
    ///
    /// # Panics
    /// If a length changes: a bug of the caller.
    pub fn replace(&mut self, mut next: impl FnMut(&ParamSpec, Tensor<B, 1>) -> Tensor<B, 1>) {
        let old = std::mem::take(&mut self.values);
        for (spec, value) in self.specs.iter().zip(old) {
            let value = next(spec, value);
            assert_eq!(value.dims(), [spec.num_elements()], "Params: length of `{}`", spec.name);
            self.values.push(value);
        }
    }

    /// What the parameters are, in order.
    pub fn specs(&self) -> &Arc<[ParamSpec]> {
        &self.specs
    }

    /// The flat tensors, in the order of the specs.
    pub fn values(&self) -> &[Tensor<B, 1>] {
        &self.values
    }

    /// Scalars in all parameters.
    pub fn num_elements(&self) -> usize {
        self.specs.iter().map(ParamSpec::num_elements).sum()
    }

    /// Whether a parameter of this name exists.
    pub fn contains(&self, name: &str) -> bool {
        self.index.contains_key(name)
    }

    /// The parameter `name` in its shape.
    ///
    /// # Panics
    /// If there is no such parameter or it does not have `D` axes: a bug of the caller.
    pub fn get<const D: usize>(&self, name: &str) -> Tensor<B, D> {
        let at = self.at(name);
        let shape: [usize; D] = self.specs[at]
            .shape
            .clone()
            .try_into()
            .unwrap_or_else(|shape| unreachable!("Params::get: `{name}` has shape {shape:?}"));
        self.values[at].clone().reshape(shape)
    }

    /// The numbers of the parameter `name`, row-major.
    ///
    /// # Panics
    /// If there is no such parameter: a bug of the caller.
    pub fn flat(&self, name: &str) -> Tensor<B, 1> {
        self.values[self.at(name)].clone()
    }

    fn at(&self, name: &str) -> usize {
        let at = self.index.get(name).copied();
        at.unwrap_or_else(|| unreachable!("Params: no parameter `{name}`"))
    }

    /// The floating-point type of the values; f32 when there are none.
    pub fn dtype(&self) -> FloatDType {
        self.values.first().map_or(FloatDType::F32, |value| value.dtype().into())
    }

    /// Name, shape and values on the host, in the order of the specs, rounded to f32.
    pub fn host(&self) -> Vec<(String, Vec<usize>, Vec<f32>)> {
        self.host_as()
    }

    /// [`Self::host`] in the type of the caller's choice.
    pub fn host_as<T: HostFloat>(&self) -> Vec<(String, Vec<usize>, Vec<T>)> {
        self.specs
            .iter()
            .zip(&self.values)
            .map(|(spec, value)| (spec.name.clone(), spec.shape.clone(), download(value.clone())))
            .collect()
    }

    /// The same values, bit for bit, on another device.
    #[must_use]
    pub fn on<To: Backend>(&self, device: &To::Device) -> Params<To> {
        let dtype: DType = self.dtype().into();
        let values = self.values.iter().map(|it| Tensor::from_data(it.to_data(), (device, dtype)));
        Params { values: values.collect(), specs: self.specs.clone(), index: self.index.clone() }
    }

    /// Where the values lie; the default device when there are none.
    pub fn device(&self) -> B::Device {
        self.values.first().map(Tensor::device).unwrap_or_default()
    }

    /// The same values in another floating-point type.
    #[must_use]
    pub fn cast(&self, dtype: FloatDType) -> Self {
        let values = self.values.iter().map(|value| value.clone().cast(dtype)).collect();
        Self { specs: self.specs.clone(), index: self.index.clone(), values }
    }

    /// The same values as constants of a differentiation graph above: it does not track them,
    /// while a graph below that does keeps doing so.
    pub fn constant(&self) -> Params<Autodiff<B>> {
        let values = self.values.iter().map(|value| Tensor::from_inner(value.clone())).collect();
        Params { specs: self.specs.clone(), index: self.index.clone(), values }
    }

    /// The same values as leaves of a new differentiation graph.
    pub fn track(&self) -> Params<Autodiff<B>> {
        let values = self
            .values
            .iter()
            .map(|value| Tensor::<Autodiff<B>, 1>::from_inner(value.clone()).require_grad())
            .collect();
        Params { specs: self.specs.clone(), index: self.index.clone(), values }
    }
}

impl<B: Backend> Params<Autodiff<B>> {
    /// Gradients in the order of the specs, taken out of `gradients`; zeros where the loss did not
    /// depend on a parameter.
    pub fn gradients(
        &self,
        gradients: &mut <Autodiff<B> as AutodiffBackend>::Gradients,
    ) -> Vec<Tensor<B, 1>> {
        self.values
            .iter()
            .map(|value| {
                value.grad_remove(gradients).unwrap_or_else(|| value.clone().inner().zeros_like())
            })
            .collect()
    }
}

fn upload<B: Backend, T: HostFloat>(
    value: Vec<T>,
    dtype: DType,
    device: &B::Device,
) -> Tensor<B, 1> {
    let length = value.len();
    Tensor::from_data(TensorData::new(value, [length]), (device, dtype))
}

fn download<B: Backend, T: HostFloat>(value: Tensor<B, 1>) -> Vec<T> {
    value.into_data().convert::<T>().into_vec().expect("converted just now")
}

fn first_value(spec: &ParamSpec, stream: Stream) -> Vec<f64> {
    let length = spec.num_elements();
    match spec.init {
        Init::Zeros => vec![0.0; length],
        Init::Ones => vec![1.0; length],
        Init::Normal { std } => {
            let index = name_hash(&spec.name);
            (0..length as u64)
                .into_par_iter()
                .map(|lane| std * stream.normal(index, lane))
                .collect()
        }
    }
}

/// FNV-1a, 64 bits: <http://www.isthe.com/chongo/tech/comp/fnv/>. Part of the meaning of a seed:
/// changing it changes every initialisation.
fn name_hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use burn::backend::{Flex, flex::FlexDevice};
    use genesis_schema::Seeds;

    use super::*;

    fn specs(names: &[&str]) -> Arc<[ParamSpec]> {
        names.iter().map(|n| ParamSpec::new(*n, &[3, 2], Init::Normal { std: 0.5 })).collect()
    }

    fn values(names: &[&str]) -> BTreeMap<String, Vec<f32>> {
        let stream = Seeds::new(4).stream("init");
        let params = Params::<Flex>::initialise(specs(names), &stream, &FlexDevice);
        params.host().into_iter().map(|(name, _, value)| (name, value)).collect()
    }

    #[test]
    fn a_first_value_depends_on_its_name_and_not_on_the_order() {
        let forward = values(&["a", "b", "c"]);
        assert_eq!(forward, values(&["c", "b", "a"]));
        assert_eq!(forward["b"], values(&["b"])["b"]);
        assert_ne!(forward["a"], forward["b"]);
    }

    #[test]
    fn the_name_hash_matches_published_vectors() {
        assert_eq!(name_hash(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(name_hash("a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(name_hash("foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn host_values_of_the_wrong_name_or_length_are_refused() {
        let device = FlexDevice;
        let mut host = BTreeMap::from([("a".to_owned(), vec![0.0; 6])]);
        let load = |host: &_| Params::<Flex>::from_host(specs(&["a"]), host, &device).map(|_| ());
        assert_eq!(load(&host), Ok(()));
        host.insert("z".into(), vec![]);
        assert_eq!(load(&host), Err(ParamsError::Unknown { names: vec!["z".into()] }));
        host.remove("z");
        host.insert("a".into(), vec![0.0; 5]);
        let error = load(&host).unwrap_err().to_string();
        assert_eq!(error, "parameter `a` has 5 elements but shape [3, 2] needs 6");
        host.remove("a");
        assert!(matches!(load(&host), Err(ParamsError::Missing { .. })));
    }

    #[test]
    fn gradients_come_in_order_and_are_zero_where_unused() {
        let stream = Seeds::new(4).stream("init");
        let params = Params::<Flex>::initialise(specs(&["used", "idle"]), &stream, &FlexDevice);
        let tracked = params.track();
        let loss = tracked.get::<2>("used").powi_scalar(2).sum();
        let gradients = tracked.gradients(&mut loss.backward());
        let used: Vec<f32> = download(gradients[0].clone());
        let want: Vec<f32> = params.host()[0].2.iter().map(|x| 2.0 * x).collect();
        assert_eq!(used, want);
        assert_eq!(download::<_, f32>(gradients[1].clone()), [0.0; 6]);
    }

    #[test]
    fn first_values_in_f32_are_the_roundings_of_those_in_f64() {
        let stream = Seeds::new(4).stream("init");
        let draw = |dtype| {
            Params::<Flex>::initialise_as(specs(&["a"]), &stream, dtype, &FlexDevice)
                .host_as::<f64>()[0]
                .2
                .clone()
        };
        let (fine, coarse) = (draw(FloatDType::F64), draw(FloatDType::F32));
        #[expect(clippy::cast_possible_truncation, reason = "rounding is what is compared")]
        let round = |x: &f64| f64::from(*x as f32);
        assert_eq!(coarse, fine.iter().map(round).collect::<Vec<_>>());
        assert_ne!(coarse, fine);
    }

    #[test]
    fn host_values_keep_their_type_and_every_bit() {
        let host = BTreeMap::from([("a".to_owned(), vec![1.0 / 3.0; 6])]);
        let params = Params::<Flex>::from_host(specs(&["a"]), &host, &FlexDevice).unwrap();
        assert_eq!(params.dtype(), FloatDType::F64);
        assert_eq!(params.host_as::<f64>()[0].2, host["a"]);
    }
}
