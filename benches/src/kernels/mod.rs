//! Kernels one by one against what this machine can do at most.
//!
//! A case is one operation on one shape, as its family gives it (`cases.rs`); its work is what the kernel's own `roofline` counts. The
//! bound is the longer of its arithmetic at the measured rate of registers and of its traffic at the
//! measured rate of the cache or memory that its numbers fit. Fractions above 1 are printed as they
//! are: they say that the count is wrong.

mod case;
mod measure;
mod notes;
mod plot;
mod shapes;
mod table;

use genesis_kernels::cases::Place;
use genesis_kernels::{FAMILIES, Kernels, all_cases};

pub use case::KernelCase;
pub use measure::{Limit, Measured, Report, Timed, judge, time};
pub use plot::svg;
pub use shapes::ShapeSet;
pub use table::{heading, line, remarks};

/// Families that have cases: all but the rounding to bf16, which is part of the products it serves.
pub fn families() -> Vec<&'static str> {
    FAMILIES.iter().copied().filter(|family| *family != "precision").collect()
}

/// The cases of a set of shapes on a device, of some families or, of none, of all.
pub fn cases<B: Kernels>(
    device: &B::Device,
    set: ShapeSet,
    families: &[String],
) -> Vec<KernelCase> {
    let at = Place::<B> { device: device.clone() };
    let wanted = |name: &str| families.is_empty() || families.iter().any(|family| family == name);
    let all = all_cases(&at, &set.sizes()).into_iter().filter(|(family, _)| wanted(family));
    all.map(|(family, case)| KernelCase::new(&at, family, case)).collect()
}

#[cfg(test)]
mod tests {
    use burn::backend::flex::FlexDevice;
    use genesis_kernels::Cpu;

    use super::*;

    #[test]
    fn every_family_with_a_cost_model_has_a_case_and_no_other_is_named() {
        let kernels = concat!(env!("CARGO_MANIFEST_DIR"), "/../kernels/src/families");
        let mut folders: Vec<String> = std::fs::read_dir(kernels)
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.path().join("roofline.rs").exists())
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        folders.sort();
        assert_eq!(folders, families());
        for family in families() {
            assert!(
                !cases::<Cpu>(&FlexDevice, ShapeSet::Small, &[family.to_owned()]).is_empty(),
                "{family}"
            );
        }
    }
}
