//! How a command is told how structures are read: `--units`, `--set`, else as the run of its model.

use genesis_data::structures::StructuresIngest;
use genesis_train::structures::{Reading, parse_units};
use toml::Table;

use crate::console;
use crate::exit::{Code, Failure};
use crate::family::options::{merge, parse};

/// Keys of an ingest that say how structures are read.
const KEYS: [&str; 4] = ["units", "keys", "format", "max_record_bytes"];

/// How files of structures are read.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct ReadingArgs {
    /// Units of the files, such as kcal/mol or hartree,bohr or eV,kbar,pressure_positive; what is not
    /// named is eV and Å [default: those of the data of the run]
    #[arg(long, value_name = "UNITS")]
    pub(crate) units: Option<String>,
    /// How structures are read: keys.energy=..., units.force_energy=..., format=..., as
    /// under [data.source] of a run file; may be repeated [default: as the data of the run]
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) options: Vec<String>,
}

impl ReadingArgs {
    /// How to read, from how the run of a model read; says so where that is not as usual.
    pub(crate) fn over(&self, run: &Reading) -> anyhow::Result<Reading> {
        let reading = self.resolve(run)?;
        if let Some(told) = reading.told() {
            console::note(format!("note: {told}"));
        }
        Ok(reading)
    }

    fn resolve(&self, run: &Reading) -> anyhow::Result<Reading> {
        let usage = |message: String| Failure::error(Code::Usage, message);
        let mut reading = run.clone();
        if let Some(units) = &self.units {
            reading.options.units =
                parse_units(units).map_err(|e| usage(format!("--units: {e}")))?;
            "--units".clone_into(&mut reading.from);
            reading.is_unknown = false;
        }
        let mut given = Table::new();
        for option in &self.options {
            merge(&mut given, parse(option)?);
        }
        if let Some(key) = given.keys().find(|key| !KEYS.contains(&&***key)) {
            let known = KEYS.join(", ");
            let message =
                format!("--set {key}: it does not say how structures are read; {known} do");
            return Err(usage(message));
        }
        if given.is_empty() {
            return Ok(reading);
        }
        if self.units.is_some() && given.contains_key("units") {
            return Err(usage("--units and --set units say the same: leave one out".to_owned()));
        }
        reading.format_is_asked = given.contains_key("format");
        "--set".clone_into(&mut reading.from);
        let mut table =
            Table::try_from(&StructuresIngest { inputs: Vec::new(), ..reading.options })?;
        merge(&mut table, given);
        reading.options = table.try_into().map_err(|error| usage(format!("--set: {error}")))?;
        Ok(reading)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(units: Option<&str>, options: &[&str]) -> anyhow::Result<Reading> {
        let args = ReadingArgs {
            units: units.map(str::to_owned),
            options: options.iter().map(|&option| option.to_owned()).collect(),
        };
        let mut run = Reading::default();
        run.options.keys.energy = Some("E_run".to_owned());
        run.options.units = parse_units("kcal/mol").expect("a unit");
        args.resolve(&run)
    }

    #[test]
    fn what_is_said_goes_before_the_run_and_the_rest_stays_as_the_run_has_it() {
        let plain = resolve(None, &[]).unwrap();
        assert_eq!(plain.options.units, parse_units("kcal/mol").unwrap());
        let said = resolve(Some("bohr"), &["keys.forces=F"]).unwrap();
        assert_eq!(said.options.units, parse_units("bohr").unwrap(), "the others are eV and Å");
        let keys = said.options.keys;
        assert_eq!((keys.energy.as_deref(), keys.forces.as_deref()), (Some("E_run"), Some("F")));
        let added = resolve(None, &["units.length=bohr"]).unwrap();
        assert_eq!(added.options.units, parse_units("kcal/mol,bohr").unwrap());
    }

    #[test]
    fn what_does_not_say_how_to_read_is_refused_by_name() {
        let error = |units, options: &[&str]| resolve(units, options).unwrap_err().to_string();
        assert!(error(None, &["validation.fraction=0.1"]).contains("--set validation"));
        assert!(error(None, &["units.mass=u"]).contains("mass"));
        assert!(error(Some("parsec"), &[]).contains("parsec"));
        assert!(error(Some("ev"), &["units.energy=ev"]).contains("leave one out"));
        let path = std::path::PathBuf::from("a.dat");
        let asked = resolve(None, &["format=extxyz"]).unwrap();
        assert_ne!(asked.plan(vec![path], 5.0).format, resolve(None, &[]).unwrap().options.format);
    }
}
