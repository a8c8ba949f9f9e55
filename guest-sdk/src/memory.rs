//! A host that lives in memory, for tests without a module.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::abi::{Context, Reader, Writer};
use crate::blob::Blob;
use crate::host::Host;

/// A value and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// What the bytes are.
    pub media_type: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// The artifacts of one task, by name.
pub type Stores = BTreeMap<String, Stored>;

/// A host that lives in memory.
#[derive(Debug, Default)]
pub struct Memory {
    context: Option<Context>,
    reads: Stores,
    item: Option<Vec<u8>>,
    branches: Vec<(String, Stores)>,
    writes: Mutex<Stores>,
}

impl Memory {
    /// A host with nothing to read.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same host for this task.
    pub fn with_context(mut self, context: Context) -> Self {
        self.context = Some(context);
        self
    }

    /// The same host with these artifacts to read.
    pub fn with_reads(mut self, reads: Stores) -> Self {
        self.reads = reads;
        self
    }

    /// The same host with this foreach element, in CBOR.
    pub fn with_item(mut self, item: Vec<u8>) -> Self {
        self.item = Some(item);
        self
    }

    /// The same host with these branches: the task at the end of each, and what it wrote.
    pub fn with_branches(mut self, branches: Vec<(String, Stores)>) -> Self {
        self.branches = branches;
        self
    }

    /// Takes what was written.
    pub fn take_writes(&self) -> Stores {
        std::mem::take(
            &mut self
                .writes
                .lock()
                .expect("no writer panics while it holds the lock"),
        )
    }

    fn branch(&self, branch: u32, name: &str) -> Option<&Stored> {
        self.branches.get(branch as usize)?.1.get(name)
    }
}

fn blob(stored: &Stored) -> Blob {
    Blob::from_bytes(stored.bytes.clone()).with_media_type(&stored.media_type)
}

impl Host for Memory {
    fn task(&self) -> Context {
        self.context
            .clone()
            .unwrap_or_else(|| crate::task::context("test", "step"))
    }

    fn get(&self, name: &str) -> Option<Vec<u8>> {
        self.reads.get(name).map(|stored| stored.bytes.clone())
    }

    fn open(&self, name: &str) -> Option<Blob> {
        self.reads.get(name).map(blob)
    }

    fn item(&self) -> Option<Vec<u8>> {
        self.item.clone()
    }

    fn branches(&self) -> u32 {
        self.branches.len() as u32
    }

    fn branch_task(&self, branch: u32) -> String {
        self.branches
            .get(branch as usize)
            .map(|(task, _)| task.clone())
            .unwrap_or_default()
    }

    fn branch_get(&self, branch: u32, name: &str) -> Option<Vec<u8>> {
        self.branch(branch, name).map(|stored| stored.bytes.clone())
    }

    fn branch_open(&self, branch: u32, name: &str) -> Option<Blob> {
        self.branch(branch, name).map(blob)
    }

    fn put(&self, name: &str, media_type: &str, bytes: &[u8]) {
        let stored = Stored {
            media_type: media_type.to_owned(),
            bytes: bytes.to_vec(),
        };
        let mut writes = self
            .writes
            .lock()
            .expect("no writer panics while it holds the lock");
        writes.insert(name.to_owned(), stored);
    }

    fn save(&self, _: &str, _: Writer) {
        unreachable!("a writer of the host exists only inside a module")
    }

    fn pass(&self, _: &str, _: &Reader) {
        unreachable!("a reader of the host exists only inside a module")
    }
}
