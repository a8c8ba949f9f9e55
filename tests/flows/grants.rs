//! What steps may touch: granted, recorded, replayed without the world.

use wrun::cli::exit;
use wrun::datastore::{Datastore, Run};
use wrun::model::digest::Digest;
use wrun::model::event::Event;
use wrun::model::header::RunHeader;
use wrun::task::trace::{Asked, Found};

use super::*;

const SCRATCH: &str = "scratch=2MiB";

/// A world with a directory that can be granted.
fn world() -> World {
    let world = World::new();
    let corpus = world.path().join("corpus");
    std::fs::create_dir_all(corpus.join("sub")).unwrap();
    std::fs::write(corpus.join("b.txt"), "bb").unwrap();
    std::fs::write(corpus.join("a.txt"), "a").unwrap();
    std::fs::write(corpus.join("sub/large.bin"), vec![7; 3 << 20]).unwrap();
    world
}

const GRANTS: [&str; 4] = ["--allow", "read:corpus=corpus", "--allow", SCRATCH];

#[test]
fn what_was_granted_is_shown_recorded_and_replayed_without_the_world() {
    let world = world();
    let said = world.run("touches", &GRANTS).good();
    let directory = world.path().to_str().unwrap();
    let granted = format!("granted read:corpus={directory}/corpus\ngranted scratch=2MiB\n");
    assert!(said.stderr.contains(&granted), "{}", said.stderr);
    let value = world.value("touches/1/look/sizes");
    let large = 3 << 20;
    let expected = serde_json::json!({
        "/corpus/a.txt": 1, "/corpus/b.txt": 2, "/corpus/sub/large.bin": large,
    });
    assert_eq!(value, expected);
    let sorted = serde_json::json!(["a.txt", "b.txt", "large.bin"]);
    assert_eq!(world.value("touches/1/sort/sorted"), sorted);
    let shown = world.json(&["show", "touches/1"]);
    assert_eq!(shown["class"], "recorded");
    assert_eq!(shown["grants"][1], SCRATCH);
    let text = world.wrun(&["show", "touches/1"]).good().stdout;
    assert!(text.contains("\nclass     recorded: "), "{text}");
    assert!(text.contains("\ngranted   scratch=2MiB\n"), "{text}");

    // Neither what is there now nor that nothing is there matters.
    std::fs::write(world.path().join("corpus/a.txt"), "other").unwrap();
    world.wrun(&["replay", "touches/1"]).good();
    std::fs::remove_dir_all(world.path().join("corpus")).unwrap();
    let said = world.wrun(&["replay", "touches/1"]).good();
    assert!(said.stdout.contains("identical"), "{}", said.stdout);
}

#[test]
fn nothing_is_granted_by_default_and_the_failure_says_what_to_grant() {
    let world = world();
    let said = world.run("touches", &["--quiet"]);
    insta::assert_snapshot!(world.text(&said), @r"
    touches/1/look/- failed: error: the corpus cannot be read
        caused by: No such file or directory (os error 44)
        hint: steps have the files that they were granted: `--allow read:NAME=PATH` lets them read a directory as `/NAME`, `--allow scratch=64MiB` gives them `/tmp`
    exit code 1
    ");
}

#[test]
fn what_was_seen_of_the_world_is_seen_anew_with_cache() {
    let world = world();
    let run = |more: &[&str]| world.run("touches", &[&GRANTS[..], more].concat()).good();
    run(&[]);
    let second = run(&["--cache"]);
    let reused = |run: u32, step: &str| {
        let task = world.json(&["show", &format!("touches/{run}/{step}/-")]);
        task["reused_from"].clone()
    };
    assert!(reused(2, "look").is_null(), "{}", second.stderr);
    assert_eq!(reused(2, "sort"), "touches/1");
    // Other grants are another task.
    world
        .run(
            "touches",
            &[
                "--allow",
                "read:corpus=corpus",
                "--allow",
                "scratch=3MiB",
                "--cache",
            ],
        )
        .good();
    assert!(reused(3, "sort").is_null());
    std::fs::write(world.path().join("corpus/c.txt"), "new").unwrap();
    run(&["--cache"]);
    assert_eq!(
        world
            .value("touches/4/sort/sorted")
            .as_array()
            .unwrap()
            .len(),
        4
    );
}

#[test]
fn the_settings_grant_to_all_steps_and_to_single_ones() {
    let world = world();
    let toml = "grants = [\"read:corpus=corpus\", \"env:MODE=fast\"]\n\
                [steps.sort]\ngrants = [\"scratch=2MiB\", \"env:MODE=slow\"]\n";
    world.write("wrun.toml", toml);
    let module = module("touches");
    let check = world.wrun(&["check", "--module", &module]).good().stdout;
    let (_, granted) = check.split_once("\nclass").unwrap();
    let directory = world.path().to_str().unwrap();
    insta::assert_snapshot!(format!("class{granted}").replace(directory, "[dir]"), @r"
    class    recorded: what it sees of the world is recorded in its trace
    granted  read:corpus=[dir]/corpus
    granted  env:MODE=fast
    granted  sort: scratch=2MiB
    granted  sort: env:MODE=slow
    ");
    world.run("touches", &[]).good();
    let variables = serde_json::json!(["MODE=slow"]);
    assert_eq!(world.value("touches/1/sort/variables"), variables);
}

#[test]
fn a_secret_is_given_and_written_nowhere() {
    let world = world();
    let token = "s3cr3t-t0k3n-of-ada";
    let module = module("touches");
    let grants = [&GRANTS[..], &["--allow", "secret:TOKEN"]].concat();
    let with = |value: &str, arguments: &[&str]| -> Said {
        world
            .command(arguments)
            .env("TOKEN", value)
            .output()
            .unwrap()
            .into()
    };
    let run = [&["run", "--module", &module], &grants[..]].concat();
    with(token, &run).good();
    let variables = serde_json::json!(["TOKEN has 19 bytes"]);
    assert_eq!(world.value("touches/1/sort/variables"), variables);
    for file in files(&world.store()) {
        let bytes = std::fs::read(&file).unwrap();
        let found = bytes
            .windows(token.len())
            .any(|part| part == token.as_bytes());
        assert!(!found, "the secret is in {}", file.display());
    }
    let shown = world.wrun(&["show", "touches/1", "--json"]).good().stdout;
    assert!(
        shown.contains("secret:TOKEN") && !shown.contains(token),
        "{shown}"
    );

    with(token, &["replay", "touches/1"]).good();
    for said in [
        with("another", &["replay", "touches/1"]),
        world.wrun(&["replay", "touches/1"]),
    ] {
        let parts = ["the secret `TOKEN` is not at hand"];
        assert_ne!(said.code, 0);
        assert!(said.stderr.contains(parts[0]), "{}", said.stderr);
    }
    let said = world.wrun(&run);
    insta::assert_snapshot!(world.text(&said), @r"
    error: `secret:TOKEN` is granted, and the variable `TOKEN` is not set
      hint: set it: `TOKEN=… wrun run`, or take the grant away
    exit code 2
    ");
}

pub fn files(directory: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => all.extend(files(&path)),
            false => all.push(path),
        }
    }
    all
}

#[test]
fn what_cannot_be_granted_is_refused_before_anything_begins() {
    let world = world();
    let mut all = String::new();
    for grant in [
        "network",
        "read:corpus=nowhere",
        "env:NOT_SET",
        "secret:TOKEN=hunter2",
    ] {
        all += &world.text(&world.run("touches", &["--allow", grant]));
        all += "\n\n";
    }
    world.write("wrun.toml", "grants = [\"scratch=64KiB\"]");
    all += &world.text(&world.run("touches", &[]));
    insta::assert_snapshot!(all, @r"
    error: invalid value 'network' for '--allow <GRANT>': `network` is no grant; there are `scratch=SIZE`, `read:NAME=PATH`, `env:NAME`, `env:NAME=VALUE`, `secret:NAME`, `secret:NAME=SOURCE` and `http=https://HOST`
    exit code 2

    error: `[dir]/nowhere`, granted as `corpus`, is no directory
      hint: make it, or correct the path: `read:NAME=PATH`
    exit code 4

    error: `env:NOT_SET` is granted, and the variable `NOT_SET` is not set
      hint: set it: `NOT_SET=… wrun run`, or take the grant away
    exit code 2

    error: invalid value 'secret:TOKEN=hunter2' for '--allow <GRANT>': the value of a secret is not written down: grant `secret:TOKEN` and set the variable `TOKEN` of the environment, or say where the value is, e.g. `secret:TOKEN=file:PATH`, `secret:TOKEN=aws-sm:NAME` or `secret:TOKEN=aws-ssm:NAME`
    exit code 2

    error: [dir]/wrun.toml:1: `grants` has no grant there: `64KiB` is no size of a scratch directory: it has 1 MiB to 4 GiB, e.g. `scratch=64MiB`
    exit code 2
    ");
    assert!(!world.store().exists());
}

#[test]
fn a_continuation_has_the_grants_of_today() {
    let world = world();
    world
        .run("touches", &GRANTS[..2])
        .fails(exit::RUN_FAILED, &[]);
    let module = module("touches");
    let said = world
        .wrun(&["resume", "--module", &module, "--allow", SCRATCH])
        .good();
    assert!(
        said.stderr.contains("was granted `read:corpus="),
        "{}",
        said.stderr
    );
    let sorted = serde_json::json!(["a.txt", "b.txt", "large.bin"]);
    assert_eq!(world.value("touches/2/sort/sorted"), sorted);
    world.wrun(&["replay", "touches/2"]).good();
}

#[test]
fn results_depend_on_neither_workers_nor_surroundings_nor_where_a_directory_lies() {
    let world = world();
    world
        .run("touches", &[&GRANTS[..], &["-j", "1"]].concat())
        .good();
    let elsewhere = tempfile::tempdir().unwrap();
    // Written in another order, with other times.
    let there = elsewhere.path().join("deep/down");
    std::fs::create_dir_all(there.join("sub")).unwrap();
    for name in ["sub/large.bin", "a.txt", "b.txt"] {
        let bytes = std::fs::read(world.path().join("corpus").join(name)).unwrap();
        std::fs::write(there.join(name), bytes).unwrap();
    }
    let grant = format!("read:corpus={}", there.display());
    let module = module("touches");
    let arguments = [
        "run", "--module", &module, "--allow", &grant, "--allow", SCRATCH, "-j", "4",
    ];
    let other = world
        .command(&arguments)
        .env("TZ", "Asia/Tokyo")
        .env("LC_ALL", "tr_TR.UTF-8")
        .env("MODE", "unseen")
        .current_dir("/")
        .output();
    Said::from(other.unwrap()).good();
    for artifact in ["look/sizes", "sort/sorted", "sort/variables"] {
        let digest =
            |run: u32| world.json(&["get", &format!("touches/{run}/{artifact}")])["digest"].clone();
        assert!(digest(1).is_string());
        assert_eq!(digest(1), digest(2), "{artifact}");
    }
    let trace = |run: u32| {
        world.json(&["show", &format!("touches/{run}/look/-")])["records"][0]["trace"].clone()
    };
    assert!(trace(1).is_string());
    assert_eq!(trace(1), trace(2), "what was seen is the same");
}

/// The file of a blob.
pub fn blob(world: &World, digest: &str) -> PathBuf {
    world.store().join("blobs").join(&digest[..2]).join(digest)
}

fn trace_of(world: &World, task: &str) -> String {
    let shown = world.json(&["show", task]);
    shown["records"][0]["trace"].as_str().unwrap().to_owned()
}

#[test]
fn a_trace_or_a_file_in_it_that_is_gone_or_damaged_is_named() {
    let world = world();
    world.run("touches", &GRANTS).good();
    let large = Digest::of(&vec![7; 3 << 20]).to_string();
    for digest in [trace_of(&world, "touches/1/look/-"), large] {
        let file = blob(&world, &digest);
        let whole = std::fs::read(&file).unwrap();
        let mut damaged = whole.clone();
        let last = damaged.len() - 1;
        damaged[last] ^= 1;
        for bytes in [Some(&damaged[..]), Some(&whole[..last]), None] {
            std::fs::remove_file(&file).unwrap();
            if let Some(bytes) = bytes {
                std::fs::write(&file, bytes).unwrap();
            }
            let said = world.wrun(&["replay", "touches/1"]);
            let parts = [
                "task `look/-` could not be executed again",
                "trace",
                &digest,
            ];
            assert_ne!(said.code, 0);
            for part in parts {
                assert!(said.stderr.contains(part), "{}", said.stderr);
            }
            std::fs::write(&file, &whole).unwrap();
        }
        world.wrun(&["replay", "touches/1"]).good();
    }
}

/// A run that is `of` with the events that `change` makes of its events.
async fn forged(datastore: &Datastore, of: &Run, change: impl Fn(Event) -> Event) {
    let header = of.header().clone();
    let forged = |run| RunHeader { run, ..header };
    let run = datastore.create_run(&of.id().flow, forged).await.unwrap();
    let mut writer = run.writer().await.unwrap();
    for segment in 0..of.segments().await.unwrap() {
        let events = of.read_segment(segment).await.unwrap();
        let events: Vec<_> = events.into_iter().map(&change).collect();
        writer.append(&events).await.unwrap();
    }
}

/// A run like `of`, in which the trace of one task is what `change` makes of it.
pub fn forge(world: &World, of: &str, task: &str, change: impl FnOnce(&mut Vec<(Asked, Found)>)) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let datastore = Datastore::open(&world.store().to_str().unwrap().parse().unwrap())
            .await
            .unwrap();
        let trace: Digest = trace_of(world, &format!("{of}/{task}")).parse().unwrap();
        let bytes = datastore.blobs().get(&trace).await.unwrap();
        let mut sights: Vec<(Asked, Found)> = ciborium::from_reader(bytes.as_ref()).unwrap();
        change(&mut sights);
        let mut bytes = Vec::new();
        ciborium::into_writer(&sights, &mut bytes).unwrap();
        let other = datastore.blobs().put(bytes.into()).await.unwrap();
        let run = datastore.run(&of.parse().unwrap()).await.unwrap();
        forged(&datastore, &run, |event| match event {
            Event::Finished {
                task,
                attempt,
                mut record,
            } => {
                record.trace = record.trace.map(|_| other);
                Event::Finished {
                    task,
                    attempt,
                    record,
                }
            }
            event => event,
        })
        .await;
    });
}

#[test]
fn a_step_that_asks_for_more_or_less_than_it_did_has_diverged() {
    let world = world();
    world.run("touches", &GRANTS).good();
    forge(&world, "touches/1", "look/-", |sights| sights.truncate(3));
    let said = world
        .wrun(&["replay", "touches/2"])
        .fails(exit::DIFFERENT, &[]);
    insta::assert_snapshot!(said.stdout + &said.stderr, @r"
    different: 1 difference in 2 tasks, 3 artifacts
      touches/2/look/-: outcome
        recorded  succeeded
        replayed  failed (broken contract): it opened `/corpus/a.txt`, where it asked for nothing more when it was recorded
    ");
    let once_more = |sights: &mut Vec<_>| sights.push(Clone::clone(sights.last().unwrap()));
    forge(&world, "touches/1", "look/-", once_more);
    let said = world
        .wrun(&["replay", "touches/3"])
        .fails(exit::DIFFERENT, &[]);
    assert!((said.stdout + &said.stderr).contains("what it saw of the world"));
}

/// What `tries` says of what it was not granted, where it was granted `granted`.
fn tried(world: &World, what: &str, url: &str, granted: &[&str]) -> String {
    let module = module("tries");
    let mut arguments = vec![
        "run", "--quiet", "--module", &module, "--what", what, "--url", url,
    ];
    arguments.extend(granted.iter().flat_map(|grant| ["--allow", grant]));
    world.text(&world.wrun(&arguments))
}

#[test]
fn every_denial_names_the_step_what_it_wanted_and_the_grant() {
    let world = world();
    let http = "http=http://127.0.0.1:9";
    let said = [
        tried(&world, "read", "-", &[http]),
        tried(&world, "read", "-", &[http, SCRATCH, "read:corpus=corpus"]),
        tried(&world, "write", "-", &[http, SCRATCH]),
        tried(&world, "write beside", "-", &[http, "read:corpus=corpus"]),
        tried(&world, "leave", "-", &[http, "read:corpus=corpus"]),
        tried(&world, "variable", "-", &[http]),
        tried(&world, "ask", "http://example.com/x", &[http]),
        tried(&world, "ask", "http://127.0.0.1:10/x", &[http]),
        tried(&world, "ask", "https://127.0.0.1:9/x", &[http]),
    ];
    insta::assert_snapshot!(said.join("\n"), @r#"
    tries/1/start/- failed: error: No such file or directory (os error 44)
        hint: steps have the files that they were granted: `--allow read:NAME=PATH` lets them read a directory as `/NAME`, `--allow scratch=64MiB` gives them `/tmp`
    exit code 1
    tries/2/start/- failed: error: No such file or directory (os error 44)
        hint: of all files the step has `/tmp` and `/corpus`: `--allow read:NAME=PATH` lets it read another directory as `/NAME`
    exit code 1
    tries/3/start/- failed: error: No such file or directory (os error 44)
        hint: of all files the step has `/tmp`: `--allow read:NAME=PATH` lets it read another directory as `/NAME`
    exit code 1
    tries/4/start/- failed: error: Read-only file system (os error 69)
        hint: granted directories can be read and not changed: `--allow scratch=64MiB` gives the step `/tmp` to write to, and what is to be kept is an artifact
    exit code 1
    tries/5/start/- failed: error: Operation not permitted (os error 63)
        hint: no path and no link leads out of a granted directory: `--allow read:NAME=PATH` grants what is meant by a name of its own
    exit code 1
    tries/6/start/- failed: error: environment variable not found
        hint: steps have the variables that they were granted: `--allow env:NAME` gives them one, `--allow secret:NAME` one that is not recorded
    exit code 1
    tries/7/start/- failed: error: `GET http://example.com/x` has no answer: it was denied: nobody has granted it
        hint: `http://example.com` was not granted: `--allow http=http://example.com` grants it to all steps, `grants = ["http=http://example.com"]` below `[steps.STEP]` in `wrun.toml` to one
    exit code 1
    tries/8/start/- failed: error: `GET http://127.0.0.1:10/x` has no answer: it was denied: nobody has granted it
        hint: `http://127.0.0.1:10` was not granted: `--allow http=http://127.0.0.1:10` grants it to all steps, `grants = ["http=http://127.0.0.1:10"]` below `[steps.STEP]` in `wrun.toml` to one
    exit code 1
    tries/9/start/- failed: error: `GET https://127.0.0.1:9/x` has no answer: it was denied: nobody has granted it
        hint: `https://127.0.0.1:9` was not granted: `--allow http=https://127.0.0.1:9` grants it to all steps, `grants = ["http=https://127.0.0.1:9"]` below `[steps.STEP]` in `wrun.toml` to one
    exit code 1
    "#);
}

/// Trying again helps nobody: the machine is as it is.
#[test]
fn a_name_that_no_step_can_say_is_a_failure_that_says_so_once() {
    use std::os::unix::ffi::OsStrExt;
    let world = world();
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9.txt");
    std::fs::write(world.path().join("corpus").join(name), "x").unwrap();
    let granted = ["http=http://127.0.0.1:9", "read:corpus=corpus"];
    insta::assert_snapshot!(tried(&world, "list", "-", &granted), @r#"
    tries/1/start/- failed: denied: the granted directory `[dir]/corpus` cannot be listed: the name "caf\xE9.txt" is not UTF-8, so that no step can say it
        hint: rename it, or grant a directory that does not have it
    exit code 1
    "#);
    let events = world
        .wrun(&["show", "tries/1/start/-", "--json"])
        .good()
        .stdout;
    assert!(events.contains("\"attempts\""), "{events}");
}

#[test]
fn why_names_the_grant_that_is_not_what_it_was() {
    let world = world();
    world.run("touches", &GRANTS).good();
    let more = ["--allow", "read:corpus=corpus", "--allow", "scratch=3MiB"];
    world
        .run(
            "touches",
            &[&more[..], &["--allow", "env:MODE=fast"]].concat(),
        )
        .good();
    world.run("touches", &GRANTS).good();
    let why = |run: u32| {
        let said = world
            .wrun(&["why", &format!("touches/{run}/sort")])
            .good()
            .stdout;
        said.lines().next().unwrap().to_owned()
    };
    assert!(
        why(2).contains("granted `scratch` and 1 more are not what they were"),
        "{}",
        why(2)
    );
    assert!(
        why(3).contains("granted `scratch` and 1 more are not what they were"),
        "{}",
        why(3)
    );
    let table = world.wrun(&["why", "touches/3/sort"]).good().stdout;
    assert!(table.contains("granted `env:MODE`"), "{table}");
}

#[test]
fn a_resumed_run_that_asks_over_http_needs_whom_it_was_granted() {
    let world = world();
    let http = "http=http://127.0.0.1:9";
    tried(
        &world,
        "ask",
        "http://127.0.0.1:9/x",
        &[http, "http=https://example.com"],
    );
    let module = module("tries");
    let resume = |granted: &[&str]| {
        let mut all = vec!["resume", "tries/1", "--module", &module];
        all.extend(granted.iter().flat_map(|grant| ["--allow", grant]));
        world.text(&world.wrun(&all))
    };
    insta::assert_snapshot!([resume(&[]), resume(&[http])].join("\n"), @r"
    tries/1 was granted `http=http://127.0.0.1:9`, this run is not (`--allow` grants it again)
    tries/1 was granted `http=https://example.com`, this run is not (`--allow` grants it again)
    error: `tries/1` was granted whom to ask over HTTP, which is not granted here
      caused by: `http=http://127.0.0.1:9`
      caused by: `http=https://example.com`
      hint: `--allow http=http://127.0.0.1:9 --allow http=https://example.com` grants it again
    exit code 2
    tries/1 was granted `http=https://example.com`, this run is not (`--allow` grants it again)
    error: `tries/1` was granted whom to ask over HTTP, which is not granted here
      caused by: `http=https://example.com`
      hint: `--allow http=https://example.com` grants it again
    exit code 2
    ");
    let runs = world.wrun(&["runs", "--json"]).good().stdout;
    assert_eq!(runs.lines().count(), 1, "{runs}");
}
