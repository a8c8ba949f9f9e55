//! Writing whole objects, with conditions and without, and deleting them.

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::put_object::{PutObjectError, PutObjectOutput};
use bytes::Bytes;

use super::Bucket;
use crate::aws::Trouble;
use crate::datastore::object::{Created, Key, Replaced, StoreError, Version};
use crate::failpoint;

const PUT: &str = "s3:PutObject";
const DELETE: &str = "s3:DeleteObject";

/// Under which condition an object is written.
enum If<'a> {
    Always,
    Absent,
    Is(&'a Version),
}

impl Bucket {
    pub(super) async fn create(&self, key: &Key, bytes: Bytes) -> Result<Created, StoreError> {
        match self.write(key, bytes, If::Absent).await {
            Ok(()) => Ok(Created::New),
            Err(trouble) if trouble.code.as_deref() == Some("PreconditionFailed") => {
                Ok(Created::Exists)
            }
            Err(trouble) => Err(self.error("write", self.place(key), trouble)),
        }
    }

    pub(super) async fn put(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError> {
        let written = self.write(key, bytes, If::Always).await;
        written.map_err(|trouble| self.error("write", self.place(key), trouble))
    }

    pub(super) async fn replace(
        &self,
        key: &Key,
        version: &Version,
        bytes: Bytes,
    ) -> Result<Replaced, StoreError> {
        match self.write(key, bytes, If::Is(version)).await {
            Ok(()) => Ok(Replaced::Done),
            Err(trouble)
                if matches!(
                    trouble.code.as_deref(),
                    Some("PreconditionFailed" | "NoSuchKey")
                ) =>
            {
                Ok(Replaced::Changed)
            }
            Err(trouble) => Err(self.error("write", self.place(key), trouble)),
        }
    }

    /// Writes an object; once more without a checksum where the server does not know it.
    async fn write(&self, key: &Key, bytes: Bytes, when: If<'_>) -> Result<(), Trouble> {
        failpoint::reach("s3.put", key);
        let sent = self.send(key, bytes.clone(), &when).await;
        failpoint::reach("s3.answered", key);
        match sent {
            Ok(_) => Ok(()),
            Err(error) => {
                let trouble = Trouble::of(PUT, &error);
                if !self.gives_checksums_up(&trouble) {
                    return Err(trouble);
                }
                let sent = self.send(key, bytes, &when).await;
                sent.map(|_| ()).map_err(|error| Trouble::of(PUT, &error))
            }
        }
    }

    async fn send(
        &self,
        key: &Key,
        bytes: Bytes,
        when: &If<'_>,
    ) -> Result<PutObjectOutput, SdkError<PutObjectError>> {
        let algorithm = self.algorithm();
        let checked = Self::checked(algorithm.as_ref());
        let request = self.client.put_object().bucket(&self.name);
        let request = request
            .key(self.object(key))
            .set_checksum_algorithm(algorithm)
            .body(bytes.into());
        let request = match when {
            If::Always => request,
            If::Absent => request.if_none_match("*"),
            If::Is(version) => request.if_match(&version.0),
        };
        let request = request.customize().config_override(checked);
        match self.encrypted {
            true => request.disable_payload_signing().send().await,
            false => request.send().await,
        }
    }

    pub(super) async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        failpoint::reach("s3.delete", key);
        let request = self.client.delete_object().bucket(&self.name);
        let sent = request.key(self.object(key)).send().await;
        sent.map(|_| ()).map_err(|error| {
            let trouble = Trouble::of(DELETE, &error);
            self.error("delete", self.place(key), trouble)
        })
    }
}
