//! The service that the example `fetch` asks.

use std::net::IpAddr;
use std::path::Path;

use super::server::{Server, answer};

/// Serves the files of the example at an address of this machine, until it is dropped.
pub fn serve(address: IpAddr) -> Server {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/fetch/data");
    Server::start_at((address, 0).into(), move |asked| {
        let path = asked
            .line
            .split(' ')
            .nth(1)
            .unwrap()
            .trim_start_matches('/');
        match std::fs::read(data.join(path)) {
            Ok(bytes) => answer("200 OK", &["content-type: application/json"], &bytes),
            Err(_) => answer("404 Not Found", &[], b"no such file"),
        }
    })
}
