//! What processes say to the one that made the id, and what it answers, over a socket of the machine.
//!
//! ```text
//! kind, number, two numbers more, a text and bytes with their lengths
//! ```

use std::io::{Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

/// What is said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// Of a rank: `number` is its rank, `more` the world, `text` its GPU.
    Hello,
    /// Of a rank: operation `number`, `text` says what, `bytes` are sent.
    Operation,
    /// Of a rank: it leaves.
    Leave,
    /// Of a rank: an operation failed here.
    Failed,
    /// To a rank: all are there.
    Ready,
    /// To a rank: what operation `number` gives.
    Result,
    /// To a rank: `number` is an `ncclResult_t`, `text` says why.
    Broken,
}

const KINDS: [Kind; 7] = [
    Kind::Hello,
    Kind::Operation,
    Kind::Leave,
    Kind::Failed,
    Kind::Ready,
    Kind::Result,
    Kind::Broken,
];

/// One message.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) kind: Kind,
    pub(super) number: u64,
    /// Of `Hello` the world; of `Operation` its five numbers.
    pub(super) more: [u64; 5],
    pub(super) text: String,
    pub(super) bytes: Vec<u8>,
}

impl Frame {
    pub(super) fn new(kind: Kind, number: u64, text: &str) -> Self {
        Self { kind, number, more: [0; 5], text: text.to_owned(), bytes: Vec::new() }
    }

    pub(super) fn write(&self, stream: &mut UnixStream) -> std::io::Result<()> {
        let mut all = vec![self.kind as u8];
        let lengths = [self.text.len() as u64, self.bytes.len() as u64];
        for number in [self.number].into_iter().chain(self.more).chain(lengths) {
            all.extend(number.to_le_bytes());
        }
        all.extend(self.text.as_bytes());
        all.extend(&self.bytes);
        stream.write_all(&all)
    }

    pub(super) fn read(stream: &mut UnixStream) -> std::io::Result<Self> {
        let mut head = [0; 1 + 8 * 8];
        stream.read_exact(&mut head)?;
        let number = |at: usize| {
            let bytes = head[1 + 8 * at..][..8].try_into();
            bytes.map(u64::from_le_bytes).unwrap_or_default()
        };
        let kind = KINDS.get(usize::from(head[0])).ok_or(std::io::ErrorKind::InvalidData)?;
        let length = |at: usize| usize::try_from(number(at)).unwrap_or(0);
        let (mut text, mut bytes) = (vec![0; length(6)], vec![0; length(7)]);
        stream.read_exact(&mut text)?;
        stream.read_exact(&mut bytes)?;
        let more = std::array::from_fn(|at| number(at + 1));
        let text = String::from_utf8_lossy(&text).into_owned();
        Ok(Self { kind: *kind, number: number(0), more, text, bytes })
    }
}

fn address(name: &str) -> std::io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(name)
}

pub(super) fn listen(name: &str) -> std::io::Result<UnixListener> {
    UnixListener::bind_addr(&address(name)?)
}

pub(super) fn connect(name: &str) -> std::io::Result<UnixStream> {
    UnixStream::connect_addr(&address(name)?)
}
