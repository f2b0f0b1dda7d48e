//! Irreducible representations as mace-torch writes them: `8x0e+8x1o`.

/// Channels and highest degree of hidden features.
pub(super) struct Hidden {
    pub(super) channels: usize,
    pub(super) max_degree: usize,
}

/// Reads features of one width in all degrees from 0 on, of natural parity.
///
/// # Errors
/// What is unusual about them, as a sentence.
pub(super) fn hidden(text: &str) -> Result<Hidden, String> {
    let complain = || {
        format!(
            "irreps `{text}` are not of the form `8x0e+8x1o+8x2e`: one width, degrees from 0 \
             without gaps, parity (-1)^l"
        )
    };
    let mut channels = None;
    let mut num_degrees = 0;
    for (degree, term) in text.split('+').enumerate() {
        let (width, irrep) = term.trim().split_once('x').ok_or_else(complain)?;
        let width: usize = width.trim().parse().map_err(|_| complain())?;
        let same = *channels.get_or_insert(width) == width;
        if !same || irrep.trim() != natural(degree) {
            return Err(complain());
        }
        num_degrees += 1;
    }
    let channels = channels.ok_or_else(complain)?;
    Ok(Hidden { channels, max_degree: num_degrees - 1 })
}

/// The inverse of [`hidden`].
pub(super) fn hidden_text(channels: usize, max_degree: usize) -> String {
    let term = |degree| format!("{channels}x{}", natural(degree));
    (0..=max_degree).map(term).collect::<Vec<_>>().join("+")
}

fn natural(degree: usize) -> String {
    format!("{degree}{}", if degree.is_multiple_of(2) { 'e' } else { 'o' })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn irreps_read_back_as_they_are_written() {
        for (channels, max_degree, text) in [(16, 0, "16x0e"), (4, 2, "4x0e+4x1o+4x2e")] {
            assert_eq!(hidden_text(channels, max_degree), text);
            let hidden = hidden(text).unwrap();
            assert_eq!((hidden.channels, hidden.max_degree), (channels, max_degree));
        }
        assert_eq!(hidden("8x0e + 8x1o").unwrap().max_degree, 1);
    }

    #[test]
    fn irreps_of_several_widths_gaps_or_odd_parity_are_refused_with_their_text() {
        for text in ["8x0e+4x1o", "8x0e+8x2e", "8x0o", "8x0e+8x1e", "0e", "", "x0e", "8x1o"] {
            let error = hidden(text).err().unwrap();
            assert!(error.contains(text), "{error}");
        }
    }
}
