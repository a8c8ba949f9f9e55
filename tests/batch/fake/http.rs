//! As much of HTTP as the SDK speaks: requests with a body, answers in JSON, one connection for many.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

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

/// Answers requests to the paths below `/v1/`, for as long as this process lives; the address.
pub fn serve(answer: Arc<Answering>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            std::thread::spawn(move || converse(stream, &*answer));
        }
    });
    address
}

fn converse(stream: TcpStream, answer: &Answering) {
    let mut out = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    while let Some((path, body)) = request(&mut reader) {
        let action = path.trim_start_matches("/v1/").to_owned();
        let (status, kind, body) = match answer(&action, body) {
            Answer::Good(body) => (200, String::new(), body),
            Answer::Bad(status, kind, message) => (
                status,
                format!("x-amzn-errortype: {kind}\r\n"),
                serde_json::json!({ "message": message }),
            ),
            Answer::Lost => return,
        };
        let body = body.to_string();
        let head = format!(
            "HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\n{kind}content-length: {}\r\n\r\n",
            body.len()
        );
        if out.write_all((head + &body).as_bytes()).is_err() {
            return;
        }
    }
}

/// The path and the body of the next request; none when there is none.
fn request(reader: &mut BufReader<TcpStream>) -> Option<(String, Json)> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(':') else {
            break;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = serde_json::from_slice(&body).unwrap_or(Json::Null);
    Some((path, body))
}
