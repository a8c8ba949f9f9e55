//! How much memory runs take: that of what they work on, and not that of all they have done.

use rustix::process::{Pid, Signal};

use super::running::{Running, peak_mib};
use super::*;

/// Runs a flow until its step `end`, which then stays, and gives the most memory, in MiB, that
/// wrun and the largest of its cells had so far.
fn peaks(world: &World, flow: &str, arguments: &[&str]) -> (u64, u64) {
    let stay = [arguments, &["--stay", "--max-workers", "1"]].concat();
    let mut running = Running::start(world, flow, &stay);
    running.until("started", "end");
    let cells: Vec<Pid> = running.cells();
    let cell = cells.into_iter().map(peak_mib).max().unwrap();
    let own = peak_mib(running.id());
    running.signal(Signal::INT);
    running.until("cancel_requested", "");
    running.signal(Signal::INT);
    assert_eq!(running.end().1, Some(i32::from(wrun::cli::exit::CANCELLED)));
    (own, cell)
}

#[test]
fn a_join_reads_thousands_of_branches_one_at_a_time() {
    let world = World::new();
    world.write("wrun.toml", "steps.sum.memory = \"16MiB\"\n");
    // 2000 words of 80 kB are 160 MB.
    let (own, cell) = peaks(&world, "foreach", &["--n", "2000", "--width", "80000"]);
    assert_eq!(world.value("foreach/1/sum/branches"), 2000);
    assert_eq!(world.value("foreach/1/sum/letters"), 2000 * 80_000 + 6_890);
    assert_eq!(world.value("foreach/1/sum/sum"), 2_664_667_000_u64);
    assert!(own < 80 && cell < 80, "{own} MiB, {cell} MiB in a cell");
}

#[test]
fn blobs_are_written_and_read_in_pieces() {
    let world = World::new();
    // A table of 108 MB, through steps of 16 MiB.
    let (own, cell) = peaks(&world, "pieces", &["--rows", "4000000"]);
    assert_eq!(world.value("pieces/1/check/seen"), 4_000_000);
    assert_eq!(world.value("pieces/1/check/bytes"), 108_000_009);
    let middle = "02000000,00004000000000000";
    assert_eq!(world.value("pieces/1/check/middle"), middle);
    assert!(own < 80 && cell < 80, "{own} MiB, {cell} MiB in a cell");
    // Passed on under another name it is the same blob, and it comes back whole.
    let get = |artifact: &str, file: &str| {
        world
            .wrun(&["get", &format!("pieces/1/{artifact}"), "-o", file])
            .good();
        std::fs::read(world.path().join(file)).unwrap()
    };
    let table = get("start/table", "table");
    assert_eq!(table.len(), 108_000_009);
    assert!(table == get("check/copy", "copy"));
    let small = world.json(&["get", "pieces/1/start/small"]);
    assert_eq!(small["base64"], "AP8=");
}
