//! How the allocator is told to keep memory.

/// Has the allocator keep what large artifacts lie in on their way: pieces of a MiB, in a bucket parts of
/// 8 MiB, as many at a time as there are always. By default each is given back to the system when it
/// is freed, and the system clears it anew for the next one: half of the processor time of moving a
/// large artifact.
///
/// To be called before anything else runs. See mallopt(3). Other allocators than that of the GNU C
/// library are left as they are.
pub fn keep() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        /// What is larger, in bytes, is given back at once.
        const LARGE: libc::c_int = 16 << 20;
        /// How much may lie unused at the end of a heap, in bytes.
        const UNUSED: libc::c_int = 32 << 20;
        // SAFETY: nothing else runs yet. What is refused leaves all as it was.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
            libc::mallopt(libc::M_TRIM_THRESHOLD, UNUSED);
        }
    }
}
