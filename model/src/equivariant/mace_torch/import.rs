//! The tensors of a mace-torch state dict: parameters taken, buffers compared.

use std::collections::BTreeMap;

use super::buffers::{Buffer, buffers};
use crate::{
    ConfigProblems,
    equivariant::{blueprint::Blueprint, choices::CouplingSigns, config::MaceConfig},
};

/// Buffers may differ by this, relative to the largest of their values: f32 files round.
const TOLERANCE: f64 = 1e-6;
/// How the names of tables of covalent radii end; row `z` is element `z`.
const RADII: &str = ".covalent_radii";

/// A tensor of a file, whatever type it was stored in.
#[derive(Debug, Clone, PartialEq)]
pub struct HostTensor {
    /// Shape; empty for a scalar.
    pub shape: Vec<usize>,
    /// Values, row-major.
    pub values: Vec<f64>,
}

/// A model of a file.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The network, with the signs of couplings that the file has.
    pub blueprint: Blueprint,
    /// Values of every parameter by name.
    pub parameters: BTreeMap<String, Vec<f64>>,
}

/// Why a state dict is not the model that its hyper-parameters describe.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ImportError {
    /// The hyper-parameters are wrong.
    #[error(transparent)]
    Config(#[from] ConfigProblems),
    /// A parameter is missing.
    #[error(
        "parameter `{name}` of shape {shape:?} is missing; the hyper-parameters belong to another file"
    )]
    Missing {
        /// Name in the state dict.
        name: String,
        /// Shape that the hyper-parameters ask for.
        shape: Vec<usize>,
    },
    /// A parameter or buffer has another shape.
    #[error(
        "`{name}` has shape {got:?} but the hyper-parameters ask for {want:?}; correct them, or export the model without a reduced coupling basis"
    )]
    Shape {
        /// Name in the state dict.
        name: String,
        /// Shape in the file.
        got: Vec<usize>,
        /// Shape that the hyper-parameters ask for.
        want: Vec<usize>,
    },
    /// A buffer has another value.
    #[error(
        "buffer `{name}`, element {at}: {got} in the file, {want} by the hyper-parameters; one of the two belongs to another model"
    )]
    Value {
        /// Name in the state dict.
        name: String,
        /// Element, row-major.
        at: usize,
        /// Value in the file.
        got: f64,
        /// Value that the hyper-parameters give.
        want: f64,
    },
    /// Coupling tensors are those of neither version of e3nn.
    #[error(
        "coupling tensor `{name}`, element {at}: {got} in the file, {old} with the signs of e3nn 0.4 and {new} with those of 0.5; re-export the model with either version"
    )]
    Couplings {
        /// Name in the state dict.
        name: String,
        /// Element, row-major.
        at: usize,
        /// Value in the file.
        got: f64,
        /// Value with the signs of e3nn 0.4.4.
        old: f64,
        /// Value with the signs of e3nn 0.5.0.
        new: f64,
    },
    /// Tensors that such a model does not have.
    #[error(
        "the file has tensors that this model does not: {names:?}; it is another kind of model"
    )]
    Unknown {
        /// Their names.
        names: Vec<String>,
    },
}

/// Takes the parameters of a state dict and compares every buffer it has with what `config` gives.
/// The signs of couplings are those of the file, whichever version of e3nn they are from; those
/// of `config` are not looked at.
///
/// # Errors
/// [`ImportError`] naming the tensor and both values.
pub fn import(
    config: &MaceConfig,
    tensors: &BTreeMap<String, HostTensor>,
) -> Result<Imported, ImportError> {
    let with = |coupling_signs| Blueprint::new(MaceConfig { coupling_signs, ..config.clone() });
    let old = with(CouplingSigns::E3nn04);
    let new = with(CouplingSigns::E3nn05)?;
    // High degrees have the newer signs alone; then the newer ones are the only candidate.
    let old = old.unwrap_or_else(|_| new.clone());
    let blueprint = choose(old, new, tensors)?;
    let parameters = parameters(&blueprint, tensors)?;
    compare(&blueprint, tensors)?;
    Ok(Imported { blueprint, parameters })
}

/// The blueprint with the couplings of the file.
fn choose(
    old: Blueprint,
    new: Blueprint,
    tensors: &BTreeMap<String, HostTensor>,
) -> Result<Blueprint, ImportError> {
    let (old_buffers, new_buffers) = (buffers(&old), buffers(&new));
    let mut fits = [true; 2];
    for (name, old_buffer) in old_buffers.iter().filter(|(name, _)| name.contains(".U_matrix_")) {
        let Some(tensor) = tensors.get(name) else { continue };
        check_shape(name, tensor, &old_buffer.shape)?;
        let new_buffer = &new_buffers[name];
        let apart = [old_buffer, new_buffer].map(|buffer| difference(tensor, buffer));
        fits = [0, 1].map(|i| fits[i] && apart[i].is_none());
        if let (false, false, Some(at)) = (fits[0], fits[1], apart[0].or(apart[1])) {
            return Err(ImportError::Couplings {
                name: name.clone(),
                at,
                got: tensor.values[at],
                old: old_buffer.values[at],
                new: new_buffer.values[at],
            });
        }
    }
    Ok(if fits[0] { old } else { new })
}

fn parameters(
    blueprint: &Blueprint,
    tensors: &BTreeMap<String, HostTensor>,
) -> Result<BTreeMap<String, Vec<f64>>, ImportError> {
    let mut parameters = BTreeMap::new();
    for spec in blueprint.specs().iter() {
        let tensor = tensors.get(&spec.name).ok_or_else(|| ImportError::Missing {
            name: spec.name.clone(),
            shape: spec.shape.clone(),
        })?;
        check_shape(&spec.name, tensor, &spec.shape)?;
        parameters.insert(spec.name.clone(), tensor.values.clone());
    }
    Ok(parameters)
}

fn compare(
    blueprint: &Blueprint,
    tensors: &BTreeMap<String, HostTensor>,
) -> Result<(), ImportError> {
    let mut known = buffers(blueprint);
    let specs = blueprint.specs();
    let mut unknown = Vec::new();
    for (name, tensor) in tensors {
        if let Some(mut buffer) = known.remove(name) {
            if name.ends_with(RADII) {
                ignore_absent_elements(&mut buffer, tensor, &blueprint.config().elements);
            }
            check_buffer(name, tensor, &buffer)?;
        } else if !tensor.values.is_empty() && specs.iter().all(|spec| spec.name != *name) {
            unknown.push(name.clone());
        }
    }
    if unknown.is_empty() { Ok(()) } else { Err(ImportError::Unknown { names: unknown }) }
}

/// Tables of ASE differ between its versions for elements that nobody measured; only the elements of
/// the model have a say.
fn ignore_absent_elements(radii: &mut Buffer, tensor: &HostTensor, elements: &[u8]) {
    let pairs = radii.values.iter_mut().zip(&tensor.values).enumerate();
    for (number, (ours, theirs)) in pairs {
        if !elements.iter().any(|&z| usize::from(z) == number) {
            *ours = *theirs;
        }
    }
}

/// Leading axes of length one are not a difference: heads come with and without one.
fn check_buffer(name: &str, tensor: &HostTensor, buffer: &Buffer) -> Result<(), ImportError> {
    let strip = |shape: &[usize]| -> Vec<usize> {
        shape.iter().copied().skip_while(|&axis| axis == 1).collect()
    };
    if strip(&tensor.shape) != strip(&buffer.shape) {
        check_shape(name, tensor, &buffer.shape)?;
    }
    match difference(tensor, buffer) {
        None => Ok(()),
        Some(at) => Err(ImportError::Value {
            name: name.to_owned(),
            at,
            got: tensor.values[at],
            want: buffer.values[at],
        }),
    }
}

fn check_shape(name: &str, tensor: &HostTensor, want: &[usize]) -> Result<(), ImportError> {
    let fits = tensor.shape == want && tensor.values.len() == want.iter().product::<usize>();
    if fits {
        return Ok(());
    }
    Err(ImportError::Shape {
        name: name.to_owned(),
        got: tensor.shape.clone(),
        want: want.to_vec(),
    })
}

/// The first element that differs.
fn difference(tensor: &HostTensor, buffer: &Buffer) -> Option<usize> {
    let largest = buffer.values.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
    let apart = |(got, want): (&f64, &f64)| {
        let fits = (got - want).abs() <= TOLERANCE * largest;
        !fits
    };
    tensor.values.iter().zip(&buffer.values).position(apart)
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, FloatDType};
    use genesis_kernels::Cpu;
    use genesis_schema::Seeds;

    use super::*;
    use crate::equivariant::{mace_torch::export, testing::small_config};
    use crate::params::Params;

    /// A model with repulsion of nuclei as a file, the radius of element `z` moved.
    fn with_radius(z: usize) -> Result<Imported, ImportError> {
        let config = MaceConfig { zbl: true, ..small_config() };
        let blueprint = Blueprint::new(config.clone()).unwrap();
        let (stream, device) = (Seeds::new(1).stream("init"), Device::<Cpu>::default());
        let specs = blueprint.specs().clone();
        let params = Params::<Cpu>::initialise_as(specs, &stream, FloatDType::F64, &device);
        let exported = export(&blueprint, &params);
        let buffers = exported.buffers.into_iter().map(|(name, buffer)| {
            (name, HostTensor { shape: buffer.shape, values: buffer.values })
        });
        let mut tensors: BTreeMap<_, _> = exported.parameters.into_iter().chain(buffers).collect();
        tensors.get_mut("pair_repulsion_fn.covalent_radii").unwrap().values[z] += 1.8;
        import(&config, &tensors)
    }

    #[test]
    fn radii_count_for_the_elements_of_the_model_alone() {
        assert!(with_radius(97).is_ok(), "no berkelium in H, C, O");
        let error = with_radius(6).unwrap_err().to_string();
        assert!(error.contains("covalent_radii`, element 6"), "{error}");
    }
}
