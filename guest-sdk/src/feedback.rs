//! What a step shows while it runs.

use std::fmt;

use crate::abi;
use crate::host::Level;

/// Shows how far the task is: `done` of `total` units, and what it is doing.
///
/// `total` is 0 when it is not known. Cheap enough to be called in a loop: the host shows the
/// latest and drops the rest. In a native test it does nothing.
pub fn progress(done: u64, total: u64, message: impl AsRef<str>) {
    if abi::IN_MODULE {
        abi::progress(done, total, message.as_ref());
    }
}

/// Writes a line of the log; in a native test to standard error.
#[doc(hidden)]
pub fn log(level: Level, message: fmt::Arguments<'_>) {
    if abi::IN_MODULE {
        match message.as_str() {
            Some(text) => abi::log(level, text),
            None => abi::log(level, &message.to_string()),
        }
    } else {
        let word = format!("{level:?}").to_lowercase();
        eprintln!("{word}: {message}");
    }
}

/// Logs for whoever looks for a fault: `debug!("{} rows", rows.len())`.
#[macro_export]
macro_rules! debug {
    ($($message:tt)+) => { $crate::glue::log($crate::glue::Level::Debug, ::std::format_args!($($message)+)) };
}

/// Logs what the step is doing: `info!("{} rows", rows.len())`.
#[macro_export]
macro_rules! info {
    ($($message:tt)+) => { $crate::glue::log($crate::glue::Level::Info, ::std::format_args!($($message)+)) };
}

/// Logs what may be wrong: `warn!("{} rows have no date", n)`.
#[macro_export]
macro_rules! warn {
    ($($message:tt)+) => { $crate::glue::log($crate::glue::Level::Warn, ::std::format_args!($($message)+)) };
}

/// Logs what is wrong, and goes on: `error!("the index is damaged, reading everything")`.
#[macro_export]
macro_rules! error {
    ($($message:tt)+) => { $crate::glue::log($crate::glue::Level::Error, ::std::format_args!($($message)+)) };
}
