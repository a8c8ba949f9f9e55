//! The container image in which workers run: one program, and what it cannot do without.
//!
//! There is no system in it, only the program, the libraries without which it does not start
//! ([`elf`] reads which, [`libraries`] finds them), the certificates of the authorities that the
//! Internet trusts ([`roots`]), and an empty `/tmp`. [`layout`] brings that into the form in which container
//! engines and registries pass images around; [`name`] is what such an image is called.
//!
//! The same contents make the same bytes. Uses `model`. Knows no container engine.

pub mod elf;
mod layout;
pub mod libraries;
pub mod name;
pub mod roots;

pub use self::elf::{Architecture, Elf, ElfError};
pub use self::layout::Image;
pub use self::libraries::{Library, LibraryError};
pub use self::name::{ImageName, Registry};
pub use self::roots::RootsError;

/// Where the program is in an image.
pub const PROGRAM: &str = "/wrun";

/// What is put into an image.
#[derive(Debug)]
pub struct Contents<'a> {
    /// The program, an ELF file.
    pub program: &'a [u8],
    /// For which processors it is.
    pub architecture: Architecture,
    /// What it is linked to, with the program that loads it.
    pub libraries: &'a [Library],
    /// Certificates in PEM.
    pub roots: &'a [u8],
}

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The program is none that a container can run.
    #[error("`{file}` cannot be the program of an image")]
    Program {
        /// Its file.
        file: String,
        /// What is wrong with it.
        source: ElfError,
    },
    /// A library is missing.
    #[error("`{file}` is linked to what is not on this machine")]
    Libraries {
        /// The file of the program.
        file: String,
        /// What is missing.
        source: LibraryError,
    },
    /// The certificates are missing.
    #[error("the image would trust no server")]
    Roots(#[from] RootsError),
}

/// Makes the image of `program`, which was read from `file`.
///
/// Looks for libraries and certificates on this machine.
///
/// # Errors
/// When the program is not one, or something that it needs is not here.
pub fn build(file: &str, program: &[u8], roots: &[u8]) -> Result<Image, ImageError> {
    let elf = Elf::read(program).map_err(|source| ImageError::Program {
        file: file.to_owned(),
        source,
    })?;
    let found = libraries::find(&elf, &libraries::directories());
    let libraries = found.map_err(|source| ImageError::Libraries {
        file: file.to_owned(),
        source,
    })?;
    Ok(Image::of(&Contents {
        program,
        architecture: elf.architecture,
        libraries: &libraries,
        roots,
    }))
}
