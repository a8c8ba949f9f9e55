//! Abuse: guests, cells and data that mean harm, and what becomes of each.
//!
//! - `attempts`: one row for each attempt of a guest to read, write, escape or learn, made by the real `wrun`;
//!   each is refused, and the record says so.
//! - `bombs`: one for each limit, beside honest tasks in the same run.
//! - `peers`: what pretends to be a cell, and does everything that a cell that was taken over could do.
//! - `instances`: modules that act while they are loaded, or lie about what they are.
//! - `rest`: what lies in a datastore or a cache, and was made by somebody else.
//! - `decoders`: every decoder, with real data, damaged in thousands of ways. `tests/fuzz` has the same entry points for
//!   cargo-fuzz.
//! - `generated`: modules made by chance, loaded and asked what they are.
//!
//! Larger counts: `WRUN_ABUSE_PEERS`, `WRUN_ABUSE_MUTATIONS` and `WRUN_ABUSE_MODULES` say how many, e.g.
//! `WRUN_ABUSE_MODULES=20000 cargo test -p wrun --test abuse -- generated`.

#![allow(clippy::unwrap_used)]

mod attempts;
mod bombs;
#[path = "../flows/certificates.rs"]
#[allow(
    dead_code,
    reason = "the server can encrypt, which nobody asks for here"
)]
mod certificates;
mod decoders;
mod generated;
#[path = "../sandbox/harness.rs"]
#[allow(dead_code, reason = "a part of it is used here")]
mod harness;
mod instances;
mod peers;
mod rest;
#[path = "../flows/running.rs"]
mod running;
#[path = "../flows/server.rs"]
#[allow(dead_code, reason = "a part of it is used here")]
mod server;
#[path = "../flows/world.rs"]
mod world;

use wrun::datastore::Datastore;
use wrun::model::event::Event;
use wrun::model::record::Record;

/// How many cases of a kind are tried: `usual`, unless the environment says another number.
fn count(variable: &str, usual: usize) -> usize {
    let said = std::env::var(variable).ok();
    said.map_or(usual, |it| it.parse().expect("a number of cases"))
}

/// A world with one run in it.
fn lived_in() -> world::World {
    let world = world::World::new();
    let module = world::module("abuses");
    let grant = "http=http://127.0.0.1:1";
    let run = [
        "run",
        "--quiet",
        "--module",
        &module,
        "--attempts",
        "variables",
        "--neighbours",
        "7",
        "--allow",
        grant,
    ];
    world.wrun(&run).good();
    world
}

/// The attempts of the first run of `abuses` in a world: the place of each among them, and its record.
fn attempted(world: &world::World) -> Vec<(usize, Record)> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let events = runtime.block_on(async {
        let url = world.store().to_str().unwrap().parse().unwrap();
        let datastore = Datastore::open(&url).await.unwrap();
        let run = datastore.run(&"abuses/1".parse().unwrap()).await.unwrap();
        run.events().await.unwrap()
    });
    let of_attempt = |event| match event {
        Event::Finished { task, record, .. } if task.step.as_str() == "attempt" => {
            Some((task.place.to_string().parse().unwrap(), *record))
        }
        _ => None,
    };
    events.into_iter().filter_map(of_attempt).collect()
}
