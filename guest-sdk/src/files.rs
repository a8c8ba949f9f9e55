//! Directories and lists of files as parameters: one tar archive, read in place.

use std::io::{Read, Seek, SeekFrom};

use serde::{Deserialize, Serialize};

use crate::artifact::{From as Source, FromArtifact, ToArtifact};
use crate::blob::Blob;
use crate::error::{Error, Result};
use crate::host::Host;

/// The unit of a tar archive (POSIX.1-2017, `pax`).
const BLOCK: usize = 512;

/// The media type of an archive.
const MEDIA_TYPE: &str = "application/x-tar";

/// The files of a directory, or several files: any number of them, of any size.
///
/// As a parameter it is given as the path of a directory or of a file, once or many times. The files
/// become one artifact, a tar archive in the order of their names, so that a step sees what was there
/// when the run started and nothing else. No file is wholly in memory unless asked for.
///
/// ```
/// use wrun_sdk::prelude::*;
///
/// fn lines(logs: Files) -> Result<usize> {
///     let mut lines = 0;
///     for log in logs.list()? {
///         lines += logs.open(&log).lines().count();
///     }
///     Ok(lines)
/// }
///
/// let logs = Files::of([("monday.log", "a\nb\n"), ("tuesday.log", "c\n")]);
/// assert_eq!(lines(logs).unwrap(), 3);
/// ```
///
/// A foreach over [`list`](Files::list) makes a task of each file: the task reads the same `Files` and
/// opens its `#[item]`.
#[derive(Clone, Debug)]
pub struct Files(Blob);

/// One of [`Files`]: its name, and where it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FileRef {
    name: String,
    offset: u64,
    len: u64,
}

impl FileRef {
    /// The file's path below the directory that was given, with `/` between its parts; the name of a
    /// file that was given itself.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number of bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl Files {
    /// Files of these names and contents, for tests.
    ///
    /// # Panics
    /// When a name is longer than 100 bytes.
    pub fn of<N: AsRef<str>, B: AsRef<[u8]>>(files: impl IntoIterator<Item = (N, B)>) -> Self {
        let mut archive = Vec::new();
        for (name, contents) in files {
            let (name, contents) = (name.as_ref(), contents.as_ref());
            archive.extend(header(name, contents.len()));
            archive.extend(contents);
            archive.resize(archive.len().next_multiple_of(BLOCK), 0);
        }
        archive.resize(archive.len() + 2 * BLOCK, 0);
        Self(Blob::from_bytes(archive).with_media_type(MEDIA_TYPE))
    }

    /// The files, in the order of their names.
    ///
    /// Reads the headers of the archive, and not what is in the files.
    ///
    /// # Errors
    /// When the artifact is no archive.
    pub fn list(&self) -> Result<Vec<FileRef>> {
        let mut archive = self.0.clone();
        let mut files = Vec::new();
        let mut said = Said::default();
        let mut at = 0;
        while at < archive.len() {
            let mut head = [0; BLOCK];
            archive.seek(SeekFrom::Start(at))?;
            archive.read_exact(&mut head)?;
            if head == [0; BLOCK] {
                break;
            }
            let size = size(&head).filter(|_| head[257..262] == *b"ustar");
            let size = size.ok_or_else(|| damaged(at))?;
            let offset = at + BLOCK as u64;
            let mut len = size;
            match head[156] {
                b'x' => said = Said::read(&archive.read_at(offset, size as usize)?),
                b'0' => {
                    len = said.size.unwrap_or(size);
                    let name = said.path.take().unwrap_or_else(|| name(&head));
                    files.push(FileRef { name, offset, len });
                    said = Said::default();
                }
                _ => {}
            }
            let end = offset.checked_add(len).filter(|end| *end <= archive.len());
            at = end
                .ok_or_else(|| damaged(at))?
                .next_multiple_of(BLOCK as u64);
        }
        Ok(files)
    }

    /// A file, to be read in pieces.
    pub fn open(&self, file: &FileRef) -> Blob {
        self.0.part(file.offset, file.len)
    }

    /// The file of this name; none when there is none.
    ///
    /// # Errors
    /// As for [`list`](Files::list).
    pub fn get(&self, name: &str) -> Result<Option<Blob>> {
        let found = self.list()?.into_iter().find(|file| file.name == name);
        Ok(found.map(|file| self.open(&file)))
    }
}

fn damaged(at: u64) -> Error {
    Error::new(format_args!("the archive of files is damaged at byte {at}")).fatal()
}

fn size(head: &[u8; BLOCK]) -> Option<u64> {
    let digits = std::str::from_utf8(&head[124..135]).ok()?;
    u64::from_str_radix(digits.trim_matches(['\0', ' ']), 8).ok()
}

fn name(head: &[u8; BLOCK]) -> String {
    let bytes = head[..100].split(|byte| *byte == 0).next();
    String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned()
}

/// What a file's extended header says, where its own has no room.
#[derive(Default)]
struct Said {
    path: Option<String>,
    size: Option<u64>,
}

impl Said {
    /// Reads records of the form `LENGTH KEY=VALUE\n`, where the length counts itself.
    fn read(mut bytes: &[u8]) -> Self {
        let mut said = Self::default();
        while let Some(space) = bytes.iter().position(|byte| *byte == b' ') {
            let digits = std::str::from_utf8(&bytes[..space]).unwrap_or_default();
            let Some(record) = digits
                .parse()
                .ok()
                .and_then(|end| bytes.get(space + 1..end))
            else {
                break;
            };
            bytes = &bytes[space + 1 + record.len()..];
            let record = String::from_utf8_lossy(record);
            match record.trim_end_matches('\n').split_once('=') {
                Some(("path", path)) => said.path = Some(path.to_owned()),
                Some(("size", size)) => said.size = size.parse().ok(),
                _ => {}
            }
        }
        said
    }
}

fn header(name: &str, size: usize) -> [u8; BLOCK] {
    assert!(name.len() <= 100, "the file names of a test are short");
    let mut head = [0; BLOCK];
    head[..name.len()].copy_from_slice(name.as_bytes());
    head[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
    head[156] = b'0';
    head[257..265].copy_from_slice(b"ustar\x0000");
    head
}

impl FromArtifact for Files {
    fn read(from: &Source<'_>, name: &str) -> Result<Option<Self>> {
        Ok(<Blob as FromArtifact>::read(from, name)?.map(Self))
    }
}

impl ToArtifact for Files {
    fn write(self, to: &dyn Host, name: &str) -> Result<()> {
        self.0.write(to, name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_listed_and_read_in_place() {
        let large = "x".repeat(3 * BLOCK);
        let files = Files::of([("a.txt", "one"), ("b/empty", ""), ("c", large.as_str())]);
        let list = files.list().unwrap();
        let seen: Vec<_> = list.iter().map(|file| (file.name(), file.len())).collect();
        assert_eq!(seen, [("a.txt", 3), ("b/empty", 0), ("c", 1536)]);
        assert_eq!(files.open(&list[0]).to_text().unwrap(), "one");
        assert!(files.open(&list[1]).is_empty() && list[1].is_empty());
        assert_eq!(files.open(&list[2]).to_text().unwrap(), large);
        assert_eq!(files.get("a.txt").unwrap().unwrap().len(), 3);
        assert!(files.get("d").unwrap().is_none());
    }

    #[test]
    fn a_long_name_and_a_large_size_stand_in_a_record_before() {
        let name = "ä".repeat(60);
        let record = format!("29 comment=what nobody reads\n130 path={name}\n13 size=2222\n");
        let mut archive = header("pax", record.len()).to_vec();
        archive[156] = b'x';
        archive.extend(record.as_bytes());
        archive.resize(archive.len().next_multiple_of(BLOCK), 0);
        archive.extend(header("short", 0));
        archive.resize(archive.len() + 5 * BLOCK, b'y');
        archive.extend(header("next", 0));
        let list = Files(Blob::from_bytes(archive)).list().unwrap();
        let seen: Vec<_> = list.iter().map(|file| (file.name(), file.len())).collect();
        assert_eq!(seen, [(name.as_str(), 2222), ("next", 0)]);
    }

    #[test]
    fn no_files_are_an_empty_list() {
        let none: [(&str, &str); 0] = [];
        assert_eq!(Files::of(none).list().unwrap(), []);
    }

    #[test]
    fn what_is_no_archive_is_refused() {
        for bytes in [vec![1; 3], vec![1; 2 * BLOCK]] {
            assert!(Files(Blob::from_bytes(bytes)).list().is_err());
        }
        let mut cut = Files::of([("a", "b".repeat(BLOCK))]).0.to_vec().unwrap();
        cut.truncate(BLOCK + 1);
        let error = Files(Blob::from_bytes(cut)).list().unwrap_err();
        assert_eq!(
            error.to_string(),
            "the archive of files is damaged at byte 0"
        );
    }
}
