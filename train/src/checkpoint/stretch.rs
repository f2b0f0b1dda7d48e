//! What a rank holds of a tensor: a stretch of its row-major values.
//!
//! Ranks that divide the optimizer's state among them write a file each. The manifest says which stretch lies
//! where, so any number of ranks can read it, whoever wrote it. Not here: reading and writing (`load`, `save`).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use super::format::{Slice, TensorEntry};
use super::tensors::{Stored, Values};

/// Values `range` of the tensor called `tensor`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// Name of the tensor.
    pub tensor: String,
    /// Shape of all of it.
    pub shape: Vec<usize>,
    /// Which of its row-major values.
    pub range: Range<usize>,
}

/// A stretch in the memory of the host.
#[derive(Debug, Clone, PartialEq)]
pub struct HostStretch {
    /// Which.
    pub of: Stretch,
    /// As many values as it has.
    pub values: Values,
}

impl Stretch {
    /// All of a tensor.
    pub fn whole(tensor: impl Into<String>, shape: Vec<usize>) -> Self {
        let range = 0..shape.iter().product();
        Self { tensor: tensor.into(), shape, range }
    }

    /// This stretch with its values.
    pub fn with(self, values: Values) -> HostStretch {
        HostStretch { of: self, values }
    }

    /// Whether it is all of its tensor.
    pub fn is_whole(&self) -> bool {
        self.range == (0..self.shape.iter().product())
    }

    /// Its shape in a file: flat, unless it is all of its tensor.
    pub fn stored_shape(&self) -> Vec<usize> {
        if self.is_whole() { self.shape.clone() } else { vec![self.range.len()] }
    }

    /// How a manifest says where it lies: whole, or as a range of row-major values.
    pub(super) fn in_file(&self, file: &str) -> Slice {
        let start =
            if self.is_whole() { vec![0; self.shape.len()] } else { vec![self.range.start] };
        Slice { file: file.to_owned(), start, shape: self.stored_shape() }
    }
}

impl Stored for HostStretch {
    fn name(&self) -> &str {
        &self.of.tensor
    }
    fn shape(&self) -> Vec<usize> {
        self.of.stored_shape()
    }
    fn dtype(&self) -> &'static str {
        self.values.dtype()
    }
    fn stretch(&self) -> Stretch {
        self.of.clone()
    }
    fn values(&self) -> Cow<'_, Values> {
        Cow::Borrowed(&self.values)
    }
}

impl HostStretch {
    /// Takes over what the values `range` of the same tensor have of this stretch.
    ///
    /// # Panics
    /// If the types differ: the reader compares them.
    pub(super) fn take_from(&mut self, range: Range<usize>, values: Values) {
        if range == self.of.range {
            self.values = values;
            return;
        }
        let want = &self.of.range;
        let (start, end) = (range.start.max(want.start), range.end.min(want.end));
        if start >= end {
            return;
        }
        let (source, target) =
            (start - range.start..end - range.start, start - want.start..end - want.start);
        match (&values, &mut self.values) {
            (Values::F32(a), Values::F32(b)) => b[target].copy_from_slice(&a[source]),
            (Values::F64(a), Values::F64(b)) => b[target].copy_from_slice(&a[source]),
            _ => unreachable!("the reader compared the types"),
        }
    }
}

impl TensorEntry {
    /// How many values it has; `None` if that cannot be counted.
    fn num_elements(&self) -> Option<usize> {
        self.shape.iter().try_fold(1usize, |all, &extent| all.checked_mul(extent))
    }

    /// The row-major values that `slice` holds: all of them, or a range along one axis.
    pub(super) fn range_of(&self, slice: &Slice) -> Option<Range<usize>> {
        let all = self.num_elements()?;
        if slice.shape == self.shape && slice.start.iter().all(|&first| first == 0) {
            return Some(0..all);
        }
        let (&[start], &[length]) = (slice.start.as_slice(), slice.shape.as_slice()) else {
            return None;
        };
        let end = start.checked_add(length).filter(|&end| end <= all)?;
        Some(start..end)
    }

    /// Why its slices are not each value once, if they are not.
    pub(super) fn not_covered(&self) -> Option<String> {
        let mut ranges = Vec::with_capacity(self.slices.len());
        for slice in &self.slices {
            let Some(range) = self.range_of(slice) else {
                return Some(format!(
                    "a slice of tensor {:?} from {:?} of shape {:?} is no range of a tensor of {:?}",
                    self.name, slice.start, slice.shape, self.shape
                ));
            };
            ranges.push(range);
        }
        ranges.sort_by_key(|range| (range.start, range.end));
        let mut covered = 0;
        for range in ranges {
            if range.start != covered {
                return Some(format!(
                    "slices of tensor {:?} end at value {covered} and go on at {}",
                    self.name, range.start
                ));
            }
            covered = range.end;
        }
        let all = self.num_elements()?;
        (covered != all)
            .then(|| format!("slices hold {covered} of the {all} values of {:?}", self.name))
    }
}

/// Entries of one tensor each, from those of every rank.
pub(super) fn merge(entries: impl IntoIterator<Item = TensorEntry>) -> Vec<TensorEntry> {
    let mut merged: Vec<TensorEntry> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for entry in entries {
        if let Some(&at) = places.get(&entry.name) {
            merged[at].slices.extend(entry.slices);
        } else {
            places.insert(entry.name.clone(), merged.len());
            merged.push(entry);
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(shape: &[usize], slices: &[(&[usize], &[usize])]) -> TensorEntry {
        let slice = |(start, shape): &(&[usize], &[usize])| Slice {
            file: "f".to_owned(),
            start: start.to_vec(),
            shape: shape.to_vec(),
        };
        TensorEntry {
            name: "t".to_owned(),
            shape: shape.to_vec(),
            dtype: "F32".to_owned(),
            slices: slices.iter().map(slice).collect(),
        }
    }

    #[test]
    fn slices_have_to_hold_each_value_once() {
        let good: [TensorEntry; 4] = [
            entry(&[2, 3], &[(&[0, 0], &[2, 3])]),
            entry(&[2, 3], &[(&[4], &[2]), (&[0], &[4])]),
            entry(&[], &[(&[], &[])]),
            entry(&[5], &[(&[0], &[0]), (&[0], &[5])]),
        ];
        for entry in good {
            assert_eq!(entry.not_covered(), None, "{entry:?}");
        }
        for (entry, part) in [
            (entry(&[2, 3], &[(&[0], &[4])]), "4 of the 6"),
            (entry(&[2, 3], &[(&[0], &[4]), (&[3], &[3])]), "end at value 4 and go on at 3"),
            (entry(&[2, 3], &[(&[0], &[7])]), "no range"),
            (entry(&[2, 3], &[(&[0, 1], &[2, 2])]), "no range"),
            (entry(&[2, 3], &[(&[usize::MAX], &[2])]), "no range"),
            (entry(&[2, 3], &[]), "0 of the 6"),
        ] {
            let reason = entry.not_covered().unwrap();
            assert!(reason.contains(part), "{reason}");
        }
    }

    #[test]
    fn stretches_are_put_together_from_any_others() {
        let all: Vec<f32> = (0..12u8).map(f32::from).collect();
        let stretch = |range: Range<usize>| {
            let values = Values::F32(all[range.clone()].to_vec());
            Stretch { tensor: "t".to_owned(), shape: vec![3, 4], range }.with(values)
        };
        let halves = [stretch(0..7), stretch(7..12)];
        for want in [0..12, 2..9, 7..7, 8..12, 0..3] {
            let mut found = stretch(want);
            let right = found.clone();
            found.values = Values::F32(vec![-1.0; right.values.len()]);
            for half in halves.clone() {
                found.take_from(half.of.range, half.values);
            }
            assert_eq!(found, right);
        }
    }
}
