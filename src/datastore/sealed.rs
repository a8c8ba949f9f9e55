//! Small objects with a seal: headers, segments of journals, summaries, tags.
//!
//! A valid `.zst`: a skippable frame, then one frame with the content. The seal is a digest over
//! the object's key and every stored byte, checked before anything is unpacked, so that a flipped
//! bit, a cut end, or an object under another's name is always found.
//!
//! ```text
//! 4 magic 0x184D2A57   4 length   | 4 "wrun"  4 kind  1 version  7 zero
//! 16 nonce of the writer   8 length of the content   32 seal     | zstd frame
//! ```

use bytes::Bytes;

use super::codec::{self, CodecError};
use super::object::Key;

const MAGIC: u32 = 0x184D_2A57;
const VERSION: u8 = 1;
const LEN_AT: usize = 40;
const SEAL_AT: usize = 48;
const HEAD: usize = 80;

/// The largest content that any sealed object has.
pub(crate) const MAX_CONTENT: u64 = 1 << 30;
/// The largest sealed object.
pub(crate) const MAX_SEALED: u64 = MAX_CONTENT + (1 << 23);

/// What a sealed object is, and how much it may say.
///
/// Whoever can write to a datastore can seal what he likes. So what is small by its nature has a
/// small bound, looked at before anything is unpacked: a few kilobytes must not fill the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// How it is marked.
    pub(crate) mark: [u8; 4],
    /// What it is called in errors.
    pub(crate) name: &'static str,
    /// The most bytes that its content has.
    pub(crate) most: u64,
    /// The most bytes of content for each byte that is stored, where that is known to be bounded.
    pub(crate) ratio: Option<u64>,
}

/// So much content is never too much for what is stored: of little, most may be alike.
const LITTLE: u64 = 64 << 10;

impl Kind {
    /// A kind of which the content has `most` bytes at most.
    pub(crate) const fn new(mark: [u8; 4], name: &'static str, most: u64) -> Self {
        Self {
            mark,
            name,
            most,
            ratio: None,
        }
    }

    /// The same, whose content shrinks to no less than one `ratio`th.
    pub(crate) const fn shrinking(self, ratio: u64) -> Self {
        Self {
            ratio: Some(ratio),
            ..self
        }
    }

    /// The largest object: what does not shrink takes a little more room than it has content.
    pub(crate) const fn stored(&self) -> u64 {
        self.most + self.most / 64 + 4096
    }

    /// Why content of `len` bytes cannot be that of an object of `stored` bytes.
    fn refuses(&self, len: u64, stored: usize) -> Option<String> {
        let ratio = self.ratio.map(|ratio| LITTLE.max(ratio * stored as u64));
        let most = ratio.map_or(self.most, |most| most.min(self.most));
        (len > most).then(|| self.too_large("its content would have", len, most))
    }

    /// Says that something has more bytes than it may have.
    pub(crate) fn too_large(&self, what: &str, len: u64, most: u64) -> String {
        let name = self.name;
        format!("{what} {len} bytes, more than the {most} that {name} may have")
    }
}

/// What tells the writes of one writer from those of all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Nonce(pub(crate) [u8; 16]);

impl Nonce {
    /// A nonce that nobody else has.
    ///
    /// Chance comes from the standard library, which asks the system for the keys of its maps.
    pub(crate) fn new() -> Self {
        use std::hash::{BuildHasher, RandomState};
        let mut hasher = blake3::Hasher::new();
        for _ in 0..4 {
            hasher.update(
                &RandomState::new()
                    .hash_one(std::process::id())
                    .to_le_bytes(),
            );
        }
        let mut nonce = [0; 16];
        nonce.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self(nonce)
    }
}

/// Why an object is not what its seal says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It was written by a newer wrun.
    #[error("it has version {0}, which this wrun does not know; use a newer one")]
    Newer(u8),
    /// It is not what was written.
    #[error("{0}")]
    Damaged(String),
}

impl From<CodecError> for SealError {
    fn from(e: CodecError) -> Self {
        Self::Damaged(e.0)
    }
}

fn seal_of(key: &Key, stored: &[u8]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(key.as_str().as_bytes());
    hasher.update(&[0]);
    hasher.update(&stored[..SEAL_AT]);
    hasher.update(&stored[HEAD..]);
    hasher.finalize()
}

/// Seals `content` as an object of `kind` for `key`.
pub(crate) fn seal(key: &Key, kind: &Kind, nonce: Nonce, content: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(HEAD + content.len() / 2 + 64);
    codec::skip_head(MAGIC, HEAD - codec::SKIP_HEAD, &mut out);
    out.extend_from_slice(b"wrun");
    out.extend_from_slice(&kind.mark);
    out.push(VERSION);
    out.extend_from_slice(&[0; 7]);
    out.extend_from_slice(&nonce.0);
    out.extend_from_slice(&(content.len() as u64).to_le_bytes());
    out.extend_from_slice(&[0; 32]);
    codec::pack(codec::DEFAULT_LEVEL, content, &mut out);
    let seal = seal_of(key, &out);
    out[SEAL_AT..HEAD].copy_from_slice(seal.as_bytes());
    out.into()
}

/// Checks the seal of what lies under `key` and takes out the content, which is bounded by `kind`.
pub(crate) fn open(key: &Key, kind: &Kind, stored: &[u8]) -> Result<Vec<u8>, SealError> {
    let damaged = |text: &str| SealError::Damaged(text.to_owned());
    if stored.len() < HEAD {
        return Err(SealError::Damaged(format!(
            "it has {} bytes, fewer than the {HEAD} of its head",
            stored.len()
        )));
    }
    let mut expected = Vec::with_capacity(16);
    codec::skip_head(MAGIC, HEAD - codec::SKIP_HEAD, &mut expected);
    expected.extend_from_slice(b"wrun");
    expected.extend_from_slice(&kind.mark);
    if stored[..16] != expected[..] {
        return Err(damaged("it does not begin as such an object does"));
    }
    if stored[16] > VERSION {
        return Err(SealError::Newer(stored[16]));
    }
    if seal_of(key, stored).as_bytes() != &stored[SEAL_AT..HEAD] {
        return Err(damaged("its bytes are not those that were sealed"));
    }
    let len = u64::from_le_bytes(array(&stored[LEN_AT..SEAL_AT]));
    if let Some(why) = kind.refuses(len, stored.len()) {
        return Err(SealError::Damaged(why));
    }
    Ok(codec::unpack(&stored[HEAD..], len as usize)?)
}

/// The bytes as an array of the length that the caller cut out.
pub(crate) fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("the caller cut out this length")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KIND: &Kind = &Kind::new(*b"test", "a test", 1 << 20);
    const OTHER: &Kind = &Kind::new(*b"tesT", "a test", 1 << 20);

    fn key() -> Key {
        Key::new("a/b").unwrap()
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_found() {
        let content: Vec<u8> = (0..600_u32).map(|i| (i * i % 251) as u8).collect();
        let sealed = seal(&key(), KIND, Nonce([7; 16]), &content);
        assert_eq!(open(&key(), KIND, &sealed).unwrap(), content);
        for at in 0..sealed.len() {
            for bit in 0..8 {
                let mut bad = sealed.to_vec();
                bad[at] ^= 1 << bit;
                assert!(open(&key(), KIND, &bad).is_err(), "byte {at} bit {bit}");
            }
            assert!(open(&key(), KIND, &sealed[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn another_name_kind_or_version_is_found() {
        let sealed = seal(&key(), KIND, Nonce([7; 16]), b"content");
        assert!(open(&Key::new("a/c").unwrap(), KIND, &sealed).is_err());
        assert!(open(&key(), OTHER, &sealed).is_err());
        let mut newer = sealed.to_vec();
        newer[16] = 2;
        assert_eq!(open(&key(), KIND, &newer).unwrap_err(), SealError::Newer(2));
    }

    #[test]
    fn what_says_too_much_for_its_kind_is_refused_with_kind_size_and_bound() {
        let large = vec![0; (1 << 20) + 1];
        let sealed = seal(&key(), KIND, Nonce::new(), &large);
        assert!(sealed.len() < 1000);
        let refused = open(&key(), KIND, &sealed).unwrap_err().to_string();
        assert_eq!(
            refused,
            "its content would have 1048577 bytes, more than the 1048576 that a test may have"
        );
        let shrinking = KIND.shrinking(16);
        let sealed = seal(&key(), &shrinking, Nonce::new(), &large[..100_000]);
        let refused = open(&key(), &shrinking, &sealed).unwrap_err().to_string();
        assert_eq!(
            refused,
            "its content would have 100000 bytes, more than the 65536 that a test may have"
        );
        let little = seal(&key(), &shrinking, Nonce::new(), &large[..60_000]);
        assert_eq!(open(&key(), &shrinking, &little).unwrap().len(), 60_000);
    }

    #[test]
    fn any_zstd_can_read_it() {
        let sealed = seal(&key(), KIND, Nonce::new(), b"content");
        assert_eq!(zstd::stream::decode_all(&sealed[..]).unwrap(), b"content");
        assert_ne!(Nonce::new(), Nonce::new());
    }

    proptest! {
        #[test]
        fn garbage_is_refused(garbage in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(open(&key(), KIND, &garbage).is_err());
        }
    }
}
