//! Answers.

use std::fmt;
use std::io::{self, Cursor, Read};

use serde::de::DeserializeOwned;

use super::Request;
use super::wire::Stream;
use crate::blob::{Blob, BlobWriter};
use crate::error::{Context, Error, Result};

/// How much of an answer an error shows, in bytes.
const SHOWN: usize = 300;

/// An answer: its status, its header, and its body, which is read once, whole or in pieces.
pub struct Response {
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    body: Body,
    /// What it answers.
    request: String,
}

enum Body {
    Memory(Cursor<Vec<u8>>),
    Stream(Stream),
}

impl Response {
    /// An answer of this status, for tests of steps.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Body::Memory(Cursor::new(body.into())),
            request: String::new(),
        }
    }

    /// The same answer with one more field in its header, for tests of steps.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let name = name.to_ascii_lowercase();
        self.headers.push((name, value.as_ref().to_vec()));
        self
    }

    pub(super) fn of(status: u16, headers: Vec<(String, Vec<u8>)>, stream: Stream) -> Self {
        Self {
            status,
            headers,
            body: Body::Stream(stream),
            request: String::new(),
        }
    }

    pub(super) fn to(mut self, request: &Request) -> Self {
        self.request = format!("{request:?}");
        self
    }

    /// The status, e.g. 200.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Whether the status is one of success: 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The fields of the header: names in lower case, in the order in which they came.
    pub fn headers(&self) -> &[(String, Vec<u8>)] {
        &self.headers
    }

    /// The first value of a field, when it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.headers.iter();
        let found = fields.find(|(field, _)| field.eq_ignore_ascii_case(name));
        found.and_then(|(_, value)| std::str::from_utf8(value).ok())
    }

    /// The same answer.
    ///
    /// # Errors
    /// When its status is not one of success; the error has the status and the beginning of the body. It is
    /// final for 400 to 499, which another attempt would meet again, but for 408, 425 and 429.
    pub fn success(mut self) -> Result<Self> {
        if self.is_success() {
            return Ok(self);
        }
        let mut start = Vec::new();
        (&mut self).take(SHOWN as u64).read_to_end(&mut start)?;
        let text = String::from_utf8_lossy(&start);
        let text = text.trim();
        let mut error = Error::new(format_args!(
            "`{}` was answered with status {}",
            self.request, self.status
        ));
        if !text.is_empty() {
            error = Error::new(text).context(error);
        }
        let passing = matches!(self.status, 408 | 425 | 429);
        Err(match (400..500).contains(&self.status) && !passing {
            true => error.fatal(),
            false => error,
        })
    }

    /// The rest of the body.
    ///
    /// # Errors
    /// When it does not fit into memory; [`blob`](Response::blob) needs no more than a piece.
    pub fn bytes(mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// The rest of the body as text.
    ///
    /// # Errors
    /// As for [`bytes`](Response::bytes), and when it is not UTF-8.
    pub fn text(self) -> Result<String> {
        let said = format!("the answer to `{}` is not UTF-8", self.request);
        String::from_utf8(self.bytes()?).context(said)
    }

    /// The rest of the body as a value in JSON.
    ///
    /// # Errors
    /// As for [`bytes`](Response::bytes), and when it is no such value.
    pub fn json<T: DeserializeOwned>(self) -> Result<T> {
        let said = format!(
            "the answer to `{}` is not the JSON that was expected",
            self.request
        );
        serde_json::from_slice(&self.bytes()?).context(said)
    }

    /// The rest of the body as a blob, which becomes an artifact when the step returns it.
    ///
    /// Only a piece of it is ever in the step's memory.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn blob(mut self) -> Result<Blob> {
        let kind = self.header("content-type").map(str::to_owned);
        let mut writer = BlobWriter::new();
        if let Some(kind) = kind {
            writer = writer.with_media_type(&kind);
        }
        io::copy(&mut self, &mut writer)?;
        Ok(writer.finish())
    }
}

impl Read for Response {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.body {
            Body::Memory(bytes) => bytes.read(buffer),
            Body::Stream(stream) => stream.read(buffer),
        }
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, body: &str) -> Response {
        let request = super::super::get("https://example.com");
        Response::new(status, body)
            .with_header("Content-Type", "text/csv")
            .to(&request)
    }

    #[test]
    fn a_body_is_read_in_every_form() {
        assert_eq!(answered(200, "[1, 2]").json::<Vec<u8>>().unwrap(), [1, 2]);
        assert_eq!(answered(200, "a").text().unwrap(), "a");
        let blob = answered(200, "a,b\n").blob().unwrap();
        assert_eq!((blob.len(), blob.media_type()), (4, "text/csv".to_owned()));
        assert_eq!(answered(200, "").header("CONTENT-type"), Some("text/csv"));
    }

    #[test]
    fn what_is_no_success_says_so_and_is_final_where_another_attempt_is_of_no_use() {
        assert_eq!(answered(204, "").success().unwrap().status(), 204);
        let error = answered(404, "no such day\n").success().unwrap_err();
        assert_eq!(
            error.to_string(),
            "`GET https://example.com` was answered with status 404"
        );
        assert_eq!(error.causes(), ["no such day"]);
        let is_final = |status| answered(status, "").success().unwrap_err().is_fatal();
        assert_eq!(
            [302, 400, 404, 408, 429, 500, 503].map(is_final),
            [false, true, true, false, false, false, false]
        );
    }

    #[test]
    fn what_is_not_the_json_says_whose_answer_it_was() {
        let error = answered(200, "{").json::<u8>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "the answer to `GET https://example.com` is not the JSON that was expected"
        );
    }
}
