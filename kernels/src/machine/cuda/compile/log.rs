//! The place of an error in what the compiler says: `norm/norm.cu(37): error: …`.

use super::{PRELUDE, PRELUDE_NAME};
use crate::machine::launch::Source;

/// ` at norm/norm.cu line 37: the text of that line`, of the first error whose file we know.
pub(super) fn first_error(log: &str, source: &Source) -> Option<String> {
    let files = [(source.name.as_ref(), source.text.as_ref()), (PRELUDE_NAME, PRELUDE)];
    log.lines().filter(|line| line.contains(": error")).find_map(|line| {
        let (file, rest) = line.split_once('(')?;
        let number: usize = rest.split_once(')')?.0.parse().ok()?;
        let (name, text) = files.into_iter().find(|(name, _)| file.trim().ends_with(name))?;
        let code = text.lines().nth(number.checked_sub(1)?)?.trim();
        Some(format!(" at {name} line {number}: `{code}`"))
    })
}
