//! What fixes the function a MACE computes, apart from its parameters.
//!
//! It is what a checkpoint's manifest stores; what a mace-torch folder says is translated in
//! `mace_torch`. [`MaceConfig::check`] reports all problems at once. Nothing here touches tensors.

use genesis_kernels::wigner::SignTable;

use super::choices::{
    CouplingSigns, DistanceTransform, EnergyKind, InteractionKind, ProductBasisKind,
};
use crate::ConfigProblems;

/// Largest width accepted; keeps every product of sizes far from overflow.
const LARGEST: usize = 1 << 16;
/// Largest degree of harmonics and features that the kernels have.
const LARGEST_DEGREE: usize = 6;

/// A MACE: Batatia et al., "MACE: Higher Order Equivariant Message Passing Neural Networks",
/// arXiv:2206.07697. Units Å and eV.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaceConfig {
    /// Atomic numbers it knows, ascending: the `S` elements.
    pub elements: Vec<u8>,
    /// Names of the heads, at least one; a structure chooses one of them.
    pub heads: Vec<String>,
    /// `[H][S]` energy of the isolated atom, eV.
    pub atomic_energies_ev: Vec<Vec<f64>>,
    /// Whether the sum of the readouts is scaled and shifted, and how.
    pub energy: EnergyKind,
    /// Atoms closer than this are neighbours, Å.
    pub r_max_angstrom: f64,
    /// Radial functions.
    pub num_bessel: usize,
    /// Power `p` of the polynomial cut-off.
    pub cutoff_power: u32,
    /// Whether the cut-off multiplies the radial functions; else it multiplies what the radial
    /// network makes of them.
    pub cutoff_on_basis: bool,
    /// What happens to distances before the radial functions.
    pub distance_transform: DistanceTransform,
    /// Whether the screened nuclear repulsion of Ziegler, Biersack and Littmark is added.
    pub zbl: bool,
    /// Highest degree of the harmonics and of the messages.
    pub max_ell: usize,
    /// Channels of every degree, `C`.
    pub channels: usize,
    /// Highest degree of the features between layers, `L`; at most `max_ell`.
    pub max_hidden_degree: usize,
    /// Highest order of products of messages, 1 to 3.
    pub correlation: usize,
    /// Layers.
    pub num_interactions: usize,
    /// Block of the first layer.
    pub interaction_first: InteractionKind,
    /// Block of the later layers.
    pub interaction: InteractionKind,
    /// Hidden widths of the radial network.
    pub radial_widths: Vec<usize>,
    /// Hidden units per head of the last readout.
    pub readout_width: usize,
    /// Messages are divided by this, except in the density blocks.
    pub avg_num_neighbors: f64,
    /// Which couplings of products are parameters.
    pub product_basis: ProductBasisKind,
    /// Signs of the coupling coefficients.
    pub coupling_signs: CouplingSigns,
}

impl MaceConfig {
    /// Highest degree of the features after `layer`, counted from 0: the last one keeps scalars.
    pub fn degree_after(&self, layer: usize) -> usize {
        if layer + 1 == self.num_interactions { 0 } else { self.max_hidden_degree }
    }

    /// Highest degree of the features before `layer`: the first one sees an embedding.
    pub fn degree_before(&self, layer: usize) -> usize {
        if layer == 0 { 0 } else { self.max_hidden_degree }
    }

    /// The block of `layer`.
    pub fn interaction_of(&self, layer: usize) -> InteractionKind {
        if layer == 0 { self.interaction_first } else { self.interaction }
    }

    /// Place of an element in [`Self::elements`].
    pub fn species(&self, atomic_number: u8) -> Option<usize> {
        self.elements.binary_search(&atomic_number).ok()
    }

    /// The sign table as the kernels name it.
    pub fn signs(&self) -> SignTable {
        match self.coupling_signs {
            CouplingSigns::E3nn04 => SignTable::E3nn04,
            CouplingSigns::E3nn05 => SignTable::E3nn05,
        }
    }

    /// Everything wrong with the configuration.
    ///
    /// # Errors
    /// [`ConfigProblems`], one sentence per problem: the key, its value, what is allowed.
    pub fn check(&self) -> Result<(), ConfigProblems> {
        let mut found = Problems::default();
        self.check_elements(&mut found);
        self.check_heads(&mut found);
        self.check_radial(&mut found);
        self.check_sizes(&mut found);
        ConfigProblems::check(found.sentences)
    }

    fn check_elements(&self, found: &mut Problems) {
        let elements = &self.elements;
        found.unless(!elements.is_empty(), || "elements is empty; name at least one".into());
        found.unless(elements.windows(2).all(|pair| pair[0] < pair[1]), || {
            format!("elements {elements:?} must ascend without repetition")
        });
        found.unless(elements.iter().all(|z| (1..=118).contains(z)), || {
            format!("elements {elements:?} must lie between 1 and 118")
        });
    }

    fn check_heads(&self, found: &mut Problems) {
        let (heads, num_elements) = (&self.heads, self.elements.len());
        found.unless(!heads.is_empty(), || "heads is empty; name at least one".into());
        let repeated = (1..heads.len()).any(|at| heads[..at].contains(&heads[at]));
        found.unless(!repeated, || format!("heads {heads:?} repeat a name"));
        let rows: Vec<usize> = self.atomic_energies_ev.iter().map(Vec::len).collect();
        found.unless(rows == vec![num_elements; heads.len()], || {
            format!(
                "atomic_energies_ev has rows of {rows:?} values but {} head(s) and {num_elements} \
                 element(s) need {} row(s) of {num_elements}",
                heads.len(),
                heads.len()
            )
        });
        for energy in self.atomic_energies_ev.iter().flatten() {
            found.unless(energy.is_finite(), || {
                format!("atomic_energies_ev holds {energy}; energies are finite")
            });
        }
        if let EnergyKind::ScaleShift { scale, shift_ev } = &self.energy {
            for (key, values) in [("scale", scale), ("shift_ev", shift_ev)] {
                let fits = values.len() == heads.len() && values.iter().all(|x| x.is_finite());
                found.unless(fits, || {
                    format!("energy.{key} is {values:?}; {} finite value(s) needed", heads.len())
                });
            }
        }
    }

    fn check_radial(&self, found: &mut Problems) {
        for (key, value) in
            [("r_max_angstrom", self.r_max_angstrom), ("avg_num_neighbors", self.avg_num_neighbors)]
        {
            found.unless(value.is_finite() && value > 0.0, || {
                format!("{key} is {value}; it must be finite and above 0")
            });
        }
        // The second derivative of the cut-off, which training needs, is continuous from p = 3 on
        // at zero; above 64 the polynomial loses its digits.
        found.range("cutoff_power", self.cutoff_power as usize, 3, 64);
        found.range("num_bessel", self.num_bessel, 1, LARGEST);
        found.unless(!self.radial_widths.is_empty(), || {
            "radial_widths is empty; name at least one hidden width".into()
        });
        for &width in &self.radial_widths {
            found.range("radial_widths", width, 1, LARGEST);
        }
    }

    fn check_sizes(&self, found: &mut Problems) {
        found.range("max_ell", self.max_ell, 0, LARGEST_DEGREE);
        found.range("channels", self.channels, 1, LARGEST);
        found.range("max_hidden_degree", self.max_hidden_degree, 0, self.max_ell);
        found.range("correlation", self.correlation, 1, 3);
        let middle = self.max_ell + self.max_hidden_degree.min(self.max_ell);
        let known = self.signs().max_degree().is_none_or(|most| middle <= most);
        found.unless(self.correlation < 3 || known, || {
            format!(
                "max_ell {} with max_hidden_degree {} couples degree {middle} at correlation 3, but \
                 the signs of e3nn 0.4.4 are known to degree {LARGEST_DEGREE}; use \
                 coupling_signs = \"e3nn_0_5\" or a lower degree",
                self.max_ell, self.max_hidden_degree
            )
        });
        found.range("num_interactions", self.num_interactions, 1, 64);
        found.range("readout_width", self.readout_width, 1, LARGEST);
    }
}

/// Sentences gathered on the way.
#[derive(Default)]
struct Problems {
    sentences: Vec<String>,
}

impl Problems {
    fn unless(&mut self, fine: bool, sentence: impl FnOnce() -> String) {
        if !fine {
            self.sentences.push(sentence());
        }
    }

    fn range(&mut self, key: &str, value: usize, least: usize, most: usize) {
        self.unless((least..=most).contains(&value), || {
            format!("{key} is {value}; allowed are {least} to {most}")
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::equivariant::testing::small_config;

    #[test]
    fn all_problems_are_reported_at_once_with_their_values() {
        assert_eq!(small_config().check(), Ok(()));
        let config = MaceConfig {
            elements: vec![6, 1],
            atomic_energies_ev: vec![vec![f64::NAN]],
            energy: EnergyKind::ScaleShift { scale: vec![], shift_ev: vec![0.0] },
            r_max_angstrom: -1.0,
            cutoff_power: 2,
            max_hidden_degree: 3,
            correlation: 4,
            ..small_config()
        };
        let problems = config.check().unwrap_err().problems;
        let mentions = |text: &str| problems.iter().any(|problem| problem.contains(text));
        for text in [
            "elements [6, 1] must ascend",
            "rows of [1] values",
            "holds NaN",
            "energy.scale is []",
            "r_max_angstrom is -1",
            "cutoff_power is 2",
            "max_hidden_degree is 3; allowed are 0 to 2",
            "correlation is 4",
        ] {
            assert!(mentions(text), "`{text}` not in {problems:#?}");
        }
        assert_eq!(problems.len(), 8, "{problems:#?}");
    }

    #[test]
    fn degrees_whose_older_signs_nobody_recorded_are_refused() {
        let high =
            MaceConfig { max_ell: 4, max_hidden_degree: 3, correlation: 3, ..small_config() };
        let text = high.check().unwrap_err().to_string();
        assert!(text.contains("couples degree 7"), "{text}");
        let newer = MaceConfig { coupling_signs: CouplingSigns::E3nn05, ..high.clone() };
        assert_eq!(newer.check(), Ok(()));
        assert_eq!(MaceConfig { correlation: 2, ..high }.check(), Ok(()));
    }

    #[test]
    fn a_configuration_survives_json_and_unknown_keys_do_not() {
        let json = serde_json::to_value(small_config()).unwrap();
        assert_eq!(serde_json::from_value::<MaceConfig>(json.clone()).unwrap(), small_config());
        for (at, key) in [("", "chanels"), ("energy", "scael")] {
            let mut wrong = json.clone();
            let table = if at.is_empty() { &mut wrong } else { &mut wrong[at] };
            table[key] = 1.into();
            let error = serde_json::from_value::<MaceConfig>(wrong).unwrap_err().to_string();
            assert!(error.contains(key), "{error}");
        }
    }
}
