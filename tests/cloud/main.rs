//! Datastores in S3 over good wires and bad ones, and real containers, on a server that the tests start.
//!
//! Where moto is not installed, or no container engine runs, these tests say so and do nothing; under
//! `CI=true` they fail then.

#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_methods, reason = "a server has a time of its own")]

mod batch;
#[path = "cloud.rs"]
mod cloud;
mod container;
mod docker;
#[path = "moto.rs"]
mod moto;
mod objects;
mod refused;
#[path = "../flows/running.rs"]
mod running;
mod runs;
mod secrets;
mod stack;
mod template;
#[path = "wire.rs"]
mod wire;
#[path = "../flows/world.rs"]
mod world;

use moto::Moto;

/// A server with a bucket.
fn server() -> Option<Moto> {
    let moto = Moto::start()?;
    moto.bucket("bucket");
    Some(moto)
}

#[test]
fn the_server_makes_buckets_and_ends_when_it_is_dropped() {
    let Some(moto) = Moto::start() else {
        return;
    };
    moto.bucket("some-bucket");
    assert_eq!(moto.request("GET", "/some-bucket").0, 200);
    moto.reset();
    assert_eq!(moto.request("GET", "/some-bucket").0, 404);
    let port = moto.port();
    drop(moto);
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
}
