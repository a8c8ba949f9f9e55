//! Ten thousand attempts: how many requests, how many objects.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use wrun::datastore::{Datastore, DatastoreUrl};
use wrun::runtime::clock::SystemClock;
use wrun::runtime::worker::{Around, Worker};
use wrun::sandbox::{Launcher, Modules};
use wrun::task::site::Slot;

use super::cloud::Cloud;
use super::fake::{Container, Inside};

thread_local! {
    /// What a host keeps from one container to the next.
    static HOST: RefCell<(tokio::runtime::Runtime, Slot)> = RefCell::new((
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
        Slot::default(),
    ));
}

/// Executes containers in this process: the same worker, without a process for each attempt.
fn inside() -> Inside {
    let workers: Mutex<HashMap<String, Arc<Worker>>> = Mutex::default();
    Arc::new(move |container: &Container| {
        HOST.with_borrow_mut(|(runtime, slot)| {
            runtime.block_on(async {
                let job = &container.command[1];
                let known = workers.lock().unwrap().get(job).cloned();
                let worker = match known {
                    Some(worker) => worker,
                    None => {
                        let made = Arc::new(worker(container, job).await);
                        workers.lock().unwrap().insert(job.clone(), made.clone());
                        made
                    }
                };
                let around = Around {
                    clock: &SystemClock,
                    job: container.environment.get("AWS_BATCH_JOB_ID").cloned(),
                    echo: &|_| {},
                };
                let index = container.index.unwrap_or(0);
                let made = worker
                    .make(index, slot, &around, std::future::pending())
                    .await;
                i32::from(made.unwrap().record.result.is_err())
            })
        })
    })
}

async fn worker(container: &Container, job: &str) -> Worker {
    let url: DatastoreUrl = container.environment["WRUN_DATASTORE"].parse().unwrap();
    let datastore = Datastore::open(&url).await.unwrap();
    let launcher = Launcher {
        program: PathBuf::from(env!("CARGO_BIN_EXE_wrun")),
        args: vec!["cell".into()],
    };
    let cache = Path::new(&container.environment["XDG_CACHE_HOME"]).join("wrun/code");
    let modules = Modules::new(cache, launcher.clone());
    Worker::new(&datastore, job.parse().unwrap(), modules, launcher)
        .await
        .unwrap()
}

/// How many files there are below a directory, by the first parts of their names.
fn objects(directory: &Path) -> usize {
    let entries = std::fs::read_dir(directory).unwrap();
    let count = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.unwrap().path();
        if path.is_dir() { objects(&path) } else { 1 }
    };
    entries.map(count).sum()
}

/// The time between the end of the last task of the foreach and the start of its join.
fn gap(cloud: &Cloud) -> Duration {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let events = runtime.block_on(async {
        let url: DatastoreUrl = cloud.world.store().to_str().unwrap().parse().unwrap();
        let datastore = Datastore::open(&url).await.unwrap();
        let run = datastore.run(&"fan/1".parse().unwrap()).await.unwrap();
        run.events().await.unwrap()
    });
    let (mut last, mut join) = (0, 0);
    for event in &events {
        if let Some((task, _, record)) = event.ending() {
            let begun = record.usage.started_at.0;
            match task.step.as_str() {
                "square" => last = last.max(begun + record.usage.wall_us),
                "sum" => join = begun,
                _ => {}
            }
        }
    }
    Duration::from_micros(join - last)
}

#[test]
fn ten_thousand_attempts_cost_few_requests() {
    let n = 10_000_u32;
    let cloud = Cloud::with(4, Some(inside()));
    cloud.fake.state().mood.per_second = Some(50);
    // What comes before and after the foreach is executed here.
    cloud
        .world
        .write("wrun.toml", "[steps.square]\nexecutor = \"batch\"\n");
    let module = super::world::module("bench_fan");
    let run = ["run", "--module", &module, "--n", &n.to_string(), "--quiet"];
    let begun = Instant::now();
    cloud.wrun(&run).good();
    let took = begun.elapsed();
    let calls = cloud.fake.state().calls.clone();
    let objects = objects(&cloud.world.store());
    let run = cloud.world.store().join("flows/fan/runs/1");
    let journal = self::objects(&run.join("journal"));
    println!("{n} attempts in {took:.1?}, requests to Batch: {calls:?}");
    println!(
        "{objects} objects, {:.3} for each attempt; {journal} segments of the journal",
        objects as f64 / f64::from(n)
    );
    println!(
        "{:?} from the end of the last task to the start of the join",
        gap(&cloud)
    );
    assert!(calls["submitjob"] <= 3, "{calls:?}");
    assert!(!calls.contains_key("listjobs"), "{calls:?}");
    assert_eq!(self::objects(&run.join("tasks")), n as usize);
    assert_eq!(self::objects(&run.join("jobs")), 1);
    let sum: u64 = (0..u64::from(n)).map(|i| i * i).sum();
    assert_eq!(cloud.world.value("fan/1/sum/sum"), sum);
}
