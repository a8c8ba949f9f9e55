//! Secrets: where their values come from, and where they never are.

use std::fs::Permissions;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use wrun::cli::exit;

use super::server::{Asked, Server, answer};
use super::*;

const TOKEN: &str = "s3cr3t/t0k3n+of-ada=Lovelace";

/// Every way of the flow `leaks`, and what the run must say where it must not succeed.
const WAYS: [(&str, Option<&str>); 13] = [
    ("count", None),
    ("print", None),
    ("print slowly", None),
    ("progress", None),
    ("fail", Some("secret:TOKEN")),
    ("panic", Some("secret:TOKEN and ")),
    (
        "artifact",
        Some("artifact `said` holds the value of `secret:TOKEN`"),
    ),
    (
        "large artifact",
        Some("artifact `said` holds the value of `secret:TOKEN`"),
    ),
    (
        "spelled artifact",
        Some("artifact `said` holds the value of `secret:TOKEN`"),
    ),
    ("ask", None),
    (
        "echo",
        Some("what the step was to be shown holds the value of `secret:TOKEN`"),
    ),
    ("path", None),
    (
        "file",
        Some("what the step was to be shown holds the value of `secret:TOKEN`"),
    ),
];

fn base64(before: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let all = [before.as_bytes(), TOKEN.as_bytes()].concat();
    let digits = all.chunks_exact(3).flat_map(|group| {
        let bits = group
            .iter()
            .fold(0, |bits, byte| bits << 8 | u32::from(*byte));
        (0..4).map(move |at| char::from(DIGITS[(bits >> (18 - 6 * at) & 63) as usize]))
    });
    // Those digits that depend on the token alone.
    digits.skip((before.len() * 8).div_ceil(6)).collect()
}

/// The canary as anybody would spell it.
fn spellings() -> Vec<String> {
    let hex: String = TOKEN.bytes().map(|byte| format!("{byte:02x}")).collect();
    let url = TOKEN
        .replace('/', "%2F")
        .replace('+', "%2B")
        .replace('=', "%3D");
    let mut all = vec![TOKEN.to_owned(), hex.to_uppercase(), hex, url];
    for before in ["", "a", "ab"] {
        let standard = base64(before);
        all.push(standard.replace('+', "-").replace('/', "_"));
        all.push(standard);
    }
    all
}

/// `bytes`, and all that is packed in them.
fn unpacked(bytes: &[u8]) -> Vec<u8> {
    const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
    let mut all = bytes.to_vec();
    for at in 0..bytes.len() {
        if bytes[at..].starts_with(&MAGIC)
            && let Ok(mut decoder) = zstd::Decoder::new(&bytes[at..])
        {
            // What follows a frame may be something else; what came before it counts.
            let _ = decoder.read_to_end(&mut all);
        }
    }
    all
}

fn hits(what: &str, bytes: &[u8]) -> Vec<String> {
    let found = |it: &String| bytes.windows(it.len()).any(|part| part == it.as_bytes());
    let all = spellings().into_iter().filter(found);
    all.map(|spelling| format!("{what}: {spelling}")).collect()
}

fn put_token(world: &World, name: &str) {
    world.write(name, format!("{TOKEN}\n"));
    let path = world.path().join(name);
    std::fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

/// Runs `leaks` in one way, with what it needs for all of them.
fn leak(world: &World, way: &str, origin: &str, more: &[&str]) -> Said {
    let module = module("leaks");
    let http = format!("http={origin}");
    let mut all = vec![
        "run",
        "--module",
        &module,
        "--allow",
        "secret:TOKEN=file:token",
    ];
    all.extend(["--allow", &http, "--allow", "read:corpus=corpus"]);
    all.extend(["--way", way, "--service", origin]);
    all.extend(more);
    with_temporary(world, &mut world.command(&all))
}

fn with_temporary(world: &World, command: &mut Command) -> Said {
    let temporary = world.path().join("tmp");
    std::fs::create_dir_all(&temporary).unwrap();
    command.env("TMPDIR", temporary).output().unwrap().into()
}

fn echoing(asked: &Asked) -> Vec<u8> {
    answer("200 OK", &[], &asked.body)
}

#[test]
fn a_step_that_gives_its_secret_away_in_every_way_leaves_nothing_of_it() {
    let (world, server) = (World::new(), Server::start(echoing));
    put_token(&world, "token");
    std::fs::create_dir(world.path().join("corpus")).unwrap();
    put_token(&world, "corpus/token");
    let (origin, mut found) = (server.origin(), Vec::new());
    for (way, expected) in WAYS {
        for more in [&[][..], &["--json"]] {
            let said = leak(&world, way, &origin, more);
            let (text, ended) = (format!("{}{}", said.stdout, said.stderr), said.code);
            match expected {
                None => assert_eq!(ended, 0, "{way}: {text}"),
                Some(words) => assert!(ended == 1 && text.contains(words), "{way}: {text}"),
            }
            found.extend(hits(&format!("what {way} said"), text.as_bytes()));
        }
    }
    let runs = 2 * WAYS.len();
    for run in 1..=runs {
        for command in ["show", "logs"] {
            let said = world.wrun(&[command, &format!("leaks/{run}"), "--json"]);
            found.extend(hits(command, said.stdout.as_bytes()));
        }
    }
    for directory in [world.store(), world.path().join("tmp")] {
        for file in super::grants::files(&directory) {
            let bytes = unpacked(&std::fs::read(&file).unwrap());
            found.extend(hits(&file.display().to_string(), &bytes));
        }
    }
    // The server was told: the secret was really given.
    let asked = server.asked();
    assert!(asked.iter().any(|it| it.body == TOKEN.as_bytes()));
    assert_eq!(found, [""; 0]);
}

/// The search itself must be able to find something.
#[test]
fn the_same_value_as_a_variable_is_found_in_the_datastore() {
    let (world, server) = (World::new(), Server::start(echoing));
    std::fs::create_dir(world.path().join("corpus")).unwrap();
    let module = module("leaks");
    let grant = format!("env:TOKEN={TOKEN}");
    let arguments = [
        "run", "--module", &module, "--allow", &grant, "--way", "artifact",
    ];
    let origin = server.origin();
    let said = world.wrun(
        &[
            &arguments[..],
            &["--service", &origin, "--allow", &format!("http={origin}")],
        ]
        .concat(),
    );
    said.good();
    let files = super::grants::files(&world.store());
    let bytes = files
        .iter()
        .map(|file| unpacked(&std::fs::read(file).unwrap()));
    assert!(bytes.flat_map(|bytes| hits("a file", &bytes)).count() > 0);
}

#[test]
fn a_value_comes_from_where_the_grant_says_and_is_the_same_secret() {
    let world = World::new();
    put_token(&world, "token");
    std::fs::create_dir(world.path().join("corpus")).unwrap();
    let origin = "http://127.0.0.1:9";
    leak(&world, "count", origin, &[]).good();
    assert_eq!(
        world.value("leaks/1/start/said"),
        format!("{} bytes", TOKEN.len())
    );
    let shown = world.json(&["show", "leaks/1"]);
    assert!(
        shown["grants"].to_string().contains("secret:TOKEN=file:"),
        "{shown}"
    );

    // The settings say the same, from where they stand; the later grant holds.
    world.write("wrun.toml", "grants = [\"secret:TOKEN=file:token\"]\n");
    let module = module("leaks");
    let http = format!("http={origin}");
    let run = [
        "run",
        "--module",
        &module,
        "--allow",
        &http,
        "--way",
        "count",
        "--service",
        origin,
    ];
    world.wrun(&run).good();
    let other = [&run[..], &["--allow", "secret:TOKEN=env:OTHER"]].concat();
    let said: Said = world
        .command(&other)
        .env("OTHER", "x")
        .output()
        .unwrap()
        .into();
    said.good();
    assert_eq!(world.value("leaks/3/start/said"), "1 bytes");
    world.wrun(&["replay", "leaks/2"]).good();
    let why = world.wrun(&["why", "leaks/3/start"]).good().stdout;
    assert!(
        why.contains("granted `secret:TOKEN` is not what it was"),
        "{why}"
    );

    world.write("token", "another");
    let said = world.wrun(&["replay", "leaks/2"]);
    assert!(
        said.stderr.contains("the secret `TOKEN` is not at hand"),
        "{}",
        said.stderr
    );
    std::fs::remove_file(world.path().join("token")).unwrap();
    let said = world.wrun(&["replay", "leaks/2"]);
    assert!(
        said.stderr.contains("`[dir]/token` cannot be read")
            || said.stderr.contains("cannot be read"),
        "{}",
        said.stderr
    );
}

#[test]
fn a_source_that_does_not_answer_is_said_before_the_run() {
    let world = World::new();
    let module = module("leaks");
    let run = |grant: &str| {
        let run = [
            "run",
            "--module",
            &module,
            "--way",
            "count",
            "--service",
            "x",
        ];
        let said = world.wrun(
            &[
                &run[..],
                &["--allow", "http=http://127.0.0.1:9", "--allow", grant],
            ]
            .concat(),
        );
        world.text(&said)
    };
    world.write("open", "x");
    let path = world.path().join("open");
    std::fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
    let said = [
        "secret:TOKEN=file:none",
        "secret:TOKEN=file:open",
        "secret:TOKEN=env:NONE",
    ]
    .map(run);
    insta::assert_snapshot!(said.join("\n"), @r"
    error: `secret:TOKEN=file:[dir]/none` is granted, and `[dir]/none` cannot be read
      caused by: No such file or directory (os error 2)
      hint: put the value into a file of text, or correct the path
    exit code 2
    error: `secret:TOKEN=file:[dir]/open` is granted, and `[dir]/open` is open to everybody on this machine
      hint: `chmod 600 [dir]/open`
    exit code 2
    error: `secret:TOKEN=env:NONE` is granted, and the variable `NONE` is not set
      hint: set it: `NONE=… wrun run`, or take the grant away
    exit code 2
    ");
}

#[test]
fn the_doctor_asks_where_secrets_are_and_says_which_walls_stand() {
    let world = World::new();
    put_token(&world, "token");
    let grants = "grants = [\"secret:TOKEN=file:token\", \"secret:OTHER=file:none\"]\n";
    world.write("wrun.toml", grants);
    let said = world.wrun(&["doctor"]);
    assert_eq!(said.code, i32::from(exit::UNAVAILABLE), "{}", said.stdout);
    let path = world.path().display();
    for line in [
        format!("`secret:TOKEN=file:{path}/token` has a value"),
        format!("`secret:OTHER=file:{path}/none`: `{path}/none` cannot be read"),
    ] {
        assert!(said.stdout.contains(&line), "{line}: {}", said.stdout);
    }
    assert_eq!(hits("the doctor", said.stdout.as_bytes()), [""; 0]);
    if cfg!(target_os = "linux") {
        assert!(said.stdout.contains("system calls: "), "{}", said.stdout);
    }
    let mut off = world.command(&["doctor"]);
    let off: Said = off
        .env("WRUN_SANDBOX_CONFINEMENT", "off")
        .output()
        .unwrap()
        .into();
    assert!(
        off.stdout.contains("not confined by the system"),
        "{}",
        off.stdout
    );
}
