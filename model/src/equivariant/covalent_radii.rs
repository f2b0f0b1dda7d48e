//! Covalent radii of the elements, Å: they set the scale of distance transforms and of the range
//! of the nuclear repulsion.
//!
//! Source: Cordero et al., "Covalent radii revisited", Dalton Trans. 2008, 2832,
//! doi:10.1039/b801115j, the values of `sp3` carbon and of low-spin Mn, Fe, Co. Elements that the
//! paper does not list have 0.2 Å, as in ASE, whose table mace-torch uses.

/// Radius of elements without a published value, Å.
const UNLISTED: f64 = 0.2;

/// Hydrogen to curium.
const CORDERO: [f64; 96] = [
    0.31, 0.28, // H He
    1.28, 0.96, 0.84, 0.76, 0.71, 0.66, 0.57, 0.58, // Li .. Ne
    1.66, 1.41, 1.21, 1.11, 1.07, 1.05, 1.02, 1.06, // Na .. Ar
    2.03, 1.76, 1.70, 1.60, 1.53, 1.39, 1.39, 1.32, 1.26, 1.24, 1.32, 1.22, // K .. Zn
    1.22, 1.20, 1.19, 1.20, 1.20, 1.16, // Ga .. Kr
    2.20, 1.95, 1.90, 1.75, 1.64, 1.54, 1.47, 1.46, 1.42, 1.39, 1.45, 1.44, // Rb .. Cd
    1.42, 1.39, 1.39, 1.38, 1.39, 1.40, // In .. Xe
    2.44, 2.15, // Cs Ba
    2.07, 2.04, 2.03, 2.01, 1.99, 1.98, 1.98, 1.96, 1.94, 1.92, 1.92, 1.89, 1.90,
    1.87, // La .. Yb
    1.87, 1.75, 1.70, 1.62, 1.51, 1.44, 1.41, 1.36, 1.36, 1.32, // Lu .. Hg
    1.45, 1.46, 1.48, 1.40, 1.50, 1.50, // Tl .. Rn
    2.60, 2.21, 2.15, 2.06, 2.00, 1.96, 1.90, 1.87, 1.80, 1.69, // Fr .. Cm
];

/// Covalent radius of the element, Å.
pub(super) fn covalent_radius(atomic_number: u8) -> f64 {
    let at = usize::from(atomic_number).checked_sub(1);
    at.and_then(|at| CORDERO.get(at)).copied().unwrap_or(UNLISTED)
}

/// `[119]` as ASE stores them, the first for "no element".
pub(super) fn table() -> Vec<f64> {
    (0..=118).map(covalent_radius).collect()
}
