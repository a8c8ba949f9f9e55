//! A module that opens a connection.

mod made;

use made::bindings::wrun::flow::types::Definition;
use made::{Describe, bindings, named};

struct Flow;

impl Describe for Flow {
    fn describe() -> Definition {
        let connected = std::net::TcpStream::connect("127.0.0.1:1").is_ok();
        named(connected.to_string())
    }
}

bindings::export_flow!(Flow with_types_in bindings);
