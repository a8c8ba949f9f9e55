//! What was given to a run, and is given again.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::bench::Bench;
use super::{How, RepairError};
use crate::model::digest::Digest;

/// How much of a file is read at once.
const PIECE: usize = 1 << 20;

impl Bench<'_> {
    /// Looks into a file, or all files below a directory, for what is lost.
    pub(super) async fn take(&mut self, path: &Path) -> Result<(), RepairError> {
        let mut waiting = vec![path.to_owned()];
        while let Some(path) = waiting.pop() {
            let failed = |source| RepairError::File {
                path: path.clone(),
                source,
            };
            if path.is_dir() {
                for entry in std::fs::read_dir(&path).map_err(failed)? {
                    let entry = entry.map_err(failed)?;
                    // What a link leads to is found where it is, or was not given.
                    if !entry.file_type().map_err(failed)?.is_symlink() {
                        waiting.push(entry.path());
                    }
                }
                continue;
            }
            if !std::fs::metadata(&path).map_err(failed)?.is_file() {
                continue;
            }
            let digest = digest_of(&path).map_err(failed)?;
            if self.lost.contains(&digest) {
                self.give(&path, &digest).await?;
            }
        }
        Ok(())
    }

    /// Stores a file that is what is lost, unless it changes meanwhile.
    async fn give(&mut self, path: &Path, digest: &Digest) -> Result<(), RepairError> {
        let failed = |source| RepairError::File {
            path: path.to_owned(),
            source,
        };
        let mut file = File::open(path).map_err(failed)?;
        let mut writer = self.scratch.blobs().writer();
        loop {
            let mut piece = Vec::with_capacity(PIECE);
            let read = file.by_ref().take(PIECE as u64).read_to_end(&mut piece);
            if read.map_err(failed)? == 0 {
                break;
            }
            writer.write(piece.into()).await?;
        }
        if writer.finish().await?.0 == *digest {
            self.put_back(digest, How::Given(path.to_owned())).await?;
        }
        Ok(())
    }
}

/// The digest of a file's bytes, which need not fit into memory.
fn digest_of(path: &Path) -> std::io::Result<Digest> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok(hasher.finalize().into())
}
