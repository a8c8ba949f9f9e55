//! Requests over HTTP, to whom the step was granted: `--allow http=https://api.example.com`.
//!
//! ```
//! use serde::Deserialize;
//! use wrun_sdk::http;
//! use wrun_sdk::prelude::*;
//!
//! #[derive(Deserialize)]
//! struct Rates {
//!     eur: f64,
//! }
//!
//! fn rate(day: &str) -> Result<f64> {
//!     let rates: Rates = http::get("https://rates.example.com/v1/rates")
//!         .query("day", day)
//!         .send()?
//!         .success()?
//!         .json()?;
//!     Ok(rates.eur)
//! }
//!
//! // There is no network in a test; whatever the step asks, the test answers.
//! let answer = |request: &http::Request| {
//!     assert_eq!(request.url(), "https://rates.example.com/v1/rates?day=2026-11-23");
//!     Ok(http::Response::new(200, r#"{"eur": 0.5}"#))
//! };
//! assert_eq!(http::answering(answer, || rate("2026-11-23")).unwrap(), 0.5);
//! ```
//!
//! What is asked and what is answered is kept with the task, so that a replay needs no network: the
//! step gets the answers that it got. Redirections are not followed; [`Response::status`] and
//! [`Response::header`] tell of them. Requests are made one after the other, and an answer is there
//! when [`Request::send`] returns; its body is read in pieces.

#[allow(missing_docs, unsafe_op_in_unsafe_fn, clippy::all, clippy::unwrap_used)]
#[rustfmt::skip]
mod bindings;
mod error;
mod response;
mod url;
mod wire;

use std::cell::RefCell;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

pub use self::error::{NoAnswer, NoAnswerKind};
pub use self::response::Response;
use crate::abi;

/// A request, which is made by [`send`](Request::send).
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    method: String,
    url: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    timeout: Option<Duration>,
    /// What is wrong with it, said when it is sent.
    fault: Option<String>,
}

/// Asks for `url`.
pub fn get(url: impl AsRef<str>) -> Request {
    request("GET", url)
}

/// Asks for the header of `url` alone.
pub fn head(url: impl AsRef<str>) -> Request {
    request("HEAD", url)
}

/// Gives something to `url`, see [`Request::json`] and [`Request::body`].
pub fn post(url: impl AsRef<str>) -> Request {
    request("POST", url)
}

/// Puts something in the place of what is at `url`.
pub fn put(url: impl AsRef<str>) -> Request {
    request("PUT", url)
}

/// Removes what is at `url`.
pub fn delete(url: impl AsRef<str>) -> Request {
    request("DELETE", url)
}

/// A request with another method, e.g. `PATCH`.
pub fn request(method: &str, url: impl AsRef<str>) -> Request {
    Request {
        method: method.to_owned(),
        url: url::encoded(url.as_ref()),
        headers: Vec::new(),
        body: Vec::new(),
        timeout: None,
        fault: None,
    }
}

impl Request {
    /// The same request with one more field in its header.
    ///
    /// `host`, `connection` and others that belong to the connection are not for a step to write:
    /// a request with them is not sent.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let name = name.to_ascii_lowercase();
        self.headers.push((name, value.as_ref().to_vec()));
        self
    }

    /// The same request with `name=value` at the end of its URL, both encoded where that is needed.
    #[must_use]
    pub fn query(mut self, name: &str, value: impl fmt::Display) -> Self {
        let mark = if self.url.contains('?') { '&' } else { '?' };
        let (name, value) = (url::part(name), url::part(&value.to_string()));
        self.url += &format!("{mark}{name}={value}");
        self
    }

    /// The same request with this body; at most 16 MiB are sent.
    #[must_use]
    pub fn body(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.body = bytes.into();
        self
    }

    /// The same request with `value` as its body, in JSON.
    #[must_use]
    pub fn json<T: Serialize + ?Sized>(mut self, value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(bytes) => self.body = bytes,
            Err(error) => self.fault = Some(format!("its body is no JSON: {error}")),
        }
        match self.headers.iter().any(|(name, _)| name == "content-type") {
            true => self,
            false => self.header("content-type", "application/json"),
        }
    }

    /// The same request, given up when the other side is silent for this long: at the connection,
    /// before the answer, or within it.
    #[must_use]
    pub fn timeout(mut self, silence: Duration) -> Self {
        self.timeout = Some(silence);
        self
    }

    /// What is to be done, e.g. `GET`.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// What is asked for.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The fields of the header: names in lower case, in the order in which they were given.
    pub fn headers(&self) -> &[(String, Vec<u8>)] {
        &self.headers
    }

    /// The bytes of the body.
    pub fn body_bytes(&self) -> &[u8] {
        &self.body
    }

    /// Makes the request, and gives the answer, whatever its status.
    ///
    /// # Errors
    /// [`NoAnswer`] says why there is none. An answer of status 404 or 500 is one, see
    /// [`Response::success`].
    pub fn send(self) -> Result<Response, NoAnswer> {
        if let Some(fault) = &self.fault {
            return Err(NoAnswer::new(&self, NoAnswerKind::Unsent, fault));
        }
        if let Some(answer) = pretended(&self) {
            return Ok(answer?.to(&self));
        }
        if !abi::IN_MODULE {
            let why = "there is no network in a native test; `wrun_sdk::http::answering` takes a function that answers";
            return Err(NoAnswer::new(&self, NoAnswerKind::Unsent, why));
        }
        wire::send(&self)
    }
}

/// Method and URL, as errors name a request: a body may be long, and a header or a query may hold a
/// secret.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.method)?;
        match self.url.split_once('?') {
            Some((path, _)) => write!(f, "{path}?…"),
            None => f.write_str(&self.url),
        }
    }
}

type Answers = Box<dyn FnMut(&Request) -> Result<Response, NoAnswer>>;

thread_local! {
    static ANSWERS: RefCell<Option<Answers>> = const { RefCell::new(None) };
}

fn pretended(request: &Request) -> Option<Result<Response, NoAnswer>> {
    ANSWERS.with_borrow_mut(|answers| answers.as_mut().map(|answer| answer(request)))
}

/// Calls `does`, whose requests on this thread are answered by `answer`: for tests of steps.
///
/// An answer that there is none is made by [`NoAnswer::of`].
pub fn answering<T>(
    answer: impl FnMut(&Request) -> Result<Response, NoAnswer> + 'static,
    does: impl FnOnce() -> T,
) -> T {
    /// Puts back what was there, also when a test fails.
    struct Before(Option<Answers>);
    impl Drop for Before {
        fn drop(&mut self) {
            ANSWERS.set(self.0.take());
        }
    }
    let _before = Before(ANSWERS.replace(Some(Box::new(answer))));
    does()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_put_together() {
        let request = post("https://example.com/a b?x=ü#part")
            .query("q", "a&b=ö")
            .header("Accept", "text/csv")
            .json(&[1, 2]);
        assert_eq!(
            request.url(),
            "https://example.com/a%20b?x=%C3%BC&q=a%26b%3D%C3%B6"
        );
        assert_eq!(request.body_bytes(), b"[1,2]");
        let names: Vec<_> = request.headers().iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["accept", "content-type"]);
        assert_eq!(format!("{request:?}"), "POST https://example.com/a%20b?…");
    }

    #[test]
    fn there_is_no_network_in_a_test_and_the_error_says_what_there_is() {
        let error = get("https://example.com").send().unwrap_err();
        assert_eq!(error.kind(), NoAnswerKind::Unsent);
        assert_eq!(
            error.to_string(),
            "`GET https://example.com` has no answer: there is no network in a native test; `wrun_sdk::http::answering` takes a function that answers"
        );
    }

    #[test]
    fn a_test_answers_and_what_was_there_before_comes_back() {
        let outer = |_: &Request| Ok(Response::new(200, "outer"));
        let text = |url| get(url).send().unwrap().text().unwrap();
        answering(outer, || {
            answering(
                |_| Ok(Response::new(200, "inner")),
                || {
                    assert_eq!(text("https://example.com"), "inner");
                },
            );
            assert_eq!(text("https://example.com"), "outer");
        });
        assert!(get("https://example.com").send().is_err());
    }

    #[test]
    fn a_test_can_refuse_an_answer() {
        let refuse = |request: &Request| Err(NoAnswer::of(request, NoAnswerKind::Timeout));
        let error = answering(refuse, || get("https://example.com").send()).unwrap_err();
        assert_eq!(error.kind(), NoAnswerKind::Timeout);
    }

    #[test]
    fn what_is_no_json_is_not_sent() {
        let keys = std::collections::BTreeMap::from([((1, 2), 3)]);
        let error = post("https://example.com").json(&keys).send().unwrap_err();
        assert!(error.to_string().contains("no JSON"), "{error}");
    }
}
