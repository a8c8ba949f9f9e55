//! Who is on this machine at the same time.
//!
//! moto starts all containers of an array job at once. A test that has hundreds of them puts a load on the
//! machine at which others would wait in vain for what they wait for, so it is alone meanwhile: the others begin
//! before it or after it.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

static MACHINE: RwLock<()> = RwLock::new(());

/// The place of one of many.
pub type Beside = RwLockReadGuard<'static, ()>;
/// The place of one alone.
pub type Alone = RwLockWriteGuard<'static, ()>;

/// A place beside others, when nobody is alone. A test that has one must not ask for a second: somebody who
/// wants to be alone may be waiting.
pub fn beside() -> Beside {
    MACHINE.read().unwrap_or_else(PoisonError::into_inner)
}

/// A place alone, when all others have gone.
pub fn alone() -> Alone {
    MACHINE.write().unwrap_or_else(PoisonError::into_inner)
}
