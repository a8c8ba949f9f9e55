//! The `wrun` command.

fn main() -> std::process::ExitCode {
    keep_memory();
    wrun::cli::main()
}

/// Has the allocator keep what the pieces of large artifacts lie in, which are a MiB each and as
/// many at a time as there are always. By default each is given back to the system when it is
/// freed, and the system clears it anew for the next one: half of the processor time of moving a
/// large artifact.
///
/// See mallopt(3). Other allocators than that of the GNU C library are left as they are.
fn keep_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        /// What is larger, in bytes, is given back at once.
        const LARGE: libc::c_int = 8 << 20;
        /// How much may lie unused at the end of a heap, in bytes.
        const UNUSED: libc::c_int = 32 << 20;
        // SAFETY: nothing else runs yet. What is refused leaves all as it was.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
            libc::mallopt(libc::M_TRIM_THRESHOLD, UNUSED);
        }
    }
}
