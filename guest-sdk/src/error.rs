//! Why a step did not succeed, and how to say it.

use std::fmt;

/// What a step returns: its artifacts, or why there are none.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a step did not succeed: a message, its causes, and whether another attempt may help.
///
/// Made by `?` from any error of the standard library's kind, and by [`bail!`](crate::bail!) and
/// [`ensure!`](crate::ensure!) from a text. Another attempt is made when the step has retries left,
/// unless the error is [`fatal`](Error::fatal).
///
/// ```
/// use wrun_sdk::prelude::*;
///
/// fn parse(line: &str) -> Result<u32> {
///     line.trim().parse().with_context(|| format!("`{line}` is not a count")).fatal()
/// }
///
/// let error = parse("many").unwrap_err();
/// assert_eq!(error.to_string(), "`many` is not a count");
/// assert_eq!(error.causes(), ["invalid digit found in string"]);
/// assert!(error.is_fatal());
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    message: String,
    causes: Vec<String>,
    fatal: bool,
}

impl Error {
    /// An error with this message and no cause.
    pub fn new(message: impl fmt::Display) -> Self {
        Self(Box::new(Inner {
            message: message.to_string(),
            causes: Vec::new(),
            fatal: false,
        }))
    }

    /// The same error, after which no other attempt is made.
    #[must_use]
    pub fn fatal(mut self) -> Self {
        self.0.fatal = true;
        self
    }

    /// An error with this message, of which `self` is the cause.
    #[must_use]
    pub fn context(mut self, message: impl fmt::Display) -> Self {
        let cause = std::mem::replace(&mut self.0.message, message.to_string());
        self.0.causes.insert(0, cause);
        self
    }

    /// Whether no other attempt is made.
    pub fn is_fatal(&self) -> bool {
        self.0.fatal
    }

    /// Why it happened, from the outermost to the first cause.
    pub fn causes(&self) -> &[String] {
        &self.0.causes
    }

    pub(crate) fn into_parts(self) -> (String, Vec<String>) {
        (self.0.message, self.0.causes)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.message)
    }
}

/// Message and causes, as a failed `unwrap` in a test should show them.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        for cause in &self.0.causes {
            write!(f, "\n  caused by: {cause}")?;
        }
        if self.0.fatal {
            f.write_str("\n  (fatal)")
        } else {
            Ok(())
        }
    }
}

impl<E: std::error::Error> From<E> for Error {
    fn from(error: E) -> Self {
        let mut causes = Vec::new();
        let mut source = error.source();
        while let Some(cause) = source {
            causes.push(cause.to_string());
            source = cause.source();
        }
        Self(Box::new(Inner {
            message: error.to_string(),
            causes,
            fatal: false,
        }))
    }
}

mod sealed {
    /// [`Error`](super::Error) and every error of the standard library's kind.
    pub trait IntoError {
        fn into_error(self) -> super::Error;
    }

    impl IntoError for super::Error {
        fn into_error(self) -> super::Error {
            self
        }
    }

    impl<E: std::error::Error> IntoError for E {
        fn into_error(self) -> super::Error {
            self.into()
        }
    }
}

pub(crate) use sealed::IntoError;

/// Says more about a failure on its way up.
///
/// For `Result`s of any error, and for `Option`, whose `None` becomes the error.
pub trait Context<T>: Sized {
    /// Puts `message` before the error, which becomes its cause.
    ///
    /// # Errors
    /// Whenever there was an error, or nothing.
    fn context(self, message: impl fmt::Display) -> Result<T>;

    /// The same, with a message that is made only when it is needed.
    ///
    /// # Errors
    /// Whenever there was an error, or nothing.
    fn with_context<D: fmt::Display>(self, message: impl FnOnce() -> D) -> Result<T>;
}

impl<T, E: IntoError> Context<T> for std::result::Result<T, E> {
    fn context(self, message: impl fmt::Display) -> Result<T> {
        self.map_err(|error| error.into_error().context(message))
    }

    fn with_context<D: fmt::Display>(self, message: impl FnOnce() -> D) -> Result<T> {
        self.map_err(|error| error.into_error().context(message()))
    }
}

impl<T> Context<T> for Option<T> {
    fn context(self, message: impl fmt::Display) -> Result<T> {
        self.ok_or_else(|| Error::new(message))
    }

    fn with_context<D: fmt::Display>(self, message: impl FnOnce() -> D) -> Result<T> {
        self.ok_or_else(|| Error::new(message()))
    }
}

/// Makes an error final: `file.open().fatal()?`.
pub trait Fatal<T>: Sized {
    /// The same result, whose error is followed by no other attempt.
    ///
    /// # Errors
    /// Whenever there was an error.
    fn fatal(self) -> Result<T>;
}

impl<T, E: IntoError> Fatal<T> for std::result::Result<T, E> {
    fn fatal(self) -> Result<T> {
        self.map_err(|error| error.into_error().fatal())
    }
}

/// Returns from the step with an error: `bail!("no rows in `{name}`")`.
#[macro_export]
macro_rules! bail {
    ($($message:tt)+) => {
        return ::std::result::Result::Err(::std::convert::From::from($crate::Error::new(::std::format_args!($($message)+))))
    };
}

/// Returns from the step with an error unless a condition holds: `ensure!(n > 0, "no rows")`.
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            $crate::bail!($($message)+);
        }
    };
    ($condition:expr $(,)?) => {
        if !$condition {
            $crate::bail!("`{}` does not hold", ::std::stringify!($condition));
        }
    };
}
