//! Hyper-parameters of a mace-torch model to a [`MaceConfig`].

use serde_json::{Map, Value};

use super::{interaction_name, irreps::Hidden, irreps::hidden};
use crate::{
    ConfigProblems,
    equivariant::{
        MaceConfig,
        choices::{
            CouplingSigns, DistanceTransform, EnergyKind, InteractionKind, ProductBasisKind,
        },
    },
};

/// Keys that change the function in ways Genesis does not have; each may be absent, null, or this.
const FIXED: [(&str, &str); 12] = [
    ("radial_type", "\"bessel\""),
    ("gate", "\"silu\""),
    ("use_reduced_cg", "false"),
    ("use_so3", "false"),
    ("use_agnostic_product", "false"),
    ("use_last_readout_only", "false"),
    ("use_embedding_readout", "false"),
    ("keep_last_layer_irreps", "false"),
    ("use_edge_irreps_first", "false"),
    ("edge_irreps", "null"),
    ("embedding_specs", "null"),
    ("readout_cls", "\"NonLinearReadoutBlock\""),
];

/// The configuration that a `config.json` of hyper-parameters describes. Keys without effect on the
/// function, such as versions, are not read.
///
/// # Errors
/// [`ConfigProblems`] with everything that is missing, malformed, or not to be had here.
pub fn config_from_json(json: &Value) -> Result<MaceConfig, ConfigProblems> {
    let Some(map) = json.as_object() else {
        return Err(ConfigProblems {
            problems: vec!["the configuration is no JSON object".into()],
        });
    };
    let mut reader = Reader { map, problems: Vec::new() };
    let config = read(&mut reader);
    ConfigProblems::check(reader.problems)?;
    config.check()?;
    Ok(config)
}

fn read(reader: &mut Reader<'_>) -> MaceConfig {
    for (key, allowed) in FIXED {
        reader.fixed(key, allowed);
    }
    let features = reader.irreps("hidden_irreps");
    let readout = reader.irreps("MLP_irreps");
    if readout.max_degree > 0 {
        reader.problems.push("MLP_irreps must be scalars, such as `16x0e`".into());
    }
    let heads = reader.heads();
    MaceConfig {
        elements: reader.list("atomic_numbers", |z| u8::try_from(z.as_u64()?).ok()),
        atomic_energies_ev: reader.atomic_energies(),
        energy: reader.energy(),
        r_max_angstrom: reader.number("r_max"),
        num_bessel: reader.count("num_bessel"),
        cutoff_power: u32::try_from(reader.count("num_polynomial_cutoff")).unwrap_or(u32::MAX),
        cutoff_on_basis: reader.flag("apply_cutoff", true),
        distance_transform: reader.transform(),
        zbl: reader.flag("pair_repulsion", false),
        max_ell: reader.count("max_ell"),
        channels: features.channels,
        max_hidden_degree: features.max_degree,
        correlation: reader.correlation(),
        num_interactions: reader.count("num_interactions"),
        interaction_first: reader.interaction("interaction_first"),
        interaction: reader.interaction("interaction"),
        radial_widths: reader.list("radial_MLP", |width| usize::try_from(width.as_u64()?).ok()),
        readout_width: readout.channels,
        avg_num_neighbors: reader.number("avg_num_neighbors"),
        product_basis: ProductBasisKind::Unreduced,
        coupling_signs: CouplingSigns::E3nn04,
        heads,
    }
}

/// Looks keys up and gathers what is wrong with them; a stand-in is returned then.
struct Reader<'a> {
    map: &'a Map<String, Value>,
    problems: Vec<String>,
}

impl Reader<'_> {
    /// The value under `key` as `convert` reads it.
    fn read<T>(
        &mut self,
        key: &str,
        kind: &str,
        convert: impl Fn(&Value) -> Option<T>,
    ) -> Option<T> {
        let Some(value) = self.map.get(key) else {
            self.problems.push(format!("`{key}` is missing; it must be {kind}"));
            return None;
        };
        let converted = convert(value);
        if converted.is_none() {
            self.problems.push(format!("`{key}` is {value}; it must be {kind}"));
        }
        converted
    }

    fn has(&self, key: &str) -> bool {
        self.map.get(key).is_some_and(|value| !value.is_null())
    }

    fn fixed(&mut self, key: &str, allowed: &str) {
        let Some(value) = self.map.get(key).filter(|value| !value.is_null()) else { return };
        let value = value.to_string();
        if value != allowed {
            self.problems.push(format!("`{key}` is {value}; Genesis has {allowed} only"));
        }
    }

    fn number(&mut self, key: &str) -> f64 {
        self.read(key, "a number", Value::as_f64).unwrap_or(1.0)
    }

    fn count(&mut self, key: &str) -> usize {
        let count = |value: &Value| usize::try_from(value.as_u64()?).ok();
        self.read(key, "a count", count).unwrap_or(1)
    }

    fn flag(&mut self, key: &str, default: bool) -> bool {
        if !self.has(key) {
            return default;
        }
        self.read(key, "true or false", Value::as_bool).unwrap_or(default)
    }

    fn list<T>(&mut self, key: &str, item: impl Fn(&Value) -> Option<T>) -> Vec<T> {
        let list = |value: &Value| value.as_array()?.iter().map(&item).collect::<Option<_>>();
        self.read(key, "a list of whole numbers in range", list).unwrap_or_default()
    }

    fn irreps(&mut self, key: &str) -> Hidden {
        let text = self.read(key, "irreps such as `8x0e+8x1o`", |v| v.as_str().map(str::to_owned));
        match text.map(|text| hidden(&text)) {
            Some(Ok(features)) => return features,
            Some(Err(sentence)) => self.problems.push(format!("`{key}`: {sentence}")),
            None => {}
        }
        Hidden { channels: 1, max_degree: 0 }
    }

    fn heads(&mut self) -> Vec<String> {
        if !self.has("heads") {
            return vec!["Default".into()];
        }
        let names = |value: &Value| {
            let name = |name: &Value| name.as_str().map(str::to_owned);
            value.as_array()?.iter().map(name).collect::<Option<_>>()
        };
        self.read("heads", "a list of names", names).unwrap_or_default()
    }

    /// One row for one head, or a row per head.
    fn atomic_energies(&mut self) -> Vec<Vec<f64>> {
        let nested = |value: &Value| match value.as_array()?.first()? {
            Value::Array(_) => value.as_array()?.iter().map(numbers).collect::<Option<_>>(),
            _ => Some(vec![numbers(value)?]),
        };
        self.read("atomic_energies", "a number per element, or a list of these per head", nested)
            .unwrap_or_default()
    }

    fn energy(&mut self) -> EnergyKind {
        let plain = if self.has("model") {
            let class = |value: &Value| match value.as_str()? {
                "MACE" => Some(true),
                "ScaleShiftMACE" => Some(false),
                _ => None,
            };
            self.read("model", "`MACE` or `ScaleShiftMACE`", class).unwrap_or(false)
        } else {
            !self.has("scale") && !self.has("shift")
        };
        if plain {
            return EnergyKind::Plain {};
        }
        let [scale, shift_ev] = ["scale", "shift"].map(|key| {
            let one_or_more = |value: &Value| match value {
                Value::Array(_) => numbers(value),
                _ => Some(vec![value.as_f64()?]),
            };
            self.read(key, "a number, or one per head", one_or_more).unwrap_or_default()
        });
        EnergyKind::ScaleShift { scale, shift_ev }
    }

    fn transform(&mut self) -> DistanceTransform {
        let key = "distance_transform";
        if !self.has(key) {
            return DistanceTransform::None;
        }
        let kind = |value: &Value| match value.as_str()? {
            "None" => Some(DistanceTransform::None),
            "Agnesi" => Some(DistanceTransform::Agnesi),
            "Soft" => Some(DistanceTransform::Soft),
            _ => None,
        };
        self.read(key, "`None`, `Agnesi` or `Soft`", kind).unwrap_or(DistanceTransform::None)
    }

    /// One number, or the same number for each layer.
    fn correlation(&mut self) -> usize {
        let order = |value: &Value| {
            let first = value.as_array().map_or(Some(value), |list| list.first())?;
            let same = value.as_array().is_none_or(|list| list.iter().all(|item| item == first));
            usize::try_from(first.as_u64()?).ok().filter(|_| same)
        };
        self.read("correlation", "a count, the same for all layers", order).unwrap_or(1)
    }

    fn interaction(&mut self, key: &str) -> InteractionKind {
        let known = InteractionKind::ALL.map(interaction_name).join(", ");
        let kind = |value: &Value| {
            let name = value.as_str()?;
            InteractionKind::ALL.into_iter().find(|kind| interaction_name(*kind) == name)
        };
        self.read(key, &format!("one of {known}; Genesis has no other block"), kind)
            .unwrap_or(InteractionKind::RealAgnostic)
    }
}

fn numbers(value: &Value) -> Option<Vec<f64>> {
    value.as_array()?.iter().map(Value::as_f64).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::equivariant::{mace_torch::config_to_json, testing::small_config};

    #[test]
    fn a_configuration_reads_back_as_it_is_written() {
        let mut config = MaceConfig {
            heads: vec!["a".into(), "b".into()],
            atomic_energies_ev: vec![vec![-1.0, -2.0, -3.0], vec![0.5, 0.25, 0.125]],
            energy: EnergyKind::ScaleShift { scale: vec![0.8, 0.9], shift_ev: vec![0.1, 0.2] },
            distance_transform: DistanceTransform::Agnesi,
            zbl: true,
            cutoff_on_basis: false,
            interaction: InteractionKind::RealAgnosticDensityResidual,
            ..small_config()
        };
        assert_eq!(config_from_json(&config_to_json(&config)).unwrap(), config);
        config.energy = EnergyKind::Plain {};
        assert_eq!(config_from_json(&config_to_json(&config)).unwrap(), config);
        assert_eq!(config_from_json(&config_to_json(&small_config())).unwrap(), small_config());
    }

    #[test]
    fn a_block_genesis_does_not_have_is_refused_by_name() {
        let mut json = config_to_json(&small_config());
        json["interaction"] = json!("RealAgnosticResidualNonLinearInteractionBlock");
        json["use_reduced_cg"] = json!(true);
        json.as_object_mut().unwrap().remove("r_max");
        let problems = config_from_json(&json).unwrap_err().problems;
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(problems[0].contains("`use_reduced_cg` is true"), "{problems:?}");
        assert!(problems[1].contains("`r_max` is missing"), "{problems:?}");
        assert!(problems[2].contains("RealAgnosticResidualNonLinear"), "{problems:?}");
    }
}
