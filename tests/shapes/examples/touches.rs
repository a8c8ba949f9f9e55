//! A flow that touches more than artifacts: a directory, scratch files, variables.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use wrun_sdk::prelude::*;

/// The size of every file in `directory`, by its path; the larger ones are counted in bytes read.
fn sizes(directory: &Path, into: &mut BTreeMap<String, u64>) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sizes(&entry.path(), into)?;
        } else {
            let bytes = fs::read(entry.path())?;
            into.insert(entry.path().display().to_string(), bytes.len() as u64);
        }
    }
    Ok(())
}

/// Looks around.
#[flow]
mod touches {
    use super::*;

    #[derive(Artifacts)]
    struct Seen {
        sizes: BTreeMap<String, u64>,
    }

    #[derive(Artifacts)]
    struct Sorted {
        sorted: Vec<String>,
        variables: Vec<String>,
    }

    #[step(next = "sort")]
    fn look() -> Result<Seen> {
        let mut sizes = BTreeMap::new();
        super::sizes(Path::new("/corpus"), &mut sizes).context("the corpus cannot be read")?;
        println!("{} files", sizes.len());
        Ok(Seen { sizes })
    }

    /// Makes a file for each name, and lists them.
    #[step]
    fn sort(sizes: BTreeMap<String, u64>) -> Result<Sorted> {
        let names = sizes
            .keys()
            .rev()
            .filter_map(|path| path.rsplit('/').next());
        for name in names {
            fs::write(Path::new("/tmp").join(name), name)?;
        }
        let mut sorted = Vec::new();
        for entry in fs::read_dir("/tmp")? {
            sorted.push(fs::read_to_string(entry?.path())?);
        }
        // Of a secret nothing but its length is shown.
        let shown = |(name, value): (String, String)| match name.as_str() {
            "TOKEN" => format!("{name} has {} bytes", value.len()),
            _ => format!("{name}={value}"),
        };
        let variables = std::env::vars().map(shown).collect();
        Ok(Sorted { sorted, variables })
    }
}
