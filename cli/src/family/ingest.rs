//! `genesis ingest` of any family: what was asked, and the dataset that is made of it.

use std::path::PathBuf;

use genesis_data::dataset::card::Part as _;
use genesis_data::formats::Format;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::options::{Flag, with_options};
use super::{Face, dataset};
use crate::console;
use crate::exit::{Code, Failure};
use crate::signals::stop_flag;

/// What a family's ingest takes beside what every one does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Takes {
    /// Page of the guides about its data.
    pub(crate) guide: &'static str,
    /// Flags that are not for every family.
    pub(crate) flags: &'static [&'static str],
    /// What the program can make itself, as `--generate` names it.
    pub(crate) generators: &'static [&'static str],
    /// Tables of `[data.source]` that `--set` changes key by key; others are replaced as a whole.
    pub(crate) tables: &'static [&'static str],
    /// Whether files of a format can hold nothing else.
    pub(crate) claims: fn(&Format) -> bool,
}

impl Takes {
    /// What every family takes, with the page of one.
    pub(crate) const fn of(guide: &'static str) -> Self {
        Self { guide, flags: &[], generators: &[], tables: &[], claims: |_| false }
    }
}

/// What the program is to make itself: its name, and how many samples.
pub(crate) type Generate = (String, u64);

/// What was asked.
#[derive(Debug)]
pub(crate) struct Ingest {
    pub(crate) inputs: Vec<PathBuf>,
    pub(crate) out: PathBuf,
    pub(crate) generate: Option<Generate>,
    /// Flags as keys of `[data.source]`.
    pub(crate) flags: Vec<Flag>,
    /// Every `--set`.
    pub(crate) options: Vec<String>,
    /// Whether the card is printed instead of a summary.
    pub(crate) json: bool,
}

impl Ingest {
    /// The value of a flag, which then stands for no key any more.
    pub(crate) fn take(&mut self, flag: &str) -> Option<toml::Value> {
        let at = self.flags.iter().position(|(name, ..)| *name == flag)?;
        Some(self.flags.remove(at).2)
    }

    /// `base` with what flags and `--set` say.
    pub(crate) fn over<P: Serialize + DeserializeOwned>(
        self,
        base: &P,
        takes: &Takes,
    ) -> anyhow::Result<P> {
        with_options(base, &self.options, self.flags, takes)
    }

    /// Refuses what is for another family alone; `own` are flags of one family or another.
    fn refuse_others<F: Face>(&self, own: &[&str]) -> anyhow::Result<()> {
        let Takes { guide, flags, generators, .. } = F::TAKES;
        let flag = self.flags.iter().map(|(flag, ..)| *flag);
        let flag =
            flag.filter(|flag| own.contains(flag) && !flags.contains(flag)).map(str::to_owned);
        let generate = self.generate.as_ref().filter(|(kind, _)| !generators.contains(&&**kind));
        let generate = generate.map(|(kind, _)| format!("--generate {kind}"));
        let Some(flag) = flag.chain(generate).next() else { return Ok(()) };
        let [samples, units] = F::Part::NOUNS;
        let message = format!(
            "{flag}: the inputs are {samples} of {units}, which take no such option; leave it out (what \
             they take is set by --set KEY=VALUE: docs/guides/{guide})"
        );
        Err(Failure::error(Code::Usage, message))
    }
}

/// Makes the dataset that is asked for; `own` are flags of one family or another.
pub(super) fn run<F: Face>(asked: Ingest, own: &[&str]) -> anyhow::Result<Code> {
    asked.refuse_others::<F>(own)?;
    let (json, out) = (asked.json, asked.out.clone());
    let source = F::asked(asked)?;
    let made = dataset::ingest(&*stop_flag()?, |meter| F::make(&source, meter))?;
    if json {
        made.notes.iter().for_each(|note| console::note(format!("note: {note}")));
        console::result(serde_json::to_string(&made.card)?);
    } else {
        F::show_made(&made, &out);
    }
    Ok(Code::Done)
}
