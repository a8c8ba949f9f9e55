//! As much of HTTP as the SDK speaks: requests with a body, answers in JSON, one connection for many.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde_json::Value as Json;

/// What a request is answered with.
pub enum Answer {
    Good(Json),
    /// The status, the type of the error, and what it says.
    Bad(u16, &'static str, String),
    /// Nothing: the connection ends.
    Lost,
}

/// Answers one request: what is asked for, and with what.
pub type Answering = dyn Fn(&str, Json) -> Answer + Send + Sync;

/// The time in this service, which may be another than that of this machine.
#[derive(Default)]
pub struct Clock {
    /// How many seconds it is ahead.
    pub ahead: AtomicI64,
    /// How many requests were refused for the time at which they were signed.
    pub refused: AtomicI64,
}

impl Clock {
    fn now(&self) -> i64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        now.as_secs() as i64 + self.ahead.load(Ordering::SeqCst)
    }

    /// As AWS does: what was signed more than five minutes before or after now is refused.
    fn refuse(&self, signed: &str) -> Option<Answer> {
        let (date, time) = signed.split_once('T')?;
        let text = format!(
            "{}-{}-{}T{}:{}:{}Z",
            &date[..4],
            &date[4..6],
            &date[6..],
            &time[..2],
            &time[2..4],
            &time[4..6]
        );
        let at = DateTime::from_str(&text, Format::DateTime).unwrap().secs();
        let off = self.now() - at;
        (off.abs() > 300).then(|| {
            self.refused.fetch_add(1, Ordering::SeqCst);
            let message = match off > 0 {
                true => "Signature expired: it is now earlier than",
                false => "Signature not yet current: it is still later than",
            };
            let limit = self.now() - 300 * off.signum();
            let limit = DateTime::from_secs(limit).fmt(Format::DateTime).unwrap();
            let message = format!("{message} {limit}");
            Answer::Bad(403, "InvalidSignatureException", message)
        })
    }
}

/// Answers requests to the paths below `/v1/`, for as long as this process lives; the address.
pub fn serve(clock: Arc<Clock>, answer: Arc<Answering>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (clock, answer) = (clock.clone(), answer.clone());
            std::thread::spawn(move || converse(stream, &clock, &*answer));
        }
    });
    address
}

fn converse(stream: TcpStream, clock: &Clock, answer: &Answering) {
    let mut out = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    while let Some((path, signed, body)) = request(&mut reader) {
        let action = path.trim_start_matches("/v1/").to_owned();
        let refused = clock.refuse(&signed);
        let (status, kind, body) = match refused.unwrap_or_else(|| answer(&action, body)) {
            Answer::Good(body) => (200, String::new(), body),
            Answer::Bad(status, kind, message) => (
                status,
                format!("x-amzn-errortype: {kind}\r\n"),
                serde_json::json!({ "message": message }),
            ),
            Answer::Lost => return,
        };
        let body = body.to_string();
        let date = DateTime::from_secs(clock.now())
            .fmt(Format::HttpDate)
            .unwrap();
        let head = format!(
            "HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\ndate: {date}\r\n{kind}content-length: {}\r\n\r\n",
            body.len()
        );
        if out.write_all((head + &body).as_bytes()).is_err() {
            return;
        }
    }
}

/// The path of the next request, when it was signed, and its body; none when there is none.
fn request(reader: &mut BufReader<TcpStream>) -> Option<(String, String, Json)> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let (mut length, mut signed) = (0, String::new());
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(':') else {
            break;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        }
        if name.eq_ignore_ascii_case("x-amz-date") {
            signed = value.trim().to_owned();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = serde_json::from_slice(&body).unwrap_or(Json::Null);
    Some((path, signed, body))
}
