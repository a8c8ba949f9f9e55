use std::fs;

use super::*;
use crate::model::definition::Retry;

/// A workspace with a flow in it, a home, and nothing else.
struct World {
    root: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let it = Self {
            root: tempfile::tempdir().unwrap(),
        };
        it.write(
            "ws/Cargo.toml",
            "[workspace]\nmembers = ['flow']\nexclude = ['apart']",
        );
        it.write("ws/flow/Cargo.toml", "[package]\nname = 'flow'");
        it.write("ws/flow/src/lib.rs", "");
        it
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().canonicalize().unwrap().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn load(&self, variables: &[(&str, &str)], flags: &Flags) -> Result<Settings, ConfigError> {
        let home = self.path("home");
        let home = [("HOME", home.to_str().unwrap())];
        let environment = Environment::new(home.into_iter().chain(variables.iter().copied()));
        Settings::load(&self.path("ws/flow/src"), flags, &environment)
    }

    fn refuses(&self, text: &str) -> String {
        self.write("ws/wrun.toml", text);
        let error = self.load(&[], &Flags::default()).unwrap_err();
        let hints: String = error
            .hints()
            .iter()
            .map(|hint| format!("\nhint: {hint}"))
            .collect();
        let root = self.path("ws/").to_str().unwrap().to_owned();
        format!("{error}{hints}").replace(&root, "")
    }
}

#[test]
fn a_table_may_be_empty_and_must_be_known() {
    let world = World::new();
    world.write("wrun.toml", "[limits]\n[batch]\n[steps]\n[steps.fit]\n");
    world.load(&[], &Flags::default()).unwrap();
    assert_eq!(
        world.refuses("[limit]").lines().next(),
        Some("wrun.toml:1: there is no setting `limit`")
    );
}

#[test]
fn the_nearer_layer_wins_and_every_value_knows_its_origin() {
    let world = World::new();
    world.write(
        "home/.config/wrun/config.toml",
        "max-workers = 3\nseed = 5\ncompression-level = 2",
    );
    world.write(
        "ws/wrun.toml",
        "seed = 6\n[limits]\nmemory = '1 GiB'\nhandles = 5",
    );
    world.write("ws/flow/wrun.toml", "\n[limits]\nmemory = '2 GiB'");
    let variables = [("WRUN_LIMITS_HANDLES", "7"), ("WRUN_CODE_CACHE", "cache")];
    let flags = Flags::default()
        .with("seed", Some("random"))
        .with("max-workers", None::<u32>);
    let settings = world.load(&variables, &flags).unwrap();

    let shown: String = settings
        .shown()
        .iter()
        .filter(|shown| shown.origin != Origin::Default)
        .map(|shown| format!("{} = {} ({})\n", shown.key, shown.value, shown.origin))
        .collect();
    let root = world.path("").to_str().unwrap().to_owned();
    insta::assert_snapshot!(shown.replace(&root, ""), @r"
    max-workers = 3 (home/.config/wrun/config.toml:1)
    compression-level = 2 (home/.config/wrun/config.toml:3)
    code-cache = ws/flow/src/cache (WRUN_CODE_CACHE)
    seed = random (--seed)
    limits.memory = 2 GiB (ws/flow/wrun.toml:3)
    limits.handles = 7 (WRUN_LIMITS_HANDLES)
    ");
    assert_eq!(settings.limits.memory_mib, 2048);
    assert_eq!(settings.seed, Seed::Random);
}

#[test]
fn without_any_file_the_built_in_values_hold() {
    let world = World::new();
    let settings = world.load(&[], &Flags::default()).unwrap();
    assert_eq!(settings.limits, Limits::default());
    assert_eq!(settings.seed, Seed::Fixed(0));
    assert_eq!(PathBuf::from(&settings.datastore), world.path("ws/.wrun"));
    assert_eq!(settings.code_cache, world.path("home/.cache/wrun/code"));
    assert!(settings.max_workers >= 1);
}

#[test]
fn a_datastore_is_found_from_any_directory_below() {
    let world = World::new();
    world.write("ws/flow/.wrun/wrun-datastore", "");
    let found = |settings: Settings| PathBuf::from(settings.datastore);
    let settings = world.load(&[], &Flags::default()).unwrap();
    assert_eq!(found(settings), world.path("ws/flow/.wrun"));

    world.write("ws/wrun.toml", "datastore = 'data'");
    let settings = world.load(&[], &Flags::default()).unwrap();
    assert_eq!(found(settings), world.path("ws/data"));

    let flags = Flags::default().with("datastore", Some("s3://bucket/runs"));
    assert_eq!(
        world.load(&[], &flags).unwrap().datastore,
        "s3://bucket/runs"
    );
}

#[test]
fn a_flag_that_repeats_its_variable_came_from_the_variable() {
    let world = World::new();
    let flags = Flags::default().with("datastore", Some("/data"));
    let settings = world.load(&[("WRUN_DATASTORE", "/data")], &flags).unwrap();
    assert_eq!(settings.origin("datastore").to_string(), "WRUN_DATASTORE");
}

#[test]
fn a_package_that_is_excluded_is_its_own_workspace() {
    let world = World::new();
    world.write("ws/apart/Cargo.toml", "[package]\nname = 'apart'");
    assert_eq!(
        Project::find(&world.path("ws/apart")).workspace,
        Some(world.path("ws/apart"))
    );
    assert_eq!(
        Project::find(&world.path("ws/flow/src")).workspace,
        Some(world.path("ws"))
    );
    assert_eq!(
        Project::find(&world.path("ws/flow/Cargo.toml")).package,
        Some(world.path("ws/flow"))
    );
}

#[test]
fn outside_a_package_the_nearest_file_and_datastore_above_are_used() {
    let world = World::new();
    world.write("data/wrun.toml", "seed = 9");
    world.write("data/.wrun/wrun-datastore", "");
    world.write("data/deep/down/x", "");
    let environment = Environment::default();
    let settings = Settings::load(
        &world.path("data/deep/down"),
        &Flags::default(),
        &environment,
    )
    .unwrap();
    assert_eq!(settings.seed, Seed::Fixed(9));
    assert_eq!(PathBuf::from(settings.datastore), world.path("data/.wrun"));
}

#[test]
fn what_is_said_about_a_step() {
    let world = World::new();
    let text = "[steps.fit]\nmemory = '2 GiB'\ncpu = 1.5\ntimeout = '10m'\nretry = 3\n\
        [steps.load]\nretry = { times = 2, backoff = '5s' }";
    world.write("ws/wrun.toml", text);
    let settings = world.load(&[], &Flags::default()).unwrap();
    let fit = &settings.steps["fit"];
    assert_eq!(fit.resources.memory_mib, Some(2048));
    assert_eq!(fit.resources.cpu_millis, Some(1500));
    assert_eq!(fit.timeout_ms, Some(600_000));
    assert_eq!(
        fit.retry,
        Some(Retry {
            times: 3,
            backoff_ms: 0
        })
    );
    assert_eq!(
        settings.steps["load"].retry,
        Some(Retry {
            times: 2,
            backoff_ms: 5000
        })
    );
    let shown: Vec<_> = settings
        .shown()
        .into_iter()
        .map(|shown| shown.key)
        .collect();
    assert!(shown.contains(&"steps.load.retry.backoff".to_owned()));
}

#[test]
fn mistakes_are_refused_with_file_and_line() {
    let world = World::new();
    let cases = [
        "seed = 1\nmax_workers = 3",
        "memory = '1 GiB'",
        "[limits]\nmemroy = '1 GiB'",
        "[limits]\nmemory = 512",
        "[limits]\nmemory = '1 KiB'",
        "[limits]\ntimeout = true",
        "max-workers = 0",
        "seed = 'today'",
        "datastore = ''",
        "[steps.Fit]\ncpu = 1",
        "[steps.fit]\ncpus = 1",
        "[steps.fit]\nqueue = 'x'",
        "[step.fit]\ncpu = 1",
        "\nseed 4",
    ];
    let said: Vec<_> = cases.iter().map(|text| world.refuses(text)).collect();
    insta::assert_snapshot!(said.join("\n\n"), @r"
    wrun.toml:2: there is no setting `max_workers`
    hint: did you mean `max-workers`?

    wrun.toml:1: there is no setting `memory`
    hint: did you mean `limits.memory`?

    wrun.toml:2: there is no setting `limits.memroy`
    hint: did you mean `limits.memory`?

    wrun.toml:2: `limits.memory` is `512`; a size is a whole number with `KiB`, `MiB`, `GiB` or `TiB`, e.g. `512 MiB`

    wrun.toml:2: `limits.memory` takes a size from 1 MiB to 4 GiB, in whole MiB

    wrun.toml:2: `limits.timeout` is `true`; a time is a whole number with `ms`, `s`, `m`, `h` or `d`, e.g. `90s`

    wrun.toml:1: `max-workers` takes a whole number from 1 to 1024

    wrun.toml:1: `seed` is a whole number from 0 or `random`

    wrun.toml:1: `datastore` is empty

    wrun.toml:2: `steps.Fit.cpu` names no step: step name `Fit` has the character 'F'; lower-case letters, digits and `_` are allowed, and a letter comes first

    wrun.toml:2: there is no setting `steps.fit.cpus`
    hint: did you mean `steps.fit.cpu`?

    wrun.toml:2: there is no setting `steps.fit.queue`
    hint: there are `cpu`, `disk`, `executor`, `gpus`, `grants`, `memory`, `retry`, `retry.backoff`, `retry.times`, `timeout`

    wrun.toml:2: there is no setting `step.fit.cpu`
    hint: did you mean `steps.fit.cpu`?

    wrun.toml:2: key with no value, expected `=`
    ");
}

#[test]
fn a_wrong_flag_or_variable_is_named_as_it_was_typed() {
    let world = World::new();
    let flags = Flags::default().with("max-workers", Some(0));
    let said = world.load(&[], &flags).unwrap_err().to_string();
    assert_eq!(said, "`--max-workers` takes a whole number from 1 to 1024");
    let said = world.load(&[("WRUN_SEED", "x")], &Flags::default());
    assert_eq!(
        said.unwrap_err().to_string(),
        "`WRUN_SEED` is a whole number from 0 or `random`"
    );
}

#[test]
fn variables_that_mean_nothing_are_known() {
    let environment = Environment::new([("WRUN_DATASTOR", "x"), ("WRUN_SEED", "1"), ("HOME", "/")]);
    assert_eq!(environment.unknown(), ["WRUN_DATASTOR"]);
}

#[test]
fn the_variable_of_a_key_leads_back_to_it() {
    for key in keys::all() {
        let variable = keys::variable_of(key.name);
        assert_eq!(
            keys::of_variable(&variable).map(|found| found.name),
            Some(key.name)
        );
    }
}
