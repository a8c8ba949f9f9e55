//! Many files as one: a tar archive (POSIX.1-2017, `pax`) of names and contents alone.
//!
//! The same files make the same bytes, on every machine and at any time: in the order of their names,
//! without owners and times. A guest reads it in place, and `tar` unpacks what `wrun get` writes. The
//! layers of a container image are such archives too; there it matters who may do what with a file.
//!
//! Pure: reads no file.

/// The unit of an archive.
const BLOCK: usize = 512;
/// The longest name that a header has room for.
const SHORT_NAME: usize = 100;
/// The first size that a header has no room for.
const LARGE: u64 = 1 << 33;

/// What is at a name of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file of so many bytes.
    File(u64),
    /// A directory.
    Directory,
}

/// What ends an archive.
pub const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// What precedes the contents of a file that everybody may read and its owner may write.
pub fn head(name: &str, size: u64) -> Vec<u8> {
    entry(name, Kind::File(size), 0o644)
}

/// What precedes the contents of an entry, with the bits that say who may do what.
pub fn entry(name: &str, kind: Kind, mode: u32) -> Vec<u8> {
    let (size, letter) = match kind {
        Kind::File(size) => (size, b'0'),
        Kind::Directory => (0, b'5'),
    };
    let mut said = String::new();
    if name.len() > SHORT_NAME {
        said += &record("path", name);
    }
    if size >= LARGE {
        said += &record("size", &size.to_string());
    }
    let mut head = Vec::new();
    if !said.is_empty() {
        head.extend(block("pax", said.len() as u64, b'x', 0o644));
        head.extend(said.as_bytes());
        head.extend(padding(said.len() as u64));
    }
    let short = &name[..name.floor_char_boundary(SHORT_NAME)];
    // Who reads the record above does not look at the size here.
    let fitting = if size < LARGE { size } else { 0 };
    head.extend(block(short, fitting, letter, mode));
    head
}

/// What follows the contents of a file.
pub fn padding(size: u64) -> Vec<u8> {
    let over = (size % BLOCK as u64) as usize;
    vec![0; (BLOCK - over) % BLOCK]
}

/// `LENGTH KEY=VALUE\n`, where the length counts itself.
fn record(key: &str, value: &str) -> String {
    let rest = format!(" {key}={value}\n");
    let mut length = rest.len();
    while length != rest.len() + length.to_string().len() {
        length = rest.len() + length.to_string().len();
    }
    format!("{length}{rest}")
}

fn block(name: &str, size: u64, kind: u8, mode: u32) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, name.as_bytes());
    put(100, format!("{mode:07o}\0").as_bytes());
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    // The sum is taken with spaces in its own place.
    put(148, b"        ");
    put(156, &[kind]);
    put(257, b"ustar\x0000");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_name_takes_one_block() {
        let head = head("corpus/a.txt", 10);
        assert_eq!(head.len(), BLOCK);
        assert_eq!(&head[..13], b"corpus/a.txt\0");
        assert_eq!(&head[124..136], b"00000000012\0");
        assert_eq!(padding(10).len(), 502);
        assert_eq!((padding(0).len(), padding(1024).len()), (0, 0));
    }

    #[test]
    fn a_directory_has_no_contents_and_says_who_may_write() {
        let head = entry("tmp/", Kind::Directory, 0o1777);
        assert_eq!((head.len(), head[156]), (BLOCK, b'5'));
        assert_eq!(&head[100..108], b"0001777\0");
        assert_eq!(&head[124..136], b"00000000000\0");
    }

    #[test]
    fn what_has_no_room_in_a_header_has_a_record() {
        let name = "ä".repeat(60);
        let long = head(&name, 9 << 30);
        let record = String::from_utf8_lossy(&long[BLOCK..2 * BLOCK]).into_owned();
        let expected = format!("130 path={name}\n19 size=9663676416\n");
        assert_eq!(record.trim_end_matches('\0'), expected);
        assert_eq!(
            (long.len(), long[156], long[2 * BLOCK + 156]),
            (3 * BLOCK, b'x', b'0')
        );
    }

    #[test]
    fn a_record_counts_its_own_length() {
        for length in 0..200 {
            let record = record("k", &"v".repeat(length));
            assert_eq!(
                record.split(' ').next(),
                Some(record.len().to_string().as_str())
            );
        }
    }
}
