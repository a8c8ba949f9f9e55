//! Reads what a program needs to start: which processor, which loader, which libraries.
//!
//! The file is read and never executed: it may be for another machine.

use std::fmt;

use object::Endianness;
use object::elf::{DT_NEEDED, DT_RPATH, DT_RUNPATH, EM_AARCH64, EM_X86_64, ET_DYN, ET_EXEC};
use object::read::elf::{ElfFile64, FileHeader, ProgramHeader};

/// The processors for which images are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// 64 bits of Intel and AMD.
    Amd64,
    /// 64 bits of ARM, such as Graviton.
    Arm64,
}

impl Architecture {
    /// That of this machine, when images are made for such machines.
    pub fn here() -> Option<Self> {
        match std::env::consts::ARCH {
            "x86_64" => Some(Self::Amd64),
            "aarch64" => Some(Self::Arm64),
            _ => None,
        }
    }
}

impl fmt::Display for Architecture {
    /// As images call it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        })
    }
}

/// Why a file is no program for a container.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ElfError {
    /// Not ELF of 64 bits, or damaged.
    #[error("it is not an ELF file of 64 bits, as Linux executes them")]
    Format,
    /// ELF, but nothing that starts.
    #[error("it is an ELF file, but not a program")]
    NoProgram,
    /// For processors of another kind.
    #[error("it is for processors of kind {0}; images are made for x86-64 (62) and AArch64 (183)")]
    Machine(u16),
}

/// What a program or a library says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elf {
    /// For which processors it is.
    pub architecture: Architecture,
    /// The program that loads it; none when it is linked statically, and for libraries.
    pub loader: Option<String>,
    /// The names of the libraries that it is linked to.
    pub needed: Vec<String>,
    /// Directories in which it wants them to be looked for first.
    pub paths: Vec<String>,
}

impl Elf {
    /// Reads a program or a library.
    ///
    /// # Errors
    /// When the bytes are neither, or for another kind of processor.
    pub fn read(bytes: &[u8]) -> Result<Self, ElfError> {
        let file = ElfFile64::<Endianness>::parse(bytes).map_err(|_| ElfError::Format)?;
        let (header, endian) = (file.elf_header(), file.endian());
        if ![ET_EXEC, ET_DYN].contains(&header.e_type(endian)) {
            return Err(ElfError::NoProgram);
        }
        let architecture = match header.e_machine(endian) {
            EM_X86_64 => Architecture::Amd64,
            EM_AARCH64 => Architecture::Arm64,
            other => return Err(ElfError::Machine(other)),
        };
        let mut it = Self {
            architecture,
            loader: loader(&file)?,
            needed: Vec::new(),
            paths: Vec::new(),
        };
        it.read_links(&file)?;
        Ok(it)
    }

    fn read_links(&mut self, file: &ElfFile64<'_, Endianness>) -> Result<(), ElfError> {
        let table = file.elf_dynamic_table().map_err(|_| ElfError::Format)?;
        for entry in &table {
            let text = || text(table.string(entry));
            match entry.tag {
                DT_NEEDED => self.needed.push(text()?),
                DT_RPATH | DT_RUNPATH => {
                    self.paths.extend(text()?.split(':').map(str::to_owned));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn loader(file: &ElfFile64<'_, Endianness>) -> Result<Option<String>, ElfError> {
    let segments = file.elf_program_headers().iter();
    let mut paths = segments.map(|it| it.interpreter(file.endian(), file.data()));
    let path = paths.find_map(Result::transpose);
    path.map(text).transpose()
}

fn text(bytes: object::read::Result<&[u8]>) -> Result<String, ElfError> {
    let bytes = bytes.map_err(|_| ElfError::Format)?;
    let text = std::str::from_utf8(bytes).map_err(|_| ElfError::Format)?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_program_is_refused() {
        assert_eq!(Elf::read(b"#!/bin/sh\n"), Err(ElfError::Format));
        assert_eq!(Elf::read(b""), Err(ElfError::Format));
        let mut header = header_of(62);
        header[16] = 1;
        assert_eq!(Elf::read(&header), Err(ElfError::NoProgram));
    }

    #[test]
    fn another_processor_is_refused_by_its_number() {
        assert_eq!(Elf::read(&header_of(243)), Err(ElfError::Machine(243)));
        assert_eq!(
            Elf::read(&header_of(183)).unwrap().architecture,
            Architecture::Arm64
        );
    }

    #[test]
    fn a_program_that_is_linked_to_nothing_needs_nothing() {
        let expected = Elf {
            architecture: Architecture::Amd64,
            loader: None,
            needed: vec![],
            paths: vec![],
        };
        assert_eq!(Elf::read(&header_of(62)), Ok(expected));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_program_says_what_it_is_linked_to() {
        let here = Elf::read(&std::fs::read("/proc/self/exe").unwrap()).unwrap();
        assert_eq!(Some(here.architecture), Architecture::here());
        // Tests are linked dynamically unless the target is a static one.
        assert_eq!(
            here.loader.is_some(),
            here.needed.iter().any(|it| it.starts_with("libc."))
        );
    }

    /// The smallest file that says which processor it is for, and no more.
    fn header_of(machine: u8) -> Vec<u8> {
        let mut bytes = vec![0; 64];
        bytes[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        bytes[16] = 2;
        bytes[18] = machine;
        bytes[20] = 1;
        bytes[52] = 64;
        bytes[54] = 56;
        bytes[58] = 64;
        bytes
    }
}
