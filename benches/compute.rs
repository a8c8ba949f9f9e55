//! The speed of guest code: one source, native, in bare wasmtime, and in a step of `wrun`.
//!
//! `cargo bench --bench compute` prints a table. Times are processor times of the executing thread,
//! medians of rounds in which the three take turns, so other work on the machine matters little.

// Each bench uses its part of these.
#[allow(dead_code)]
#[path = "budgets/place.rs"]
mod place;
#[allow(dead_code)]
#[path = "budgets/table.rs"]
mod table;

use std::hint::black_box;
use std::path::Path;

use bench_kernels::KERNELS;
use wasmtime::component::{Component, InstancePre, Linker, ResourceTable};
use wasmtime::{Engine, Store};
use wasmtime_wasi::p2::bindings::sync::CommandPre;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use place::{Place, Watch};
use table::median;

const ROUNDS: usize = 7;
/// How much slower than bare wasmtime a step may be: what repeated runs differ by.
const NOISE: f64 = 1.03;

struct State {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

/// `bench-bare` in an engine as wasmtime gives it to whoever sets nothing.
struct Bare {
    engine: Engine,
    command: InstancePre<State>,
}

impl Bare {
    fn new(module: &Path) -> Self {
        let engine = Engine::default();
        let component = Component::from_file(&engine, module).expect("it compiles");
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_sync(&mut linker).expect("WASI");
        let command = linker.instantiate_pre(&component).expect("it links");
        Self { engine, command }
    }

    /// Runs one kernel; the time includes making the instance, as in a step.
    fn run(&self, name: &str, size: u32) -> f64 {
        let command = CommandPre::new(self.command.clone()).expect("a command");
        let mut wasi = WasiCtx::builder();
        wasi.args(&["bench-bare", name, &size.to_string()]);
        let state = State {
            wasi: wasi.build(),
            table: ResourceTable::new(),
        };
        cpu_ms(|| {
            let mut store = Store::new(&self.engine, state);
            let instance = command.instantiate(&mut store).expect("an instance");
            let run = instance.wasi_cli_run().call_run(&mut store);
            run.expect("no trap").expect("it succeeds");
        })
    }
}

/// The processor time that this thread spends with `work`, in milliseconds.
fn cpu_ms(work: impl FnOnce()) -> f64 {
    let now = || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
    };
    let start = now();
    work();
    now() - start
}

fn main() {
    let modules = place::modules(&["bench-compute", "bench-kernels"]);
    let flow = modules.join("bench_compute.wasm");
    let flow = flow.to_str().expect("a plain path");
    let bare = Bare::new(&modules.join("bench-bare.wasm"));
    let place = Place::new();
    place.wrun(&["run", "--module", flow], Watch::Time);

    // Times of the kernels in each round: native, bare, step.
    let mut times: Vec<[Vec<f64>; 3]> = vec![Default::default(); KERNELS.len()];
    println!("load {} before the first run", table::load());
    for _ in 0..ROUNDS {
        for (of, (name, size)) in times.iter_mut().zip(KERNELS) {
            of[0].push(cpu_ms(|| {
                black_box(bench_kernels::run(black_box(name), black_box(size)));
            }));
            of[1].push(bare.run(name, size));
        }
        let done = place.wrun(&["run", "--module", flow], Watch::Events);
        for (of, (name, _)) in times.iter_mut().zip(KERNELS) {
            of[2].push(done.usage(name, "cpu_us") as f64 / 1e3);
        }
    }

    println!("\n### The speed of guest code\n");
    println!(
        "| kernel | native | bare wasmtime : native | step : native | step : bare | verdict |"
    );
    println!("|---|---|---|---|---|---|");
    for (of, (name, _)) in times.into_iter().zip(KERNELS) {
        let [native, bare, step] = of.map(median);
        println!(
            "| {name} | {native:.1} ms | {:.2} | {:.2} | {:.2} | {} |",
            bare / native,
            step / native,
            step / bare,
            if step <= bare * NOISE {
                "met"
            } else {
                "missed"
            }
        );
    }
    println!("\nload {} after the last run", table::load());
}
