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

/// The largest content of a sealed object.
pub(crate) const MAX_CONTENT: u64 = 1 << 30;
/// The largest sealed object.
pub(crate) const MAX_SEALED: u64 = MAX_CONTENT + (1 << 23);

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
pub(crate) fn seal(key: &Key, kind: [u8; 4], nonce: Nonce, content: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(HEAD + content.len() / 2 + 64);
    codec::skip_head(MAGIC, HEAD - codec::SKIP_HEAD, &mut out);
    out.extend_from_slice(b"wrun");
    out.extend_from_slice(&kind);
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

/// Checks the seal of what lies under `key` and takes out the content.
pub(crate) fn open(key: &Key, kind: [u8; 4], stored: &[u8]) -> Result<Vec<u8>, SealError> {
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
    expected.extend_from_slice(&kind);
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
    if len > MAX_CONTENT {
        return Err(SealError::Damaged(format!(
            "its content would have {len} bytes"
        )));
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

    const KIND: [u8; 4] = *b"test";

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
        assert!(open(&key(), *b"tesT", &sealed).is_err());
        let mut newer = sealed.to_vec();
        newer[16] = 2;
        assert_eq!(open(&key(), KIND, &newer).unwrap_err(), SealError::Newer(2));
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
