//! Memory that agent and cell share, in which pieces of artifacts lie on their way.
//!
//! A piece is copied once into it and once out of it, and what goes over the socket is where it
//! lies; through the socket it would be copied twice as well, in 64 KiB at a time, and each time
//! one side would wake the other.
//!
//! The cell says which slot is used for what. The agent believes nothing of what lies in a slot: it
//! copies first and looks at the copy, since a cell that was taken over may change the bytes at any
//! moment. The size is sealed, so that nobody can take the memory away from under the other.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::ptr::NonNull;

use bytes::Bytes;
use rustix::fs::{
    MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, ftruncate, memfd_create,
};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use crate::sandbox::wire::MAX_PIECE;

/// How many slots there are, of [`MAX_PIECE`] bytes each.
pub const SLOTS: u32 = 12;

const SIZE: usize = SLOTS as usize * MAX_PIECE;
const FIXED: SealFlags = SealFlags::SHRINK
    .union(SealFlags::GROW)
    .union(SealFlags::SEAL);

/// The shared memory, as one side has it.
#[derive(Debug)]
pub struct Shelf {
    memory: NonNull<u8>,
}

// SAFETY: the memory stays mapped where it is until the value is dropped, and is only ever copied
// into and out of, which both processes do at once anyway.
unsafe impl Send for Shelf {}
// SAFETY: as above.
unsafe impl Sync for Shelf {}

impl Shelf {
    /// New memory, and the file by which another process gets it.
    ///
    /// # Errors
    /// The system's, when it gives no memory.
    pub fn new() -> io::Result<(Self, File)> {
        let file = memfd_create(
            "wrun-shelf",
            MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING,
        )?;
        ftruncate(&file, SIZE as u64)?;
        fcntl_add_seals(&file, FIXED)?;
        let file = File::from(file);
        Ok((Self::map(&file)?, file))
    }

    /// The memory that another process made.
    ///
    /// # Errors
    /// `InvalidData` when it has not the size that it must have; the system's otherwise.
    pub fn open(file: &File) -> io::Result<Self> {
        if file.metadata()?.len() != SIZE as u64 || !fcntl_get_seals(file)?.contains(FIXED) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the memory that came along is not a shelf",
            ));
        }
        Self::map(file)
    }

    fn map(file: &File) -> io::Result<Self> {
        let both = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: the system chooses a place where nothing else lies.
        let memory = unsafe {
            mmap(
                std::ptr::null_mut(),
                SIZE,
                both,
                MapFlags::SHARED,
                file.as_fd(),
                0,
            )?
        };
        let memory = NonNull::new(memory.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { memory })
    }

    /// Where `len` bytes of a slot lie.
    ///
    /// # Panics
    /// When there is no such slot, or it is not so long.
    fn at(&self, slot: u32, len: usize) -> *mut u8 {
        assert!(
            slot < SLOTS && len <= MAX_PIECE,
            "slot {slot} has no {len} bytes"
        );
        // SAFETY: the sum is within the memory, because of what was just asserted.
        unsafe { self.memory.as_ptr().add(slot as usize * MAX_PIECE) }
    }

    /// Copies `bytes` into a slot.
    ///
    /// # Panics
    /// When there is no such slot, or it is not so long.
    pub fn put(&self, slot: u32, bytes: &[u8]) {
        let to = self.at(slot, bytes.len());
        // SAFETY: there is room for as many bytes, and nothing of this process refers to them.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) }
    }

    /// Appends `len` bytes of a slot, from `offset` on.
    ///
    /// # Panics
    /// When there is no such slot, or it does not reach so far.
    pub fn append(&self, slot: u32, offset: usize, len: usize, into: &mut Vec<u8>) {
        let from = self.at(slot, offset + len);
        into.reserve_exact(len);
        // SAFETY: the slot has as many bytes, the vector has room for them, and they do not overlap.
        // What the other process writes meanwhile ends up in the copy or does not; any byte is valid.
        unsafe {
            let end = into.as_mut_ptr().add(into.len());
            std::ptr::copy_nonoverlapping(from.add(offset), end, len);
            into.set_len(into.len() + len);
        }
    }

    /// A copy of the first `len` bytes of a slot.
    ///
    /// # Panics
    /// When there is no such slot, or it is not so long.
    pub fn take(&self, slot: u32, len: usize) -> Bytes {
        let mut bytes = Vec::new();
        self.append(slot, 0, len, &mut bytes);
        bytes.into()
    }
}

impl Drop for Shelf {
    fn drop(&mut self) {
        // SAFETY: this is what was mapped, and nothing refers to it any more. An error would mean
        // that it was not, and leaves it where it is.
        let _ = unsafe { munmap(self.memory.as_ptr().cast(), SIZE) };
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_one_side_puts_there_the_other_takes() {
        let (ours, file) = Shelf::new().unwrap();
        let theirs = Shelf::open(&file).unwrap();
        ours.put(0, b"first");
        ours.put(SLOTS - 1, &[7; MAX_PIECE]);
        assert_eq!(theirs.take(0, 5), b"first"[..]);
        assert_eq!(theirs.take(SLOTS - 1, MAX_PIECE), vec![7; MAX_PIECE]);
        let mut some = b"at ".to_vec();
        theirs.append(0, 1, 3, &mut some);
        assert_eq!(some, b"at irs");
        theirs.put(0, b"F");
        assert_eq!(ours.take(0, 5), b"First"[..]);
    }

    #[test]
    fn nobody_can_take_the_memory_away() {
        let (_ours, file) = Shelf::new().unwrap();
        assert!(file.set_len(0).is_err());
        assert!(file.set_len(2 * SIZE as u64).is_err());
        assert!(fcntl_add_seals(&file, SealFlags::WRITE).is_err());
    }

    #[test]
    fn other_memory_is_no_shelf() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(SIZE as u64).unwrap();
        assert!(Shelf::open(&file).is_err());
        let loose = memfd_create("loose", MemfdFlags::ALLOW_SEALING).unwrap();
        ftruncate(&loose, SIZE as u64).unwrap();
        let error = Shelf::open(&File::from(loose)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    #[should_panic(expected = "slot 12 has no 1 bytes")]
    fn there_is_nothing_behind_the_last_slot() {
        let (ours, _file) = Shelf::new().unwrap();
        ours.put(SLOTS, b"x");
    }
}
