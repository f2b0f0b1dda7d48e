//! Symbols and masses of the elements, in the order of atomic numbers.
//!
//! Masses are standard atomic weights, abridged (IUPAC, Pure Appl. Chem. 94, 573 (2022)); for elements
//! without stable isotopes the mass number of a long-lived one.

/// Symbols of elements 1 to 118.
const SYMBOLS: [&str; 118] = [
    "H", "He", "Li", "Be", "B", "C", "N", "O", "F", "Ne", "Na", "Mg", "Al", "Si", "P", "S", "Cl",
    "Ar", "K", "Ca", "Sc", "Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn", "Ga", "Ge", "As",
    "Se", "Br", "Kr", "Rb", "Sr", "Y", "Zr", "Nb", "Mo", "Tc", "Ru", "Rh", "Pd", "Ag", "Cd", "In",
    "Sn", "Sb", "Te", "I", "Xe", "Cs", "Ba", "La", "Ce", "Pr", "Nd", "Pm", "Sm", "Eu", "Gd", "Tb",
    "Dy", "Ho", "Er", "Tm", "Yb", "Lu", "Hf", "Ta", "W", "Re", "Os", "Ir", "Pt", "Au", "Hg", "Tl",
    "Pb", "Bi", "Po", "At", "Rn", "Fr", "Ra", "Ac", "Th", "Pa", "U", "Np", "Pu", "Am", "Cm", "Bk",
    "Cf", "Es", "Fm", "Md", "No", "Lr", "Rf", "Db", "Sg", "Bh", "Hs", "Mt", "Ds", "Rg", "Cn", "Nh",
    "Fl", "Mc", "Lv", "Ts", "Og",
];

/// The symbol of an atomic number; `?` for what is no element.
pub fn symbol(atomic_number: u8) -> &'static str {
    usize::from(atomic_number).checked_sub(1).and_then(|at| SYMBOLS.get(at)).unwrap_or(&"?")
}

/// The atomic number of a symbol, written as usual (`Na`).
pub fn atomic_number(symbol: &str) -> Option<u8> {
    let at = SYMBOLS.iter().position(|known| *known == symbol)?;
    u8::try_from(at + 1).ok()
}

/// Isotopes of hydrogen that have symbols of their own: symbol and mass, u (AME2020).
const ISOTOPES: [(&str, f64); 2] = [("D", 2.014_101_778), ("T", 3.016_049_281)];

/// The atomic number of a symbol in any case, and the mass of an isotope, u: `SI` is silicon, `D`
/// hydrogen of 2.014 u.
pub fn spelled(word: &str) -> Option<(u8, Option<f64>)> {
    let isotope = ISOTOPES.iter().find(|(symbol, _)| *symbol == word);
    if let Some(&(_, mass)) = isotope {
        return Some((1, Some(mass)));
    }
    let known = SYMBOLS.iter().position(|known| known.eq_ignore_ascii_case(word))?;
    Some((u8::try_from(known + 1).ok()?, None))
}

/// Masses by atomic number, from 1, u.
const MASSES: [f64; 118] = [
    1.008, 4.0026, 6.94, 9.0122, 10.81, 12.011, 14.007, 15.999, 18.998, 20.180, 22.990, 24.305,
    26.982, 28.085, 30.974, 32.06, 35.45, 39.95, 39.098, 40.078, 44.956, 47.867, 50.942, 51.996,
    54.938, 55.845, 58.933, 58.693, 63.546, 65.38, 69.723, 72.630, 74.922, 78.971, 79.904, 83.798,
    85.468, 87.62, 88.906, 91.224, 92.906, 95.95, 97.0, 101.07, 102.91, 106.42, 107.87, 112.41,
    114.82, 118.71, 121.76, 127.60, 126.90, 131.29, 132.91, 137.33, 138.91, 140.12, 140.91, 144.24,
    145.0, 150.36, 151.96, 157.25, 158.93, 162.50, 164.93, 167.26, 168.93, 173.05, 174.97, 178.49,
    180.95, 183.84, 186.21, 190.23, 192.22, 195.08, 196.97, 200.59, 204.38, 207.2, 208.98, 209.0,
    210.0, 222.0, 223.0, 226.0, 227.0, 232.04, 231.04, 238.03, 237.0, 244.0, 243.0, 247.0, 247.0,
    251.0, 252.0, 257.0, 258.0, 259.0, 262.0, 267.0, 268.0, 269.0, 270.0, 269.0, 277.0, 281.0,
    282.0, 285.0, 286.0, 290.0, 290.0, 293.0, 294.0, 294.0,
];

/// Mass of an element, u.
///
/// # Panics
/// If `atomic_number` is not between 1 and 118: a structure was not checked.
pub fn mass(atomic_number: u8) -> f64 {
    MASSES[usize::from(atomic_number) - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_and_numbers_are_inverse_and_known_ones_are_in_place() {
        for z in 1..=118 {
            assert_eq!(atomic_number(symbol(z)), Some(z));
        }
        let known = [(1, "H"), (14, "Si"), (26, "Fe"), (57, "La"), (79, "Au"), (92, "U")];
        assert!(known.iter().all(|&(z, name)| symbol(z) == name));
        assert_eq!(spelled("SI"), Some((14, None)));
        assert_eq!(spelled("D").map(|(z, mass)| (z, mass.is_some())), Some((1, true)));
        assert_eq!((spelled("X"), spelled("Si1"), spelled("d")), (None, None, None));
        assert_eq!((symbol(0), atomic_number("Xx"), atomic_number("h")), ("?", None, None));
    }

    #[test]
    fn elements_have_the_masses_of_the_table() {
        for (number, want) in [(1, 1.008), (8, 15.999), (14, 28.085), (79, 196.97), (92, 238.03)] {
            assert!((mass(number) - want).abs() < 1e-9, "{number}");
        }
        assert!((mass(118) - 294.0).abs() < 1e-9);
    }
}
