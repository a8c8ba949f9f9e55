//! A module that opens a connection.

#[rustfmt::skip]
#[path = "../../../guest-sdk/src/bindings.rs"]
#[allow(missing_docs, clippy::all, warnings)]
mod bindings;

use bindings::wrun::flow::types::{Definition, Failure, Outcome};

struct Flow;

impl bindings::Guest for Flow {
    fn describe() -> Definition {
        let connected = std::net::TcpStream::connect("127.0.0.1:1").is_ok();
        Definition {
            name: connected.to_string(),
            docs: String::new(),
            sdk: String::new(),
            parameters: Vec::new(),
            steps: Vec::new(),
        }
    }

    fn run(_: String) -> Result<Outcome, Failure> {
        Ok(Outcome::Done)
    }
}

bindings::export_flow!(Flow with_types_in bindings);
