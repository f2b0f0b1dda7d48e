//! Which parameters a MACE has: mace-torch's names, its shapes, first values, which ones decay.
//!
//! ```text
//! first values   N(0, 1); the weights of k couplings N(0, 1) / k. Scale lives in the forward pass
//! decay          interactions.*.linear.weight and everything of products, as mace-torch does
//! ```
//!
//! [`Names`] is the only place that spells names. Flat weights of maps between several degrees are
//! the concatenation of one row-major `[in, out]` matrix per degree.

use std::sync::Arc;

use genesis_kernels::Paths;

use super::{
    config::MaceConfig,
    product_basis::{DegreeBasis, ProductBasis},
};
use crate::params::{Init, ParamSpec};

/// Names of parameters, one function per module.
pub(crate) struct Names;

impl Names {
    pub(crate) const EMBEDDING: &'static str = "node_embedding.linear.weight";

    pub(crate) fn linear_up(layer: usize) -> String {
        format!("interactions.{layer}.linear_up.weight")
    }

    pub(crate) fn radial(layer: usize, depth: usize) -> String {
        format!("interactions.{layer}.conv_tp_weights.layer{depth}.weight")
    }

    pub(crate) fn message_linear(layer: usize) -> String {
        format!("interactions.{layer}.linear.weight")
    }

    pub(crate) fn skip(layer: usize) -> String {
        format!("interactions.{layer}.skip_tp.weight")
    }

    pub(crate) fn density(layer: usize) -> String {
        format!("interactions.{layer}.density_fn.layer0.weight")
    }

    /// Module of the contraction to one degree.
    pub(crate) fn contraction(layer: usize, degree: usize) -> String {
        format!("products.{layer}.symmetric_contractions.contractions.{degree}")
    }

    /// Weights of `order` factors out of at most `correlation`: the highest order has a name of its
    /// own, the others count down.
    pub(crate) fn couplings(
        layer: usize,
        degree: usize,
        order: usize,
        correlation: usize,
    ) -> String {
        let module = Self::contraction(layer, degree);
        if order == correlation {
            format!("{module}.weights_max")
        } else {
            format!("{module}.weights.{}", correlation - 1 - order)
        }
    }

    pub(crate) fn product_linear(layer: usize) -> String {
        format!("products.{layer}.linear.weight")
    }

    pub(crate) fn linear_readout(layer: usize) -> String {
        format!("readouts.{layer}.linear.weight")
    }

    /// First (1) or second (2) map of the gated readout.
    pub(crate) fn gated_readout(layer: usize, map: usize) -> String {
        format!("readouts.{layer}.linear_{map}.weight")
    }
}

/// The parameters of `blueprint`, in the order in which mace-torch registers the modules.
pub(super) fn specs(
    config: &MaceConfig,
    paths: &[Arc<Paths>],
    bases: &[Arc<ProductBasis>],
) -> Arc<[ParamSpec]> {
    let mut list = SpecList { config, specs: Vec::new() };
    list.weight(Names::EMBEDDING, &[config.elements.len() * config.channels], false);
    for (layer, paths) in paths.iter().enumerate() {
        list.interaction(layer, paths);
    }
    for (layer, basis) in bases.iter().enumerate() {
        list.product(layer, basis);
    }
    list.readouts();
    list.specs.into()
}

struct SpecList<'a> {
    config: &'a MaceConfig,
    specs: Vec<ParamSpec>,
}

impl SpecList<'_> {
    fn weight(&mut self, name: impl Into<String>, shape: &[usize], decay: bool) {
        self.normal(name, shape, decay, 1.0);
    }

    fn normal(&mut self, name: impl Into<String>, shape: &[usize], decay: bool, std: f64) {
        let spec = ParamSpec::new(name, shape, Init::Normal { std });
        self.specs.push(ParamSpec { decay, ..spec });
    }

    fn interaction(&mut self, layer: usize, paths: &Paths) {
        let (config, channels) = (self.config, self.config.channels);
        let square = channels * channels;
        let before = config.degree_before(layer);
        self.weight(Names::linear_up(layer), &[(before + 1) * square], false);
        let num_paths = paths.len();
        let mut width = config.num_bessel;
        for (depth, &next) in config.radial_widths.iter().enumerate() {
            self.weight(Names::radial(layer, depth), &[width, next], false);
            width = next;
        }
        let last = config.radial_widths.len();
        self.weight(Names::radial(layer, last), &[width, num_paths * channels], false);
        self.weight(Names::message_linear(layer), &[num_paths * square], true);
        let num_degrees = skip_degrees(config, layer);
        let skip = num_degrees * square * config.elements.len();
        self.weight(Names::skip(layer), &[skip], false);
        if config.interaction_of(layer).has_density() {
            self.weight(Names::density(layer), &[config.num_bessel, 1], false);
        }
    }

    fn product(&mut self, layer: usize, basis: &ProductBasis) {
        for (degree, degree_basis) in basis.degrees.iter().enumerate() {
            self.couplings(layer, degree, degree_basis);
        }
        let square = self.config.channels.pow(2);
        self.weight(Names::product_linear(layer), &[basis.degrees.len() * square], true);
    }

    /// The highest order first, as registered.
    fn couplings(&mut self, layer: usize, degree: usize, basis: &DegreeBasis) {
        let (elements, channels) = (self.config.elements.len(), self.config.channels);
        let correlation = self.config.correlation;
        for order in (1..=correlation).rev() {
            let k = basis.orders[order - 1].num_weights;
            let name = Names::couplings(layer, degree, order, correlation);
            self.normal(name, &[elements, k, channels], true, 1.0 / k as f64);
        }
    }

    fn readouts(&mut self) {
        let (channels, heads) = (self.config.channels, self.config.heads.len());
        let last = self.config.num_interactions - 1;
        for layer in 0..last.max(1) {
            self.weight(Names::linear_readout(layer), &[channels * heads], false);
        }
        if last > 0 {
            let hidden = self.config.readout_width * heads;
            self.weight(Names::gated_readout(last, 1), &[channels * hidden], false);
            self.weight(Names::gated_readout(last, 2), &[hidden * heads], false);
        }
    }
}

/// How many degrees, from 0 on, the element-dependent map of a layer has: all of the messages in
/// the agnostic blocks; in residual ones those that both its input and its output have.
pub(super) fn skip_degrees(config: &MaceConfig, layer: usize) -> usize {
    if config.interaction_of(layer).is_residual() {
        config.degree_before(layer).min(config.degree_after(layer)) + 1
    } else {
        config.max_ell + 1
    }
}
