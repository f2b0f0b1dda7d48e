//! The host list of Slurm, in full: `n[1-3,7],gpu[01-10]a`, `rack[0-1]n[0-3]`, `login`.
//!
//! Names keep their leading zeros, several brackets in one name give all combinations, the last one first to
//! change. Source: `man scontrol`, "show hostnames"; the page of `slurm.conf`, names of nodes.

/// More hosts than any machine has: a list that says so is a mistake.
const MOST: usize = 1 << 20;

/// Every host of `text`, in its order.
///
/// # Errors
/// What cannot be read, with the place.
pub fn hosts(text: &str) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    for name in parts(text, text)? {
        if name.is_empty() {
            return Err(format!("{text:?} has an empty name"));
        }
        let of_name = expand(name, text)?;
        if found.len() + of_name.len() > MOST {
            return Err(format!("{text:?} has more than {MOST} hosts"));
        }
        found.extend(of_name);
    }
    Ok(found)
}

/// `text` cut at the commas that stand in no brackets.
fn parts<'a>(text: &'a str, whole: &str) -> Result<Vec<&'a str>, String> {
    let (mut inside, mut from, mut found) = (false, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '[' if inside => return Err(format!("{whole:?} has brackets within brackets")),
            ']' if !inside => return Err(format!("{whole:?} closes a bracket that is not open")),
            '[' | ']' => inside = c == '[',
            ',' if !inside => {
                found.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    if inside {
        return Err(format!("{whole:?} has a bracket that is not closed"));
    }
    found.push(&text[from..]);
    Ok(found)
}

/// All names that one name with brackets stands for.
fn expand(name: &str, whole: &str) -> Result<Vec<String>, String> {
    let Some((before, rest)) = name.split_once('[') else { return Ok(vec![name.to_owned()]) };
    let (inside, after) = rest.split_once(']').unwrap_or((rest, ""));
    let mut numbers = Vec::new();
    for range in inside.split(',') {
        numbers.extend(numbers_of(range, whole)?);
    }
    let after = expand(after, whole)?;
    if numbers.len().saturating_mul(after.len()) > MOST {
        return Err(format!("{whole:?} has more than {MOST} hosts"));
    }
    let named = |number: &String| -> Vec<String> {
        after.iter().map(|after| format!("{before}{number}{after}")).collect()
    };
    Ok(numbers.iter().flat_map(named).collect())
}

/// The numbers of `7` or `01-10`, as wide as the first is written.
fn numbers_of(range: &str, whole: &str) -> Result<Vec<String>, String> {
    let read = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
        let unread = || format!("{whole:?}: `{range}` is no number and no range of numbers");
        digits.then(|| text.parse::<usize>().ok()).flatten().ok_or_else(unread)
    };
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let (from, to, width) = (read(first)?, read(last)?, first.len());
    if to < from || to - from >= MOST {
        return Err(format!("{whole:?}: `{range}` does not count upwards, or too far"));
    }
    Ok((from..=to).map(|number| format!("{number:0width$}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_those_that_slurm_writes_out() {
        for (text, want) in [
            ("login", "login"),
            ("n1,n2", "n1 n2"),
            ("n[1-3,7]", "n1 n2 n3 n7"),
            ("gpu[08-11]a", "gpu08a gpu09a gpu10a gpu11a"),
            ("n[1-2,10],gpu[01-02]", "n1 n2 n10 gpu01 gpu02"),
            ("rack[0-1]n[0-2]", "rack0n0 rack0n1 rack0n2 rack1n0 rack1n1 rack1n2"),
            ("n[099-101]", "n099 n100 n101"),
            ("dgx-a[3]-b,x.y-z[1]", "dgx-a3-b x.y-z1"),
        ] {
            assert_eq!(hosts(text).unwrap().join(" "), want, "{text}");
        }
    }

    #[test]
    fn what_is_no_list_is_quoted_with_what_is_wrong() {
        for (text, part) in [
            ("", "empty name"),
            ("n1,,n2", "empty name"),
            ("n[1-2", "not closed"),
            ("n1]", "not open"),
            ("n[[1-2]]", "within brackets"),
            ("n[a-b]", "`a-b`"),
            ("n[]", "``"),
            ("n[3-1]", "`3-1`"),
            ("n[0-99999999999]", "too far"),
            ("n[0-9999]m[0-9999]", "more than"),
            ("n[99999999999999999999999]", "is no number"),
        ] {
            let error = hosts(text).unwrap_err();
            assert!(error.contains(part) && error.contains(&format!("{text:?}")), "{error}");
        }
    }
}
