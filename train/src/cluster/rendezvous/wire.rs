//! One connection of two ranks: who is at the other end knows the secret, and nobody changed a word.
//!
//! ```text
//! rank 0   GREETING, its nonce
//! other    its nonce, proof, who it is
//! both     words, each with a proof that counts them
//! ```
//!
//! A proof is HMAC-SHA-256 (RFC 2104) over the nonces of both ends, so that none is good twice. What is said is
//! not secret: host names, and an id of NCCL, whose own connections are open too.

use std::io::{Error, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

/// What a rank 0 of this program says first; another number is another protocol.
const GREETING: &[u8; 20] = b"genesis rendezvous 1";
const NONCE_BYTES: usize = 32;
const PROOF_BYTES: usize = 32;
/// More than any word of a rank; a length beyond it is no word.
const MOST_BYTES: usize = 1 << 20;

/// What ranks of one start have in common; empty where the launcher gave none.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_empty() { "no secret" } else { "a secret" })
    }
}

impl Secret {
    /// The secret that a launcher gave, if it gave one.
    pub fn given(text: Option<String>) -> Self {
        Self(text.unwrap_or_default().into_bytes())
    }

    /// A new one.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn made() -> std::io::Result<String> {
        let digits = |byte: &u8| {
            [byte >> 4, byte & 15].map(|it| char::from(b"0123456789abcdef"[it as usize]))
        };
        Ok(random()?.iter().flat_map(digits).collect())
    }

    /// Whether the launcher gave none.
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }
}

/// Numbers that nobody can foresee, from the system.
fn random() -> std::io::Result<[u8; NONCE_BYTES]> {
    let mut bytes = [0; NONCE_BYTES];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// HMAC-SHA-256 of `parts`, each with its length in front.
fn proof(key: &[u8], parts: &[&[u8]]) -> [u8; PROOF_BYTES] {
    const BLOCK: usize = 64;
    let mut block = [0_u8; BLOCK];
    if key.len() > BLOCK {
        block[..PROOF_BYTES].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let mut inner = Sha256::new_with_prefix(block.map(|byte| byte ^ 0x36));
    for part in parts {
        inner.update((part.len() as u64).to_le_bytes());
        inner.update(part);
    }
    let outer = Sha256::new_with_prefix(block.map(|byte| byte ^ 0x5c));
    outer.chain_update(inner.finalize()).finalize().into()
}

/// Whether both are equal, in a time that does not tell where they differ.
fn is_equal(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}

/// A connection whose other end knows the secret.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    key: [u8; PROOF_BYTES],
    sent: u64,
    received: u64,
    is_first: bool,
}

impl Wire {
    /// Rank 0 greets whoever came; who it says it is.
    pub(super) fn greet(
        mut stream: TcpStream,
        secret: &Secret,
        until: Instant,
    ) -> std::io::Result<(Self, Vec<u8>)> {
        let mine = random()?;
        stream.set_nodelay(true)?;
        write(&mut stream, &[GREETING, &mine], until)?;
        let said = read_frame(&mut stream, until)?;
        let Some((theirs, rest)) = said.split_first_chunk::<NONCE_BYTES>() else {
            return Err(stranger());
        };
        let Some((proven, who)) = rest.split_first_chunk::<PROOF_BYTES>() else {
            return Err(stranger());
        };
        if !is_equal(proven, &proof(&secret.0, &[b"who", &mine, theirs, who])) {
            return Err(stranger());
        }
        Ok((Self::between(stream, secret, &mine, theirs, true), who.to_vec()))
    }

    /// Tells rank 0 who this is.
    pub(super) fn introduce(
        mut stream: TcpStream,
        secret: &Secret,
        who: &[u8],
        until: Instant,
    ) -> std::io::Result<Self> {
        stream.set_nodelay(true)?;
        let mut said = [0; GREETING.len() + NONCE_BYTES];
        read(&mut stream, &mut said, until)?;
        let (greeting, theirs) = said.split_at(GREETING.len());
        if greeting != GREETING {
            let text = "it answers, but is no rank 0 of this version of the program";
            return Err(Error::new(ErrorKind::InvalidData, text));
        }
        let mine = random()?;
        let proven = proof(&secret.0, &[b"who", theirs, &mine, who]);
        write_frame(&mut stream, &[&mine, &proven, who], until)?;
        Ok(Self::between(stream, secret, theirs, &mine, false))
    }

    fn between(
        stream: TcpStream,
        secret: &Secret,
        of_first: &[u8],
        of_other: &[u8],
        is_first: bool,
    ) -> Self {
        let key = proof(&secret.0, &[b"words", of_first, of_other]);
        Self { stream, key, sent: 0, received: 0, is_first }
    }

    /// Says `word`.
    pub(super) fn say(&mut self, word: &[u8], until: Instant) -> std::io::Result<()> {
        let proven = self.proven(self.is_first, self.sent, word);
        self.sent += 1;
        write_frame(&mut self.stream, &[&proven, word], until)
    }

    /// The next word of the other end.
    pub(super) fn hear(&mut self, until: Instant) -> std::io::Result<Vec<u8>> {
        let said = read_frame(&mut self.stream, until)?;
        let Some((proven, word)) = said.split_first_chunk::<PROOF_BYTES>() else {
            return Err(stranger());
        };
        if !is_equal(proven, &self.proven(!self.is_first, self.received, word)) {
            return Err(stranger());
        }
        self.received += 1;
        Ok(word.to_vec())
    }

    fn proven(&self, by_first: bool, count: u64, word: &[u8]) -> [u8; PROOF_BYTES] {
        proof(&self.key, &[&[u8::from(by_first)], &count.to_le_bytes(), word])
    }
}

fn stranger() -> Error {
    Error::new(ErrorKind::PermissionDenied, "it does not know the secret of this start")
}

/// Time that is left; sockets take none as for ever.
fn left(until: Instant) -> std::io::Result<Option<Duration>> {
    let left = until.saturating_duration_since(Instant::now());
    let over = || Error::new(ErrorKind::TimedOut, "it says nothing");
    if left.is_zero() { Err(over()) } else { Ok(Some(left)) }
}

fn write(stream: &mut TcpStream, parts: &[&[u8]], until: Instant) -> std::io::Result<()> {
    stream.set_write_timeout(left(until)?)?;
    stream.write_all(&parts.concat())
}

fn write_frame(stream: &mut TcpStream, parts: &[&[u8]], until: Instant) -> std::io::Result<()> {
    let bytes: usize = parts.iter().map(|part| part.len()).sum();
    let too_long = |_| Error::new(ErrorKind::InvalidInput, "a word is too long");
    let length = u32::try_from(bytes).map_err(too_long)?.to_le_bytes();
    write(stream, &[&[&length[..]], parts].concat(), until)
}

/// Fills `bytes`, whatever pieces they come in, within the time.
fn read(stream: &mut TcpStream, bytes: &mut [u8], until: Instant) -> std::io::Result<()> {
    let mut at = 0;
    while at < bytes.len() {
        stream.set_read_timeout(left(until)?)?;
        match stream.read(&mut bytes[at..]) {
            Ok(0) => return Err(Error::new(ErrorKind::UnexpectedEof, "it closed the connection")),
            Ok(more) => at += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => left(until).map(drop)?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn read_frame(stream: &mut TcpStream, until: Instant) -> std::io::Result<Vec<u8>> {
    let mut length = [0; 4];
    read(stream, &mut length, until)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > MOST_BYTES {
        return Err(stranger());
    }
    let mut bytes = vec![0; length];
    read(stream, &mut bytes, until)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_proof_is_hmac_sha_256() {
        // RFC 4231, test case 2, with the length that a part has in front taken into the key's message.
        let reference = |key: &[u8], message: &[u8]| {
            let mut block = key.to_vec();
            block.resize(64, 0);
            let pad = |with: u8| block.iter().map(|byte| byte ^ with).collect::<Vec<u8>>();
            let inner = Sha256::digest([&pad(0x36), message].concat());
            Sha256::digest([&pad(0x5c)[..], &inner].concat()).to_vec()
        };
        let known = reference(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(&known[..4], [0x5b, 0xdc, 0xc1, 0x46], "RFC 4231, 4.3");
        let framed = [&5_u64.to_le_bytes()[..], b"hello"].concat();
        assert_eq!(proof(b"key", &[b"hello"]).to_vec(), reference(b"key", &framed));
        let long = [7; 100];
        assert_eq!(proof(&long, &[b"x"]), proof(&Sha256::digest(long), &[b"x"]));
        assert_ne!(proof(b"k", &[b"ab", b"c"]), proof(b"k", &[b"a", b"bc"]));
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    /// Both ends of a connection.
    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let other = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (listener.accept().unwrap().0, other)
    }

    #[test]
    fn words_arrive_in_order_and_another_secret_is_a_stranger() {
        let secret = |text: &str| Secret::given(Some(text.to_owned()));
        let (first, other) = pair();
        let thread = std::thread::spawn(move || {
            let mut wire = Wire::introduce(other, &secret("a"), b"rank 1", soon()).unwrap();
            wire.say(b"one", soon()).unwrap();
            wire.say(b"two", soon()).unwrap();
            wire.hear(soon()).unwrap()
        });
        let (mut wire, who) = Wire::greet(first, &secret("a"), soon()).unwrap();
        let heard = [wire.hear(soon()).unwrap(), wire.hear(soon()).unwrap()];
        assert_eq!((who.as_slice(), heard), (&b"rank 1"[..], [b"one".to_vec(), b"two".to_vec()]));
        wire.say(b"go", soon()).unwrap();
        assert_eq!(thread.join().unwrap(), b"go");

        let (first, other) = pair();
        let thread = std::thread::spawn(move || {
            Wire::introduce(other, &secret("b"), b"rank 1", soon()).is_ok()
        });
        let refused = Wire::greet(first, &secret("a"), soon()).unwrap_err();
        assert!(refused.to_string().contains("secret"), "{refused}");
        assert!(thread.join().unwrap(), "it learns so when nothing comes back");
    }

    #[test]
    fn a_word_that_was_said_before_or_changed_is_refused() {
        let secret = Secret::given(None);
        let (first, mut other) = pair();
        let thread = std::thread::spawn(move || Wire::greet(first, &secret, soon()).unwrap().0);
        let secret = Secret::given(None);
        let mut raw = other.try_clone().unwrap();
        let mut wire =
            Wire::introduce(other.try_clone().unwrap(), &secret, b"rank 1", soon()).unwrap();
        let mut heard = thread.join().unwrap();
        let again = wire.proven(false, 0, b"word");
        wire.say(b"word", soon()).unwrap();
        assert_eq!(heard.hear(soon()).unwrap(), b"word");
        write_frame(&mut raw, &[&again, b"word"], soon()).unwrap();
        assert_eq!(heard.hear(soon()).unwrap_err().kind(), ErrorKind::PermissionDenied);
        let changed = wire.proven(false, 1, b"word");
        write_frame(&mut other, &[&changed, b"ward"], soon()).unwrap();
        assert_eq!(heard.hear(soon()).unwrap_err().kind(), ErrorKind::PermissionDenied);
    }
}
