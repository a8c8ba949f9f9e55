//! A server for one test: what it answers to which path, and what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::certificates::Certificates;

/// A request as it came: its first line, its header, its body.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub line: String,
    pub header: Vec<String>,
    pub body: Vec<u8>,
}

/// What a path is answered with, byte for byte, before the connection is closed.
type Answers = dyn Fn(&Asked) -> Vec<u8> + Send + Sync;

/// A server that runs until it is dropped.
pub struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub fn start(answers: impl Fn(&Asked) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), answers)
    }

    /// A server with a certificate for which the authority of `certificates` vouches.
    pub fn start_encrypted(
        certificates: &Certificates,
        answers: impl Fn(&Asked) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        let certificate = CertificateDer::from_pem_file(certificates.file("server.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(certificates.file("server.key")).unwrap();
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key);
        let config = Arc::new(config.unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self::listen(listener, answers, move |stream| {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            Box::new(StreamOwned::new(connection, stream))
        })
    }

    /// A server at an address that another one may have had before.
    pub fn start_at(
        address: SocketAddr,
        answers: impl Fn(&Asked) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        Self::listen(listener, answers, |stream| Box::new(stream))
    }

    fn listen(
        listener: TcpListener,
        answers: impl Fn(&Asked) -> Vec<u8> + Send + Sync + 'static,
        dress: impl Fn(TcpStream) -> Box<dyn Line> + Send + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let (asked, stopped) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let (theirs, end) = (Arc::clone(&asked), Arc::clone(&stopped));
        let answers: Arc<Answers> = Arc::new(answers);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                let (theirs, answers) = (Arc::clone(&theirs), Arc::clone(&answers));
                let line = dress(stream.unwrap());
                std::thread::spawn(move || serve(line, &theirs, &*answers));
            }
        });
        Self {
            address,
            asked,
            stopped,
            thread: Some(thread),
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

/// A connection, encrypted or not. Ends when it is dropped.
trait Line: Read + Write + Send {}

impl<T: Read + Write + Send> Line for T {}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for a connection.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(mut stream: Box<dyn Line>, asked: &Mutex<Vec<Asked>>, answers: &Answers) {
    let Some(request) = read(&mut stream) else {
        return;
    };
    asked.lock().unwrap().push(request.clone());
    // Whoever asked may have had enough.
    let _ = stream
        .write_all(&answers(&request))
        .and_then(|()| stream.flush());
    if request.line.contains("/silence") {
        // Until the other side gives up: nothing here waits for a time.
        let _ = stream.read(&mut [0]);
    }
}

fn read(stream: &mut Box<dyn Line>) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut asked = Asked::default();
    reader.read_line(&mut asked.line).ok()?;
    asked.line = asked.line.trim_end().to_owned();
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some(digits) = line.strip_prefix("content-length: ") {
            length = digits.parse().unwrap();
        }
        asked.header.push(line.to_owned());
    }
    asked.body = vec![0; length];
    reader.read_exact(&mut asked.body).ok()?;
    Some(asked)
}

/// An answer of this status, with these lines in its header.
pub fn answer(status: &str, header: &[&str], body: &[u8]) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n", body.len());
    for line in header {
        text += &format!("{line}\r\n");
    }
    let mut bytes = (text + "\r\n").into_bytes();
    bytes.extend_from_slice(body);
    bytes
}
