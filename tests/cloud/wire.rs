//! A bad wire: passes requests on to a server, and does with them and their answers what a plan says.
//!
//! Only the standard library is used here, so that any test can take this file in by `#[path]`.

#![allow(dead_code, reason = "each test target uses a part of it")]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// What happens to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It never arrives, and this is the answer: a status, headers, a body.
    Answer(u16, &'static str, String),
    /// The connection ends before it arrives.
    Reset,
    /// It arrives, and the connection ends before the answer.
    Lost,
    /// It arrives, and the answer ends in its middle.
    Short,
}

impl Fault {
    /// An error as S3 says it.
    pub fn error(status: u16, code: &str) -> Self {
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>told to fail</Message></Error>"
        );
        Self::Answer(status, "", body)
    }
}

/// Decides by a request's number, from 0, and its first line.
pub type Plan = Arc<dyn Fn(u64, &str) -> Option<Fault> + Send + Sync>;

/// A bad wire to a server on this machine. Its threads end with the process.
pub struct Wire {
    port: u16,
    faults: Arc<AtomicU64>,
    heads: Arc<Mutex<Vec<String>>>,
}

/// How many heads of requests are kept.
const KEPT: usize = 1000;

impl Wire {
    /// A wire to the server on `server`.
    pub fn to(server: u16, plan: Plan) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("the system has a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let faults = Arc::new(AtomicU64::new(0));
        let (next, count) = (Arc::new(AtomicU64::new(0)), faults.clone());
        let heads = Arc::new(Mutex::new(Vec::new()));
        let kept = heads.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (plan, next, count) = (plan.clone(), next.clone(), count.clone());
                let kept = kept.clone();
                // A connection that breaks is a fault too.
                std::thread::spawn(move || pass(client, server, &plan, (&next, &count, &kept)));
            }
        });
        Self {
            port,
            faults,
            heads,
        }
    }

    /// Where programs on this machine find it.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The heads of the first requests: their lines in lower case.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("nobody panics with it").clone()
    }

    /// How many faults there were.
    pub fn faults(&self) -> u64 {
        self.faults.load(Ordering::SeqCst)
    }
}

/// A plan by which `percent` of the requests fail, each in one of the ways in which they do.
pub fn script(seed: u64, percent: u64) -> Plan {
    Arc::new(move |number, line| {
        let mut mixed = (seed << 32 | number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let conditional = line.starts_with("PUT ") && !line.contains("partNumber");
        (mixed % 100 < percent).then(|| match (mixed >> 32) % 7 {
            0 => Fault::error(500, "InternalError"),
            1 => Fault::error(503, "SlowDown"),
            2 => Fault::Reset,
            3 => Fault::Short,
            4 if conditional => Fault::error(409, "ConditionalRequestConflict"),
            // An error inside of an answer that began well: how parts are refused to be joined.
            5 if line.contains("uploadId") && line.starts_with("POST ") => {
                Fault::error(200, "InternalError")
            }
            _ => Fault::Lost,
        })
    })
}

fn pass(
    client: TcpStream,
    server: u16,
    plan: &Plan,
    (next, faults, heads): (&AtomicU64, &AtomicU64, &Mutex<Vec<String>>),
) -> io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut client = client;
    let request = request(&mut reader, &mut client)?;
    let line = String::from_utf8_lossy(&request);
    let head = line.split("\r\n\r\n").next().unwrap_or_default();
    let mut kept = heads.lock().expect("nobody panics with it");
    if kept.len() < KEPT {
        kept.push(head.to_lowercase());
    }
    drop(kept);
    let line = line.lines().next().unwrap_or_default();
    let fault = plan(next.fetch_add(1, Ordering::SeqCst), line);
    if fault.is_some() {
        faults.fetch_add(1, Ordering::SeqCst);
    }
    match fault {
        Some(Fault::Reset) => return Ok(()),
        Some(Fault::Answer(status, headers, body)) => {
            let head = format!(
                "HTTP/1.1 {status} Said\r\nContent-Type: application/xml\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            return client.write_all(&[head.as_bytes(), body.as_bytes()].concat());
        }
        _ => {}
    }
    let mut to = TcpStream::connect(("127.0.0.1", server))?;
    to.write_all(&request)?;
    let mut answer = Vec::new();
    to.read_to_end(&mut answer)?;
    match fault {
        Some(Fault::Lost) => Ok(()),
        Some(Fault::Short) => client.write_all(&answer[..answer.len() * 2 / 3]),
        _ => client.write_all(&answer),
    }
}

/// Reads one request, and asks for its body where the client waits to be asked.
fn request(reader: &mut impl BufRead, client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut request = Vec::new();
    let mut length = 0;
    loop {
        let mut line = Vec::new();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let text = String::from_utf8_lossy(&line).to_lowercase();
        if let Some(value) = text.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if text.starts_with("expect:") {
            client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
            continue;
        }
        if text.starts_with("connection:") {
            continue;
        }
        if line == b"\r\n" {
            request.extend_from_slice(b"Connection: close\r\n\r\n");
            break;
        }
        request.extend_from_slice(&line);
    }
    let head = request.len();
    request.resize(head + length, 0);
    reader.read_exact(&mut request[head..])?;
    Ok(request)
}
