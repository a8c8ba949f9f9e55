//! Files, where they are granted.

use std::fmt::{Debug, Write as _};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::bindings::wrun::flow::types::Failure;
use crate::{Ended, Step, out};

pub(crate) const STEPS: &[Step] = &[
    ("scratch_files", || told(scratch_files())),
    ("scratch_full", || told(scratch_full())),
    ("scratch_overflow", scratch_overflow),
    ("scratch_fresh", || told(scratch_fresh())),
    ("scratch_escape", || told(scratch_escape())),
    ("read_directory", || told(read_directory())),
    ("change_directory", || told(change_directory())),
    ("read_in_pieces", || told(read_in_pieces())),
];

fn told(result: io::Result<String>) -> Ended {
    out(result.unwrap_or_else(|error| format!("failed: {error}")))
}

fn kind<T: Debug>(result: io::Result<T>) -> ErrorKind {
    result.expect_err("it is refused").kind()
}

/// The paths below `directory`, in the order in which they are listed.
fn walk(directory: &Path, into: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        into.push(entry.path());
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), into)?;
        }
    }
    Ok(())
}

fn listed(directory: &str) -> io::Result<String> {
    let mut paths = Vec::new();
    walk(Path::new(directory), &mut paths)?;
    let texts: Vec<_> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    Ok(texts.join(" "))
}

/// What programs do with temporary files.
fn scratch_files() -> io::Result<String> {
    let mut text = String::new();
    let mut say = |what: &str| writeln!(text, "{what}").expect("text can be written to a string");
    fs::create_dir_all("/tmp/work/deep")?;
    for name in ["b", "a", "c"] {
        fs::write(format!("/tmp/work/{name}"), name.repeat(3))?;
    }
    say(&listed("/tmp")?);
    let mut file = OpenOptions::new().append(true).open("/tmp/work/a")?;
    file.write_all(b" more")?;
    say(&fs::read_to_string("/tmp/work/a")?);
    let mut file = File::options().read(true).write(true).open("/tmp/work/b")?;
    file.seek(SeekFrom::End(2))?;
    file.write_all(b"end")?;
    file.seek(SeekFrom::Start(1))?;
    let mut rest = Vec::new();
    file.read_to_end(&mut rest)?;
    file.set_len(2)?;
    say(&format!("{rest:?} {}", file.metadata()?.len()));
    fs::rename("/tmp/work/c", "/tmp/work/deep/moved")?;
    fs::copy("/tmp/work/deep/moved", "/tmp/work/copy")?;
    fs::hard_link("/tmp/work/copy", "/tmp/work/twin")?;
    fs::remove_file("/tmp/work/copy")?;
    say(&fs::read_to_string("/tmp/work/twin")?);
    say(&listed("/tmp/work")?);
    let metadata = fs::metadata("/tmp/work/twin")?;
    say(&format!(
        "{:?} {}",
        metadata.modified()?,
        metadata.is_file()
    ));
    say(&format!("{:?}", kind(fs::remove_dir("/tmp/work"))));
    say(&format!("{:?}", kind(File::create_new("/tmp/work/twin"))));
    say(&format!("{:?}", kind(fs::read("/tmp/none"))));
    fs::remove_dir_all("/tmp/work")?;
    say(&format!("{:?}", listed("/tmp")?));
    Ok(text)
}

/// Writes until nothing fits.
fn scratch_full() -> io::Result<String> {
    let mut file = File::create("/tmp/large")?;
    let piece = [7_u8; 10_000];
    let mut pieces = 0;
    let error = loop {
        match file.write_all(&piece) {
            Ok(()) => pieces += 1,
            Err(error) => break error,
        }
    };
    fs::remove_file("/tmp/large")?;
    Ok(format!("{pieces} {error}"))
}

/// Fails because nothing fits.
fn scratch_overflow() -> Ended {
    let error = fs::write("/tmp/large", vec![7; 2 << 20]).expect_err("it does not fit");
    Err(Failure {
        retryable: true,
        message: "the table cannot be sorted".into(),
        causes: vec![error.to_string()],
    })
}

fn scratch_fresh() -> io::Result<String> {
    let before = listed("/tmp")?;
    fs::write("/tmp/left", "behind")?;
    Ok(format!("{before:?}"))
}

fn scratch_escape() -> io::Result<String> {
    let all = ["/tmp/../etc/passwd", "/etc/passwd", "/", "../etc/passwd"];
    let kinds = all.map(|path| format!("{:?}", kind(fs::read(path))));
    Ok(kinds.join(" "))
}

fn read_directory() -> io::Result<String> {
    let mut text = listed("/corpus")?;
    for path in ["/corpus/a.txt", "/corpus/sub/b.txt"] {
        let metadata = fs::metadata(path)?;
        let bytes = fs::read(path)?;
        let sum: u64 = bytes.iter().map(|byte| u64::from(*byte)).sum();
        let time = metadata.modified()?;
        write!(
            text,
            "\n{path} {} {} {sum} {time:?}",
            metadata.len(),
            bytes.len()
        )
        .expect("text can be written to a string");
    }
    for path in ["/corpus/none", "/corpus/a.txt/x", "/other/a.txt"] {
        write!(text, "\n{path} {:?}", kind(fs::read(path)))
            .expect("text can be written to a string");
    }
    Ok(text)
}

fn change_directory() -> io::Result<String> {
    let kinds = [
        kind(fs::write("/corpus/new", "x")),
        kind(fs::write("/corpus/a.txt", "x")),
        kind(fs::remove_file("/corpus/a.txt")),
        kind(fs::create_dir("/corpus/new")),
        kind(fs::rename("/corpus/a.txt", "/corpus/b.txt")),
        kind(fs::rename("/corpus/a.txt", "/tmp/a.txt")),
    ];
    Ok(format!("{kinds:?}"))
}

/// Reads a file here and there, and from one end to the other.
fn read_in_pieces() -> io::Result<String> {
    let mut file = File::open("/corpus/a.txt")?;
    let mut bytes = [0; 4];
    let mut text = String::new();
    for at in [2_999_998, 0, 1_500_000] {
        file.seek(SeekFrom::Start(at))?;
        let read = file.read(&mut bytes)?;
        write!(text, "{:?} ", &bytes[..read]).expect("text can be written to a string");
    }
    file.seek(SeekFrom::Start(0))?;
    let mut reader = io::BufReader::new(file);
    let copied = io::copy(&mut reader, &mut io::sink())?;
    Ok(format!("{text}{copied}"))
}
