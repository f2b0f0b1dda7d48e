//! Symbols of the elements, in the order of atomic numbers.

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
        assert_eq!((symbol(0), atomic_number("Xx"), atomic_number("h")), ("?", None, None));
    }
}
