//! Parameters become artifacts: values as they are, files in pieces, many files as one archive.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::start::{Given, StartError};
use crate::datastore::Datastore;
use crate::datastore::blob::BlobWriter;
use crate::datastore::object::StoreError;
use crate::model::archive;
use crate::model::artifact::{Artifact, INLINE_RECORD, MediaType, Value, ValueAt};
use crate::model::name::ArtifactName;

/// How much of a file is read at once.
const PIECE: usize = 1024 * 1024;

/// Stores every parameter as an artifact, in the order of their names.
pub(super) async fn store(
    datastore: &Datastore,
    given: Vec<(ArtifactName, Given)>,
) -> Result<Vec<Artifact>, StartError> {
    let mut budget = INLINE_RECORD;
    let mut artifacts = Vec::with_capacity(given.len());
    for (name, given) in given {
        let value = match given {
            Given::Cbor(bytes) => {
                let stored = datastore.store_value(MediaType::cbor(), bytes, &mut budget);
                stored.await.map_err(|source| unstored(&name, source))?
            }
            Given::Text(text) => {
                let media = MediaType::new(MediaType::TEXT);
                let stored = datastore.store_value(media, text, &mut budget);
                stored.await.map_err(|source| unstored(&name, source))?
            }
            Given::File(path, media) => {
                let mut storing = Storing::begin(datastore, &name);
                let file = File::open(&path).map_err(|error| storing.unread(&path, error))?;
                storing.file(&path, file, None).await?;
                storing.end(media).await?
            }
            Given::Kept(value) => value,
            Given::Files(files) => store_archive(datastore, &name, files).await?,
        };
        artifacts.push(Artifact { name, value });
    }
    artifacts.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(artifacts)
}

fn unstored(name: &ArtifactName, source: StoreError) -> StartError {
    StartError::Parameter {
        name: name.clone(),
        source,
    }
}

async fn store_archive(
    datastore: &Datastore,
    name: &ArtifactName,
    files: BTreeMap<String, PathBuf>,
) -> Result<Value, StartError> {
    let mut storing = Storing::begin(datastore, name);
    for (entry, path) in files {
        let opened = File::open(&path).and_then(|file| Ok((file.metadata()?.len(), file)));
        let (size, file) = opened.map_err(|error| storing.unread(&path, error))?;
        storing.write(archive::head(&entry, size).into()).await?;
        storing.file(&path, file, Some(size)).await?;
        storing.write(archive::padding(size).into()).await?;
    }
    storing.write(Bytes::from_static(&archive::END)).await?;
    storing.end(MediaType::new(MediaType::TAR)).await
}

/// A parameter on its way into a blob, in pieces.
struct Storing<'a> {
    name: &'a ArtifactName,
    writer: BlobWriter,
}

impl<'a> Storing<'a> {
    fn begin(datastore: &Datastore, name: &'a ArtifactName) -> Self {
        let writer = datastore.blobs().writer();
        Self { name, writer }
    }

    /// Writes a file: all of it, or as much as it had when its size was asked for.
    async fn file(
        &mut self,
        path: &Path,
        mut file: File,
        size: Option<u64>,
    ) -> Result<(), StartError> {
        let mut left = size.unwrap_or(u64::MAX);
        while left > 0 {
            let mut piece = Vec::with_capacity(PIECE.min(usize::try_from(left).unwrap_or(PIECE)));
            let mut limited = (&mut file).take(left.min(PIECE as u64));
            let read = limited.read_to_end(&mut piece);
            left -= read.map_err(|error| self.unread(path, error))? as u64;
            if piece.is_empty() {
                break;
            }
            self.write(piece.into()).await?;
        }
        if size.is_some() && left > 0 {
            let error = std::io::Error::other("it became shorter while it was read");
            return Err(self.unread(path, error));
        }
        Ok(())
    }

    async fn write(&mut self, piece: Bytes) -> Result<(), StartError> {
        let written = self.writer.write(piece).await;
        written.map_err(|source| unstored(self.name, source))
    }

    async fn end(self, media: MediaType) -> Result<Value, StartError> {
        let finished = self.writer.finish().await;
        let (digest, size) = finished.map_err(|source| unstored(self.name, source))?;
        Ok(Value {
            digest,
            size,
            media,
            at: ValueAt::Blob,
        })
    }

    fn unread(&self, path: &Path, source: std::io::Error) -> StartError {
        StartError::File {
            name: self.name.clone(),
            path: path.to_owned(),
            source,
        }
    }
}
