//! The service that the example `fetch` asks.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;

/// Serves the files of the example at an address of this machine, for as long as this process lives; the URL.
pub fn serve(address: &str) -> String {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/fetch/data");
    let listener = TcpListener::bind((address, 0)).unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
                head.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            let name = head
                .split(' ')
                .nth(1)
                .unwrap_or("/")
                .trim_start_matches('/');
            let (status, body) = match std::fs::read(data.join(name)) {
                Ok(body) => ("200 OK", body),
                Err(_) => ("404 Not Found", Vec::new()),
            };
            let head = format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            // Who does not wait for the answer fails by itself.
            let _ = stream.write_all(&[head.as_bytes(), &body].concat());
        }
    });
    address
}
