//! Drivers, workers, images and modules that are not of one version.

use bytes::Bytes;
use wrun::cli::exit;
use wrun::datastore::{Datastore, DatastoreUrl};
use wrun::model::digest::Digest;
use wrun::model::header::RunHeader;
use wrun::model::id::RunId;
use wrun::model::job::{AttemptSpec, JobSpec};

use super::another;
use super::cloud::Cloud;
use super::world::{Said, module};

/// A module that was built for another version of the contract: this one, where its imports say the version.
fn of_another_contract() -> Vec<u8> {
    let mut bytes = std::fs::read(module("foreach")).unwrap();
    let mut found = 0;
    for interface in ["types", "task", "artifacts", "feedback"] {
        let import = |version: &str| format!("wrun:flow/{interface}@{version}");
        let (here, there) = (import("0.1.0"), import("0.2.0"));
        found += another::replace(&mut bytes, here.as_bytes(), there.as_bytes());
    }
    assert!(found > 0, "the module does not say which contract it has");
    bytes
}

#[test]
fn a_module_for_another_version_of_the_contract_is_refused_before_anything_is_submitted() {
    let cloud = Cloud::new();
    cloud.world.write("new.wasm", of_another_contract());
    let batch = ["--with", "batch"];
    for executor in [&batch[..], &[]] {
        let run = ["run", "--module", "new.wasm"];
        let said = cloud.wrun(&[&run[..], executor].concat());
        insta::allow_duplicates! {
            insta::assert_snapshot!(cloud.world.text(&said), @r"
            error: the module `[dir]/new.wasm` cannot be used
              caused by: the module was built for version 0.2.0 of `wrun:flow`, and this wrun has 0.1.0
              hint: build it again with the SDK of this wrun, which `wrun new` writes into a new flow; or run it with the wrun that came with its SDK
            exit code 7
            ");
        }
    }
    assert_eq!(cloud.world.wrun(&["runs"]).stdout, "", "nothing was begun");
    assert_eq!(cloud.fake.calls("submitjob"), 0);
}

#[test]
fn an_image_that_has_another_version_in_its_name_is_refused() {
    let cloud = Cloud::new();
    let with = |image: &str, arguments: &[&str]| -> Said {
        let mut command = cloud.command(arguments);
        command.env("WRUN_BATCH_IMAGE", image);
        command.output().unwrap().into()
    };
    let (module, old) = (module("linear"), "registry.example/wrun:0.0.9-0123456789ab");
    let run = ["run", "--quiet", "--module", &module, "--with", "batch"];
    insta::assert_snapshot!(cloud.world.text(&with(old, &run)), @r"
    error: the image `registry.example/wrun:0.0.9-0123456789ab` has wrun 0.0.9 in it, and this is wrun 0.1.0: a worker must be of the version of its driver
      hint: `wrun batch image --tag registry.example/wrun` makes an image of this wrun, with `--push` in its registry, and prints the name for `batch.image`
    exit code 2
    ");
    let doctor = with(old, &["doctor"]).stdout;
    assert!(doctor.contains("has wrun 0.0.9 in it"), "{doctor}");
    assert_eq!(cloud.fake.calls("submitjob"), 0);
    // What somebody calls an image says nothing of what is in it.
    let own = "registry.example/wrun:0.0.9";
    let version = env!("CARGO_PKG_VERSION");
    for image in [own, &format!("wrun:{version}-0123456789ab")] {
        with(image, &run).good();
    }
}

/// What is said of a run whose workers have another engine than their driver, and how many jobs it had.
#[test]
fn a_worker_with_another_engine_fails_once_and_for_good() {
    let cloud = Cloud::new();
    let driver = another::wrun(cloud.world.path());
    let module = module("linear");
    let run = ["run", "--quiet", "--module", &module, "--with", "batch"];
    let output = another::by(&driver, &cloud.command(&run)).output();
    let said: Said = output.unwrap().into();
    assert_eq!(said.code, i32::from(exit::RUN_FAILED));
    insta::assert_snapshot!(cloud.world.text(&said), @r"
    linear/1/start/- failed: misconfigured: the worker is wrun 0.1.0 with another engine than that of the driver, wrun 0.1.0: results would not be comparable
        hint: `wrun batch image`, where the run is driven, makes an image of the wrun there; `batch.image` names it, and `wrun resume` goes on
    exit code 1
    ");
    assert_eq!(cloud.fake.calls("submitjob"), 1);
    assert_eq!(cloud.fake.state().containers, 1);
}

/// Makes the first attempt of a run with this header, as a container would; what it says.
fn worked(cloud: &Cloud, change: impl Fn(&mut RunHeader)) -> String {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let job = runtime.block_on(async {
        let url: DatastoreUrl = cloud.world.store().to_str().unwrap().parse().unwrap();
        let datastore = Datastore::open(&url).await.unwrap();
        let first: RunId = "foreach/1".parse().unwrap();
        let mut header = datastore.run(&first).await.unwrap().header().clone();
        let other = of_another_contract();
        datastore.blobs().put(Bytes::from(other)).await.unwrap();
        change(&mut header);
        let run = datastore.create_run(&first.flow, |_| header).await.unwrap();
        let spec = JobSpec {
            envs: vec![Vec::new()],
            attempts: vec![AttemptSpec {
                task: "start/-".parse().unwrap(),
                attempt: 0,
                env: 0,
                item: None,
                branches: None,
            }],
            ..JobSpec::default()
        };
        run.create_job(&spec).await.unwrap()
    });
    let said = cloud.wrun(&["worker", &job.to_string()]);
    assert_eq!(said.code, 1, "{}", said.stderr);
    // Another worker of the same attempt finds what the first has left.
    let again = cloud.wrun(&["worker", &job.to_string()]);
    assert_eq!((again.code, &again.stderr), (1, &said.stderr));
    said.stderr.split_once(": ").unwrap().1.to_owned()
}

#[test]
fn a_worker_that_is_not_that_of_the_driver_says_so() {
    let cloud = Cloud::new();
    cloud.world.run("foreach", &["--quiet"]).good();
    let other = worked(&cloud, |header| {
        header.engine = Digest::of(b"of another wrun");
        header.wrun = "9.9.9".into();
    });
    insta::assert_snapshot!(other, @"misconfigured: the worker is wrun 0.1.0 with another engine than that of the driver, wrun 9.9.9: results would not be comparable");
    let gone = worked(&cloud, |header| header.module = Digest::of(b"of no module"));
    insta::assert_snapshot!(gone, @"infrastructure: the worker, wrun 0.1.0, cannot use the code of the run, which is of wrun 0.1.0: the module of `foreach/3` cannot be used");
    let newer = worked(&cloud, |header| {
        header.module = Digest::of(&of_another_contract());
        header.wrun = "0.2.0".into();
    });
    insta::assert_snapshot!(newer, @"misconfigured: the worker, wrun 0.1.0, cannot use the code of the run, which is of wrun 0.2.0: the module of `foreach/4` cannot be used");
}
