//! Attempts of guests, in tables: what is tried, how, and what must become of it.
//!
//! Every attempt is a task of one run of the real `wrun`, which was granted a little of everything. What an
//! attempt says, or the failure that ended it, is read from the run's journal: so it is refused *and* recorded.
//! The run is replayed at the end, without directory and server: whatever an attempt saw was in its trace.

mod artifacts;
mod files;
mod grants;
mod names;
mod network;
mod own;
mod races;
mod rebinding;

use std::fs;
use std::os::unix::fs::symlink;

use wrun::model::artifact::ValueAt;
use wrun::model::failure::FailureKind;
use wrun::model::record::{Outcome, Record};

use crate::server::{Asked, Server, answer};
use crate::world::{World, module};

/// What must become of an attempt.
#[derive(Clone, Copy, Debug)]
pub enum Must {
    /// It says exactly this.
    Say(&'static str),
    /// It fails, and the failure says this.
    Fail(FailureKind, &'static str),
}

use Must::{Fail, Say};

/// What it tries, how, and what must become of it.
pub type Row = (&'static str, &'static str, Must);

/// What is outside of everything that is granted.
pub const SECRET: &str = "t0p-s3cret";

/// A machine with a secret, and a directory full of ways to it.
pub fn machine() -> World {
    let world = World::new();
    let corpus = world.path().join("corpus");
    fs::create_dir_all(corpus.join("sub/deep")).unwrap();
    fs::create_dir(world.path().join("outside")).unwrap();
    for secret in ["secret", "outside/secret", "corpus2"] {
        fs::write(world.path().join(secret), SECRET).unwrap();
    }
    fs::write(corpus.join("a.txt"), "inside").unwrap();
    fs::write(corpus.join("sub/b.txt"), "deeper").unwrap();
    fs::write(corpus.join("aa.txt"), "plain").unwrap();
    for (to, name) in [
        ("../secret", "to-secret"),
        ("../outside", "to-outside"),
        ("/etc/passwd", "to-passwd"),
        ("/", "to-root"),
        ("..", "to-parent"),
        (".", "to-itself"),
        ("sub", "to-sub"),
        ("/proc/self/environ", "to-environ"),
        ("/proc/self/root/etc/passwd", "to-root-of-process"),
        ("/dev/zero", "to-zero"),
        ("loop", "loop"),
        ("chain-2", "chain-1"),
        ("chain-3", "chain-2"),
        ("../secret", "chain-3"),
        ("a.txt/../../secret", "through-a-file"),
        ("sub/../../secret", "out-by-dots"),
        ("nothing", "to-nothing"),
    ] {
        symlink(to, corpus.join(name)).unwrap();
    }
    symlink("../../../secret", corpus.join("sub/deep/up")).unwrap();
    let fifo = corpus.join("fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        fifo,
        rustix::fs::FileType::Fifo,
        0o600.into(),
        0,
    )
    .unwrap();
    drop(std::os::unix::net::UnixListener::bind(corpus.join("socket")).unwrap());
    world
}

/// What the server says to whoever gets through to it.
fn answers(asked: &Asked) -> Vec<u8> {
    let target = asked.line.split(' ').nth(1).unwrap_or_default();
    match target {
        "/away" => answer("302 Found", &["location: http://169.254.169.254/latest"], b""),
        "/silent" => {
            std::thread::park();
            Vec::new()
        }
        "/twice" => b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecret".to_vec(),
        "/lengths" => b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc".to_vec(),
        "/both" => b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n3\r\nabc\r\n0\r\n\r\n".to_vec(),
        "/folded" => b"HTTP/1.1 200 OK\r\nx: a\r\n b\r\ncontent-length: 0\r\n\r\n".to_vec(),
        "/upgrade" => b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n".to_vec(),
        "/header" => [b"HTTP/1.1 200 OK\r\nx: ".to_vec(), vec![b'x'; 100 << 10], b"\r\n\r\n".to_vec()].concat(),
        "/fields" => ["HTTP/1.1 200 OK\r\n", &"x: y\r\n".repeat(500), "\r\n"].concat().into_bytes(),
        "/chunk" => b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\nabc".to_vec(),
        "/short" => b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nabc".to_vec(),
        "/noise" => b"\x00\xff\x00\xff\r\n\r\n".to_vec(),
        "/large" => answer("200 OK", &[], &vec![b'x'; 3 << 20]),
        _ => answer("200 OK", &[], b"hello"),
    }
}

/// Makes the attempts of `rows` in one run, and says what became of each that became something else.
pub fn try_all(rows: &[Row]) {
    let (world, server) = (machine(), Server::start(answers));
    let port = server.address().port().to_string();
    let items: Vec<String> = rows.iter().map(|row| row.1.replace("$P", &port)).collect();
    world.write(
        "wrun.toml",
        "[limits]\nanswer-time = \"3s\"\nanswer = \"1MiB\"\n",
    );
    let said = run(&world, &port, &items);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let became = outcomes(&world, rows.len());
    let mut wrong = Vec::new();
    for ((row, item), became) in rows.iter().zip(&items).zip(&became) {
        assert!(!became.contains(SECRET), "{row:?} got the secret: {became}");
        if !is(row.2, &became.replace(&port, "$P")) {
            wrong.push(format!(
                "{}: `{item}`\n    must {:?}\n    was  {became}",
                row.0, row.2
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        rows.len(),
        wrong.join("\n")
    );
    assert_eq!(
        fs::read_to_string(world.path().join("secret")).unwrap(),
        SECRET
    );
    assert_eq!(
        fs::read_to_string(world.path().join("corpus/a.txt")).unwrap(),
        "inside"
    );
    eprintln!("{} attempts", rows.len());

    drop(server);
    fs::rename(world.path().join("corpus"), world.path().join("gone")).unwrap();
    let replayed = world
        .command(&["replay", "abuses/1"])
        .env("MODE", "fast")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&replayed.stdout);
    assert!(
        text.contains("identical"),
        "{text}{}",
        String::from_utf8_lossy(&replayed.stderr)
    );
}

fn run(world: &World, port: &str, items: &[String]) -> crate::world::Said {
    let module = module("abuses");
    let mut arguments = vec!["run", "--quiet", "--module", &module, "--neighbours", "7"];
    let own = format!("http=http://127.0.0.1:{port}");
    let by_name = format!("http=http://localhost:{port}");
    for grant in [
        "read:corpus=corpus",
        "scratch=1MiB",
        "env:MODE",
        &own,
        &by_name,
    ] {
        arguments.extend(["--allow", grant]);
    }
    for item in items {
        arguments.extend(["--attempts", item]);
    }
    let mut command = world.command(&arguments);
    command
        .env("MODE", "fast")
        .env("AWS_SECRET_ACCESS_KEY", SECRET)
        .env("http_proxy", "http://127.0.0.1:1");
    command.output().unwrap().into()
}

/// What became of the attempts, as the journal of the run has it.
fn outcomes(world: &World, count: usize) -> Vec<String> {
    let mut all = vec![String::from("it was not made"); count];
    for (place, record) in crate::attempted(world) {
        all[place] = match &record.result {
            Ok(Outcome::Done) => said_in(&record),
            Ok(other) => format!("{other:?}"),
            Err(failure) => format!(
                "{:?}: {} {:?} {:?}",
                failure.kind, failure.message, failure.causes, failure.hint
            ),
        };
    }
    all
}

/// What an attempt that came back has written.
pub fn said_in(record: &Record) -> String {
    let said = record
        .artifacts
        .iter()
        .find(|it| it.name.as_str() == "said");
    match said.map(|it| &it.value.at) {
        Some(ValueAt::Inline(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        other => format!("{other:?}"),
    }
}

/// Whether it became of an attempt what must.
fn is(must: Must, became: &str) -> bool {
    match must {
        Say(text) => became == text,
        Fail(kind, text) => became.starts_with(&format!("{kind:?}: ")) && became.contains(text),
    }
}
