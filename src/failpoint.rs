//! Points at which a test may have this process fail or end.
//!
//! Whatever writes passes a point before each of its steps, and one when it has acknowledged. In a
//! build with debug assertions, which are those that tests make, the variable `WRUN_FAILPOINTS`
//! says what happens at a point; in a release build a point is nothing: no code, no name, no
//! variable. `tests/crash` goes through all points, and proves that they are not in a release.
//!
//! Uses nothing. Names are dotted, lower case, and each stands in one place of the sources.

use std::fmt::Display;
use std::io;

#[cfg(debug_assertions)]
mod armed;

/// Passes a point at which the step that follows can be made to fail.
///
/// `what` is what the step is about, a key or a path: a test may mean only the passings about some.
///
/// # Errors
/// The one that a test has asked for; never in a release build.
#[inline(always)]
pub fn pass(point: &'static str, what: impl Display) -> io::Result<()> {
    #[cfg(debug_assertions)]
    return armed::pass(point, &what);
    #[cfg(not(debug_assertions))]
    {
        let _ = (point, what);
        Ok(())
    }
}

/// Passes a point at which this process can be made to end, and nothing can fail.
#[inline(always)]
pub fn reach(point: &'static str, what: impl Display) {
    // Told to fail where nothing can, it goes on; whoever asked for it sees that nothing failed.
    let _ = pass(point, what);
}
