//! The choices a [`MaceConfig`](super::MaceConfig) makes between named alternatives.

/// The interaction blocks of mace-torch that Genesis has.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum InteractionKind {
    /// Messages mixed by an element-dependent map; nothing skips the layer.
    RealAgnostic,
    /// An element-dependent map of the layer's input is added to its output.
    RealAgnosticResidual,
    /// As `real_agnostic`, divided by one plus a learned density of neighbours.
    RealAgnosticDensity,
    /// As `real_agnostic_residual`, divided by one plus a learned density of neighbours.
    RealAgnosticDensityResidual,
}

impl InteractionKind {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::RealAgnostic,
        Self::RealAgnosticResidual,
        Self::RealAgnosticDensity,
        Self::RealAgnosticDensityResidual,
    ];

    /// Whether the input of the layer skips it.
    pub fn is_residual(self) -> bool {
        matches!(self, Self::RealAgnosticResidual | Self::RealAgnosticDensityResidual)
    }

    /// Whether a learned density divides the messages.
    pub fn has_density(self) -> bool {
        matches!(self, Self::RealAgnosticDensity | Self::RealAgnosticDensityResidual)
    }
}

/// What happens to a distance `r` of the atoms `i`, `j` before the radial functions see it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum DistanceTransform {
    /// Nothing.
    None,
    /// Agnesi's curve of `r` over the mean covalent radius.
    Agnesi,
    /// A smooth clamp below three quarters of the sum of covalent radii.
    Soft,
}

/// What becomes of the sum of an atom's readouts, `s`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum EnergyKind {
    /// `s` is the interaction energy of the atom, eV: the class `MACE`.
    Plain {},
    /// `scale[head] * s + shift[head]` is: the class `ScaleShiftMACE`.
    ScaleShift {
        /// `[H]` factors, eV.
        scale: Vec<f64>,
        /// `[H]` summands, eV.
        shift_ev: Vec<f64>,
    },
}

/// Which couplings of products of messages have a parameter each.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ProductBasisKind {
    /// Every way to couple, as in mace-torch, though many give the same polynomial.
    Unreduced,
    /// An orthonormal set of exchange-symmetric couplings: the same polynomials, each once.
    Symmetric,
}

/// Signs of the coupling coefficients: those of e3nn changed between 0.4.4 and 0.5.0, and
/// mace-torch pins 0.4.4.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum CouplingSigns {
    /// The constants that e3nn 0.4.4 ships: what mace-torch models are trained with.
    #[serde(rename = "e3nn_0_4")]
    E3nn04,
    /// The formula of e3nn 0.5.0 and later.
    #[serde(rename = "e3nn_0_5")]
    E3nn05,
}
