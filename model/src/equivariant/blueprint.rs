//! A checked configuration with the tables that follow from it: made once, shared by every step.

use std::sync::Arc;

use genesis_kernels::Paths;

use super::{config::MaceConfig, product_basis::ProductBasis, specs::specs};
use crate::{ConfigProblems, params::ParamSpec};

/// Everything about a MACE that does not change while it trains. Cloning copies pointers.
#[derive(Debug, Clone)]
pub struct Blueprint {
    config: Arc<MaceConfig>,
    /// `[layers]` paths of the convolutions.
    paths: Vec<Arc<Paths>>,
    /// `[layers]` polynomials of the products.
    bases: Vec<Arc<ProductBasis>>,
    specs: Arc<[ParamSpec]>,
}

impl Blueprint {
    /// Checks `config` and builds its tables: couplings, monomials, parameter specs.
    ///
    /// # Errors
    /// [`ConfigProblems`] with everything that is wrong.
    pub fn new(config: MaceConfig) -> Result<Self, ConfigProblems> {
        config.check()?;
        let layers = 0..config.num_interactions;
        let paths: Vec<_> = layers.clone().map(|layer| conv_paths(&config, layer)).collect();
        let inner = Arc::new(ProductBasis::new(&config, config.max_hidden_degree));
        let last = Arc::new(ProductBasis::new(&config, 0));
        let is_last = |layer| layer + 1 == config.num_interactions;
        let basis = |layer| if is_last(layer) { last.clone() } else { inner.clone() };
        let bases: Vec<_> = layers.map(basis).collect();
        let specs = specs(&config, &paths, &bases);
        Ok(Self { config: Arc::new(config), paths, bases, specs })
    }

    /// What the network is.
    pub fn config(&self) -> &MaceConfig {
        &self.config
    }

    /// Its parameters: names, shapes, first values, decay.
    pub fn specs(&self) -> &Arc<[ParamSpec]> {
        &self.specs
    }

    /// Scalars in all parameters.
    pub fn num_parameters(&self) -> usize {
        self.specs.iter().map(ParamSpec::num_elements).sum()
    }

    /// Paths of the convolution of `layer`.
    pub fn paths(&self, layer: usize) -> &Arc<Paths> {
        &self.paths[layer]
    }

    /// Polynomials of the product of `layer`.
    pub fn basis(&self, layer: usize) -> &Arc<ProductBasis> {
        &self.bases[layer]
    }
}

fn conv_paths(config: &MaceConfig, layer: usize) -> Arc<Paths> {
    Arc::new(Paths::new(config.degree_before(layer), config.max_ell, config.max_ell))
}
