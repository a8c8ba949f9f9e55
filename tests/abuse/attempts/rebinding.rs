//! Names whose addresses are this machine's, or become so: asked of a real resolver, in a real name server's words.
//!
//! The name server is the test; the resolver of the system is led to it by another `/etc/resolv.conf`, which only `wrun` sees.
//! That needs the right to mount.

use std::net::{IpAddr, UdpSocket};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{machine, outcomes};
use crate::server::{Server, answer};
use crate::world::module;

/// Where the name server listens: an address of this machine that nobody else uses.
const PLACE: &str = "127.0.0.77:53";

/// What a name's addresses are the first time, and from then on.
const NAMES: &[(&str, &[&str], &[&str])] = &[
    ("inside.example", &["127.0.0.1"], &["127.0.0.1"]),
    (
        "private.example",
        &["10.0.0.1", "172.16.0.1", "192.168.0.1"],
        &["127.0.0.1"],
    ),
    ("turns.example", &["10.0.0.1"], &["127.0.0.1"]),
    (
        "metadata.example",
        &["169.254.169.254", "fd00:ec2::254"],
        &["169.254.169.254"],
    ),
    (
        "dressed.example",
        &["::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"],
        &["::1"],
    ),
    ("nothing.example", &["0.0.0.0", "::"], &["0.0.0.0"]),
    (
        "shared.example",
        &["100.64.0.1", "198.18.0.1"],
        &["100.100.100.200"],
    ),
];

/// A name server that says another thing the second time.
struct Names {
    asked: Arc<Mutex<Vec<String>>>,
    stopped: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Names {
    fn start() -> std::io::Result<Self> {
        let socket = UdpSocket::bind(PLACE)?;
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        let (asked, stopped) = (
            Arc::<Mutex<Vec<String>>>::default(),
            Arc::new(AtomicBool::new(false)),
        );
        let (theirs, end) = (asked.clone(), stopped.clone());
        let thread = std::thread::spawn(move || {
            let mut packet = [0; 512];
            while !end.load(Ordering::SeqCst) {
                let Ok((len, from)) = socket.recv_from(&mut packet) else {
                    continue;
                };
                let reply = said(&packet[..len], &mut theirs.lock().unwrap());
                socket.send_to(&reply, from).unwrap();
            }
        });
        Ok(Self {
            asked,
            stopped,
            thread: Some(thread),
        })
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.thread.take().unwrap().join().unwrap();
    }
}

/// The answer to a question, as RFC 1035 has it.
fn said(question: &[u8], asked: &mut Vec<String>) -> Vec<u8> {
    let (mut labels, mut at) = (Vec::new(), 12);
    while question[at] > 0 {
        let end = at + 1 + usize::from(question[at]);
        labels.push(String::from_utf8_lossy(&question[at + 1..end]).into_owned());
        at = end;
    }
    let (name, kind) = (labels.join("."), question[at + 2]);
    let key = format!("{name} {kind}");
    let again = asked.contains(&key);
    asked.push(key);
    let found = NAMES.iter().find(|it| it.0 == name);
    let addresses = found.map_or(
        &[][..],
        |(_, first, later)| if again { later } else { first },
    );
    let data = addresses
        .iter()
        .filter_map(|it| match (it.parse().unwrap(), kind) {
            (IpAddr::V4(it), 1) => Some(it.octets().to_vec()),
            (IpAddr::V6(it), 28) => Some(it.octets().to_vec()),
            _ => None,
        });
    let data: Vec<_> = data.collect();
    let mut reply = question[..2].to_vec();
    reply.extend([0x81, 0x80, 0, 1, 0, data.len() as u8, 0, 0, 0, 0]);
    reply.extend(&question[12..at + 5]);
    for it in data {
        reply.extend([0xc0, 0x0c, 0, kind, 0, 1, 0, 0, 0, 0, 0, it.len() as u8]);
        reply.extend(it);
    }
    reply
}

/// A command that sees another `/etc/resolv.conf`.
fn led_astray(wrun: &Command, settings: &std::path::Path) -> Command {
    let mut command = Command::new("unshare");
    command
        .args([
            "--mount",
            "sh",
            "-c",
            "mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"",
        ])
        .arg(settings)
        .arg(wrun.get_program())
        .args(wrun.get_args())
        .env_clear();
    for (name, value) in wrun.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    if let Some(directory) = wrun.get_current_dir() {
        command.current_dir(directory);
    }
    command
}

#[test]
fn a_name_that_means_another_address_a_moment_later_is_still_not_asked() {
    let world = machine();
    world.write("resolv.conf", "nameserver 127.0.0.77\n");
    let settings = world.path().join("resolv.conf");
    let mut probe = Command::new("true");
    probe.env("PATH", std::env::var_os("PATH").unwrap());
    let may = led_astray(&probe, &settings)
        .status()
        .is_ok_and(|it| it.success());
    let names = Names::start();
    let Some(names) = names.ok().filter(|_| may) else {
        assert!(
            std::env::var("CI").is_err(),
            "no right to mount, or port 53 is taken"
        );
        eprintln!("ignored: needs the right to mount and port 53 of 127.0.0.77");
        return;
    };
    let server = Server::start(|_| answer("200 OK", &[], b"hello"));
    let port = server.address().port();
    let module = module("abuses");
    let mut arguments: Vec<String> = [
        "run",
        "--quiet",
        "-j",
        "1",
        "--module",
        &module,
        "--neighbours",
        "7",
    ]
    .map(str::to_owned)
    .into();
    for (name, ..) in NAMES {
        arguments.extend(["--allow".into(), format!("http=http://{name}:{port}")]);
    }
    for (name, ..) in NAMES {
        for _ in 0..2 {
            arguments.extend(["--attempts".into(), format!("ask http://{name}:{port}|/")]);
        }
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let said = led_astray(&world.command(&arguments), &settings)
        .output()
        .unwrap();
    assert!(
        said.status.success(),
        "{}",
        String::from_utf8_lossy(&said.stderr)
    );
    for (place, became) in outcomes(&world, NAMES.len() * 2).iter().enumerate() {
        assert_eq!(
            became,
            "ErrorCode::DestinationIpProhibited",
            "{:?}",
            NAMES[place / 2]
        );
    }
    assert!(server.asked().is_empty());
    let asked = names.asked.lock().unwrap().clone();
    for (name, ..) in NAMES {
        // Twice by two tasks: no task asks again what it has been told.
        let times = asked
            .iter()
            .filter(|it| **it == format!("{name} 1"))
            .count();
        assert_eq!(times, 2, "{name}: {asked:?}");
    }
    eprintln!("{} names, {} questions", NAMES.len(), asked.len());
}
