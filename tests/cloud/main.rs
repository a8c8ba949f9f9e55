//! Datastores in S3 over good wires and bad ones, and real containers, on a server that the tests start.
//!
//! Where moto is not installed, or no container engine runs, these tests say so and do nothing; under
//! `CI=true` they fail then.
//!
//! `WRUN_TEST_CONTAINERS=N` says how many containers the widest foreach has: twenty when it is not set, two hundred
//! under `CI=true`. That test is alone with them (`crowd`): two hundred put a load of 280 on a machine of two
//! processors, take two minutes there, and need 2 GiB of memory.

#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_methods, reason = "a server has a time of its own")]

#[path = "../flows/another.rs"]
mod another;
mod batch;
#[path = "../flows/certificates.rs"]
#[allow(
    dead_code,
    reason = "the server can encrypt, which nobody asks for here"
)]
mod certificates;
#[path = "cloud.rs"]
mod cloud;
mod container;
mod crowd;
mod docker;
#[path = "moto.rs"]
mod moto;
mod objects;
mod refused;
#[path = "../flows/running.rs"]
mod running;
mod runs;
mod secrets;
#[path = "../flows/server.rs"]
#[allow(dead_code, reason = "a part of it is used here")]
mod server;
mod stack;
mod template;
#[path = "../flows/weather.rs"]
mod weather;
#[path = "wire.rs"]
mod wire;
#[path = "../flows/world.rs"]
mod world;

use crowd::Beside;
use moto::Moto;

/// A server beside those of other tests.
struct Server {
    moto: Moto,
    _others: Beside,
}

impl std::ops::Deref for Server {
    type Target = Moto;

    fn deref(&self) -> &Moto {
        &self.moto
    }
}

/// A server with nothing in it.
fn empty_server() -> Option<Server> {
    let _others = crowd::beside();
    let moto = Moto::start()?;
    Some(Server { moto, _others })
}

/// A server with a bucket.
fn server() -> Option<Server> {
    let it = empty_server()?;
    it.bucket("bucket");
    Some(it)
}

#[test]
fn the_server_makes_buckets_and_ends_when_it_is_dropped() {
    let _others = crowd::beside();
    let Some(moto) = Moto::start() else { return };
    moto.bucket("some-bucket");
    assert_eq!(moto.request("GET", "/some-bucket").0, 200);
    moto.reset();
    assert_eq!(moto.request("GET", "/some-bucket").0, 404);
    let port = moto.port();
    drop(moto);
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
}
