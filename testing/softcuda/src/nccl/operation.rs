//! What processes do together, and what it gives: plain loops in the order of ranks.

use std::ffi::c_int;
use std::fmt;

/// Which operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    AllReduce,
    ReduceScatter,
    AllGather,
    Broadcast,
}

/// An operation, as one rank asks for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Operation {
    pub(super) kind: Kind,
    /// `ncclDataType_t`.
    pub(super) dtype: c_int,
    /// Of what each rank sends, or receives where it is less.
    pub(super) count: usize,
    /// `ncclRedOp_t`, of sums; 0 otherwise.
    pub(super) by: c_int,
    pub(super) root: c_int,
}

/// Bytes of an `ncclDataType_t`, as of version 2.14.
pub(super) fn size_of_dtype(dtype: c_int) -> Option<usize> {
    Some(match dtype {
        0 | 1 => 1,
        6 | 9 => 2,
        2 | 3 | 7 => 4,
        4 | 5 | 8 => 8,
        _ => return None,
    })
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, dtype, count, by, root } = self;
        write!(f, "{kind:?} of {count} of type {dtype}, reduction {by}, root {root}")
    }
}

impl Operation {
    fn size(&self) -> usize {
        size_of_dtype(self.dtype).unwrap_or(1)
    }

    /// Bytes that a rank sends.
    pub(super) fn sent_bytes(&self, world: usize) -> usize {
        let times = if self.kind == Kind::ReduceScatter { world } else { 1 };
        self.count * self.size() * times
    }

    /// Bytes that a rank receives.
    pub(super) fn received_bytes(&self, world: usize) -> usize {
        let times = if self.kind == Kind::AllGather { world } else { 1 };
        self.count * self.size() * times
    }

    /// Whether this library can do it: sums of two types of floats, and whatever moves bytes alone.
    pub(super) fn is_known(&self) -> Result<(), String> {
        let sums = matches!(self.kind, Kind::AllReduce | Kind::ReduceScatter);
        if sums && (self.by != 0 || !matches!(self.dtype, 7 | 8)) {
            return Err(format!("softcuda does no {self}"));
        }
        Ok(())
    }

    /// What each rank receives of what all sent.
    pub(super) fn results(&self, sent: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let world = sent.len();
        match self.kind {
            Kind::AllReduce => vec![self.sum(sent); world],
            Kind::ReduceScatter => {
                let part = self.received_bytes(world).max(1);
                self.sum(sent).chunks(part).map(<[u8]>::to_vec).collect()
            }
            Kind::AllGather => vec![sent.concat(); world],
            Kind::Broadcast => {
                let root = usize::try_from(self.root).unwrap_or(0);
                vec![sent[root].clone(); world]
            }
        }
    }

    fn sum(&self, sent: &[Vec<u8>]) -> Vec<u8> {
        let mut sum = sent[0].clone();
        for more in &sent[1..] {
            for (sum, more) in sum.chunks_exact_mut(self.size()).zip(more.chunks_exact(self.size()))
            {
                add(sum, more);
            }
        }
        sum
    }
}

/// Adds one number of four or of eight bytes.
fn add(sum: &mut [u8], more: &[u8]) {
    if let (Ok(a), Ok(b)) = (<[u8; 4]>::try_from(&*sum), <[u8; 4]>::try_from(more)) {
        sum.copy_from_slice(&(f32::from_ne_bytes(a) + f32::from_ne_bytes(b)).to_ne_bytes());
    } else if let (Ok(a), Ok(b)) = (<[u8; 8]>::try_from(&*sum), <[u8; 8]>::try_from(more)) {
        sum.copy_from_slice(&(f64::from_ne_bytes(a) + f64::from_ne_bytes(b)).to_ne_bytes());
    }
}

impl Operation {
    /// As numbers of a message.
    pub(super) fn written(&self) -> [u64; 5] {
        let small = |value: c_int| u64::from(value.unsigned_abs());
        [self.kind as u64, small(self.dtype), self.count as u64, small(self.by), small(self.root)]
    }

    /// Of the numbers of a message.
    pub(super) fn read(numbers: [u64; 5]) -> Option<Self> {
        let [kind, dtype, count, by, root] = numbers;
        let kinds = [Kind::AllReduce, Kind::ReduceScatter, Kind::AllGather, Kind::Broadcast];
        let small = |value: u64| c_int::try_from(value).ok();
        Some(Self {
            kind: *kinds.get(usize::try_from(kind).ok()?)?,
            dtype: small(dtype)?,
            count: usize::try_from(count).ok()?,
            by: small(by)?,
            root: small(root)?,
        })
    }
}
