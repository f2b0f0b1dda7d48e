//! The buffers of a mace-torch state dict: all that a configuration determines.
//!
//! Masks say which components of an output any path reaches; mace-torch lays features out channel
//! by channel, degree by degree, so a mask is constant over the block of a degree.

use std::collections::BTreeMap;
use std::f64::consts::PI;

use genesis_kernels::wigner::coupling;

use crate::equivariant::{
    blueprint::Blueprint,
    choices::{DistanceTransform, EnergyKind},
    config::MaceConfig,
    covalent_radii, pair_repulsion,
    radial_basis::{AGNESI, SOFT_ALPHA},
    specs::{Names, skip_degrees},
};

/// What mace-torch stores a buffer as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BufferType {
    /// The floating-point type of the model.
    Float,
    /// 64-bit integers.
    I64,
    /// 32-bit integers.
    I32,
    /// Booleans, 0 or 1.
    Bool,
}

/// One buffer.
#[derive(Debug, Clone, PartialEq)]
pub struct Buffer {
    /// Shape; empty for a scalar.
    pub shape: Vec<usize>,
    /// Type in the state dict.
    pub kind: BufferType,
    /// Values, row-major.
    pub values: Vec<f64>,
}

/// All buffers of the model by mace-torch's names, except empty ones.
pub fn buffers(blueprint: &Blueprint) -> BTreeMap<String, Buffer> {
    let config = blueprint.config();
    let mut list = List::default();
    list.head(config);
    list.radial(config);
    for layer in 0..config.num_interactions {
        list.interaction(blueprint, layer);
        list.product(blueprint, layer);
    }
    list.readouts(config);
    list.buffers
}

#[derive(Default)]
struct List {
    buffers: BTreeMap<String, Buffer>,
}

impl List {
    fn add(
        &mut self,
        name: impl Into<String>,
        kind: BufferType,
        shape: &[usize],
        values: Vec<f64>,
    ) {
        self.buffers.insert(name.into(), Buffer { shape: shape.to_vec(), kind, values });
    }

    fn float(&mut self, name: impl Into<String>, shape: &[usize], values: Vec<f64>) {
        self.add(name, BufferType::Float, shape, values);
    }

    fn scalar(&mut self, name: impl Into<String>, kind: BufferType, value: f64) {
        self.add(name, kind, &[], vec![value]);
    }

    /// Energies of atoms, scale and shift: without the axis of heads when there is one.
    fn head(&mut self, config: &MaceConfig) {
        let (heads, s) = (config.heads.len(), config.elements.len());
        let numbers = config.elements.iter().map(|&z| f64::from(z)).collect();
        self.add("atomic_numbers", BufferType::I64, &[s], numbers);
        self.scalar("num_interactions", BufferType::I64, config.num_interactions as f64);
        self.scalar("r_max", BufferType::Float, config.r_max_angstrom);
        let energies = config.atomic_energies_ev.concat();
        let shape = if heads == 1 { vec![s] } else { vec![heads, s] };
        self.float("atomic_energies_fn.atomic_energies", &shape, energies);
        if let EnergyKind::ScaleShift { scale, shift_ev } = &config.energy {
            let shape = if heads == 1 { vec![] } else { vec![heads] };
            self.float("scale_shift.scale", &shape, scale.clone());
            self.float("scale_shift.shift", &shape, shift_ev.clone());
        }
        let width = config.channels;
        self.float("node_embedding.linear.output_mask", &[width], vec![1.0; width]);
    }

    fn radial(&mut self, config: &MaceConfig) {
        let (num, r_max) = (config.num_bessel, config.r_max_angstrom);
        let bessel = "radial_embedding.bessel_fn";
        let weights = (1..=num).map(|n| n as f64 * PI / r_max).collect();
        self.float(format!("{bessel}.bessel_weights"), &[num], weights);
        self.scalar(format!("{bessel}.r_max"), BufferType::Float, r_max);
        self.scalar(format!("{bessel}.prefactor"), BufferType::Float, (2.0 / r_max).sqrt());
        let power = f64::from(config.cutoff_power);
        self.scalar("radial_embedding.cutoff_fn.p", BufferType::I32, power);
        self.scalar("radial_embedding.cutoff_fn.r_max", BufferType::Float, r_max);
        let transform = "radial_embedding.distance_transform";
        let constants: &[(&str, f64)] = match config.distance_transform {
            DistanceTransform::None => return self.repulsion(config, power),
            DistanceTransform::Agnesi => &[("q", AGNESI.q), ("p", AGNESI.p), ("a", AGNESI.a)],
            DistanceTransform::Soft => &[("alpha", SOFT_ALPHA)],
        };
        for (name, value) in constants {
            self.scalar(format!("{transform}.{name}"), BufferType::Float, *value);
        }
        let radii = covalent_radii::table();
        self.float(format!("{transform}.covalent_radii"), &[radii.len()], radii);
        self.repulsion(config, power);
    }

    fn repulsion(&mut self, config: &MaceConfig, power: f64) {
        if !config.zbl {
            return;
        }
        let module = "pair_repulsion_fn";
        self.float(format!("{module}.c"), &[4], pair_repulsion::AMPLITUDES.to_vec());
        self.scalar(format!("{module}.p"), BufferType::I32, power);
        self.scalar(format!("{module}.a_exp"), BufferType::Float, pair_repulsion::EXPONENT);
        self.scalar(format!("{module}.a_prefactor"), BufferType::Float, pair_repulsion::PREFACTOR);
        let radii = covalent_radii::table();
        self.float(format!("{module}.covalent_radii"), &[radii.len()], radii);
    }

    fn interaction(&mut self, blueprint: &Blueprint, layer: usize) {
        let (config, paths) = (blueprint.config(), blueprint.paths(layer));
        let (width, all) = (config.channels, (config.max_ell + 1).pow(2));
        let module = format!("interactions.{layer}");
        let before = (config.degree_before(layer) + 1).pow(2) * width;
        self.mask(&format!("{module}.linear_up"), before, before);
        let conv = paths.num_outputs() * width;
        self.mask(&format!("{module}.conv_tp"), conv, conv);
        self.mask(&format!("{module}.linear"), all * width, all * width);
        let reached = skip_degrees(config, layer).pow(2) * width;
        let residual = config.interaction_of(layer).is_residual();
        let skip = if residual { (config.degree_after(layer) + 1).pow(2) } else { all };
        self.mask(&format!("{module}.skip_tp"), skip * width, reached);
        for path in paths.iter().filter(|path| !path.degrees.contains(&0)) {
            let [l1, l2, l3] = path.degrees;
            let name = format!("{module}.conv_tp._compiled_main_left_right._w3j_{l1}_{l2}_{l3}");
            let shape = path.degrees.map(|l| 2 * l + 1);
            let values = coupling(l1, l2, l3, config.signs()).values().to_vec();
            self.float(name, &shape, values);
        }
    }

    fn product(&mut self, blueprint: &Blueprint, layer: usize) {
        let config = blueprint.config();
        let basis = blueprint.basis(layer);
        for (degree, degree_basis) in basis.degrees.iter().enumerate() {
            let module = Names::contraction(layer, degree);
            for order in &degree_basis.orders {
                let tensor = &order.tensor;
                let name = format!("{module}.U_matrix_{}", tensor.order);
                self.float(name, &tensor.buffer_shape(), tensor.dense());
            }
            for at in 0..config.correlation - 1 {
                self.scalar(format!("{module}.weights_{at}_zeroed"), BufferType::Bool, 0.0);
            }
            self.scalar(format!("{module}.weights_max_zeroed"), BufferType::Bool, 0.0);
        }
        let after = basis.degrees.len().pow(2) * config.channels;
        self.mask(&format!("products.{layer}.linear"), after, after);
    }

    fn readouts(&mut self, config: &MaceConfig) {
        let (heads, last) = (config.heads.len(), config.num_interactions - 1);
        for layer in 0..last.max(1) {
            self.mask(&format!("readouts.{layer}.linear"), heads, heads);
        }
        if last > 0 {
            let hidden = config.readout_width * heads;
            self.mask(&format!("readouts.{last}.linear_1"), hidden, hidden);
            self.mask(&format!("readouts.{last}.linear_2"), heads, heads);
        }
    }

    /// Ones for the first `reached` of `width` components, zeros after.
    fn mask(&mut self, module: &str, width: usize, reached: usize) {
        let values = (0..width).map(|at| f64::from(u8::from(at < reached))).collect();
        self.float(format!("{module}.output_mask"), &[width], values);
    }
}
