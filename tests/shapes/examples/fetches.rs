//! A flow that asks over HTTP, one way after the other.

use std::time::Duration;

use wrun_sdk::http::{self, NoAnswerKind};
use wrun_sdk::prelude::*;

/// Asks, and says what was answered.
#[flow]
mod fetches {
    use super::*;

    #[derive(Artifacts)]
    struct Asked {
        /// The URL, the status and the length of each answer.
        lines: Vec<String>,
        /// The last answer.
        last: Blob,
    }

    #[derive(Artifacts)]
    struct Total {
        bytes: u64,
    }

    /// Asks for all URLs; of one without an answer the kind of reason is told, or it is the end.
    #[step(next = "end")]
    fn start(
        #[param] urls: Vec<String>,
        #[param(default = "GET")] method: String,
        #[param(default = "")] body: String,
        #[param(default = "")] header: String,
        #[param(default = 0)] patience_ms: u64,
        #[param(default = false)] tell: bool,
    ) -> Result<Asked> {
        let mut lines = Vec::new();
        let mut last = Blob::from_bytes([]);
        for url in urls {
            let mut request = http::request(&method, &url).body(body.clone());
            if let Some((name, value)) = header.split_once(": ") {
                request = request.header(name, value);
            }
            if patience_ms > 0 {
                request = request.timeout(Duration::from_millis(patience_ms));
            }
            match request.send() {
                Ok(answer) => {
                    let (status, kind) = (answer.status(), answer.header("content-type"));
                    let (kind, place) = (kind.unwrap_or("-"), answer.header("location"));
                    let (kind, place) = (kind.to_owned(), place.unwrap_or("-").to_owned());
                    let blob = Blob::from_bytes(answer.bytes()?);
                    lines.push(format!("{status} {kind} {place} {} bytes", blob.len()));
                    last = blob;
                }
                Err(error) if tell => lines.push(format!("{:?}", error.kind())),
                Err(error) if error.kind() == NoAnswerKind::Denied => {
                    return Err(Error::from(error).fatal());
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Asked { lines, last })
    }

    /// Reads nothing but artifacts.
    #[step]
    fn end(last: Blob) -> Total {
        Total { bytes: last.len() }
    }
}
