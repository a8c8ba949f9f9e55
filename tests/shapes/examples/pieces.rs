//! Blobs that are written and read in pieces, and reports.

use std::io::{BufRead, Seek, SeekFrom, Write};

use wrun_sdk::prelude::*;

/// Writes a table larger than the memory of a step may hold, and reads it back.
#[flow]
mod pieces {
    use super::*;

    #[derive(Artifacts)]
    struct Written {
        table: Blob,
        small: Blob,
        page: Report,
        picture: Report,
    }

    #[derive(Artifacts)]
    struct Checked {
        seen: u64,
        bytes: u64,
        middle: String,
        copy: Blob,
        page: Report,
    }

    #[step(next = "check", resources(memory = "16MiB"))]
    fn start(#[param(default = 1_000_000)] rows: u64) -> Result<Written> {
        let mut table = Blob::writer().with_media_type("text/csv");
        writeln!(table, "n,square")?;
        for n in 0..rows {
            writeln!(table, "{n:08},{:017}", n * n)?;
        }
        let page = report!(html: "<p>{} bytes</p>", table.len());
        Ok(Written {
            table: table.finish(),
            small: Blob::from_bytes(vec![0, 255]),
            page,
            picture: report!(svg: "<svg xmlns='http://www.w3.org/2000/svg'/>"),
        })
    }

    #[step(next = "end", resources(memory = "16MiB"))]
    fn check(table: Blob, rows: u64) -> Result<Checked> {
        let copy = table.clone();
        let bytes = table.len();
        let mut seen = 0;
        for (n, line) in table.clone().lines().skip(1).enumerate() {
            let n = n as u64;
            ensure!(line? == format!("{n:08},{:017}", n * n), "row {n} is wrong");
            seen += 1;
        }
        let mut table = table;
        table.seek(SeekFrom::Start(9 + rows / 2 * 27))?;
        let mut middle = String::new();
        table.read_line(&mut middle)?;
        let last = String::from_utf8(copy.read_at(bytes - 27, 100)?)?;
        ensure!(
            last.starts_with(&format!("{:08},", rows - 1)),
            "the last row is `{last}`"
        );
        Ok(Checked {
            seen,
            bytes,
            middle: middle.trim_end().to_owned(),
            copy,
            page: report!("# {seen} rows"),
        })
    }

    /// Does nothing more, for ever if asked to.
    #[step]
    fn end(#[param(default = false)] stay: bool) {
        wrun_test_shapes::stay(stay);
    }
}
