//! Peers that pretend to be cells, and do what a cell that was taken over could do.
//!
//! The agent starts this very program, which becomes [`peer`]: an ignored test that nobody asks for
//! otherwise. It plays a script from a file on the socket that is its standard input. Whatever it does, the
//! agent gives an error that names it or a failure, holds no more memory than a message may have, and ends in time.

use std::io::{IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use serde::{Deserialize, Serialize};
use wrun::model::record::{LogChunk, Observed, Outcome, Stream};
use wrun::sandbox::call::{Body, Look, Put, Question, Reply, Source};
use wrun::sandbox::wire::{self, PREFIX, ToAgent, ToCell, VERSION};
use wrun::sandbox::{Cell, CellError, Launcher};

use crate::harness::{Memory, corpus, example, given, prepare, reads};

/// What a peer does, one thing after the other.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Act {
    /// Greets as a cell does.
    Greet,
    /// Reads one frame and forgets it.
    Take,
    /// Sends bytes.
    Send(Vec<u8>),
    /// Sends bytes with a file.
    SendWithFile(Vec<u8>),
    /// Sends zeros without end.
    Flood,
    /// Reads until the other side ends.
    Stay,
}

/// Becomes a peer when the agent of a test has started this program.
#[test]
#[ignore = "needs an agent that starts it"]
fn peer() {
    let script = std::env::args().find_map(|it| it.strip_prefix("script=").map(PathBuf::from));
    let Some(script) = script else { return };
    let acts: Vec<Act> = serde_json::from_slice(&std::fs::read(script).unwrap()).unwrap();
    let mut socket = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned().unwrap());
    for act in acts {
        if play(&mut socket, act).is_none() {
            break;
        }
    }
}

/// None when the other side has ended.
fn play(socket: &mut UnixStream, act: Act) -> Option<()> {
    match act {
        Act::Greet => {
            let order: ToCell = wire_decode(&take(socket)?);
            let ToCell::Hello { nonce, .. } = order else {
                return None;
            };
            let ready = ToAgent::Ready {
                version: VERSION,
                nonce,
                walls: Vec::new(),
            };
            socket.write_all(&frame(&ready, b"")).ok()
        }
        Act::Take => take(socket).map(|_| ()),
        Act::Send(bytes) => socket.write_all(&bytes).ok(),
        Act::SendWithFile(bytes) => {
            let file = std::fs::File::open("/dev/null").ok()?;
            let files = [file.as_fd(), file.as_fd()];
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
            let mut ancillary = SendAncillaryBuffer::new(&mut space);
            ancillary.push(SendAncillaryMessage::ScmRights(&files));
            let parts = [IoSlice::new(&bytes)];
            sendmsg(&*socket, &parts, &mut ancillary, SendFlags::empty())
                .ok()
                .map(|_| ())
        }
        Act::Flood => loop {
            socket.write_all(&[0; 1 << 16]).ok()?;
        },
        Act::Stay => {
            let mut buffer = [0; 4096];
            while socket.read(&mut buffer).ok()? > 0 {}
            None
        }
    }
}

fn take(socket: &mut UnixStream) -> Option<Vec<u8>> {
    let mut prefix = [0; PREFIX];
    socket.read_exact(&mut prefix).ok()?;
    let (head, body) = wire::lengths(prefix);
    let mut bytes = vec![0; head + body];
    socket.read_exact(&mut bytes).ok()?;
    bytes.truncate(head);
    Some(bytes)
}

fn wire_decode(head: &[u8]) -> ToCell {
    wire::message(head).unwrap()
}

fn frame(message: &ToAgent, body: &[u8]) -> Vec<u8> {
    let mut frame = wire::head(message, body.len()).unwrap();
    frame.extend_from_slice(body);
    frame
}

fn send(message: &ToAgent) -> Act {
    Act::Send(frame(message, b""))
}

fn done(puts: Vec<Put>) -> ToAgent {
    ToAgent::Done(Box::new(Reply {
        result: Ok(Outcome::Done),
        puts,
        logs: Vec::new(),
        observed: Observed::NOTHING,
        cpu_us: 0,
        peak_memory: 0,
    }))
}

fn put(name: &str, body: Body) -> Put {
    Put {
        name: name.parse().unwrap(),
        media: wrun::model::artifact::MediaType::new("text/plain"),
        body,
    }
}

fn look(directory: u32, path: &str) -> ToAgent {
    ToAgent::Look(Question {
        directory,
        path: path.into(),
        look: Look::Open,
    })
}

/// Plays a script against an agent that loads a module and runs a task; says how that ended.
async fn against(directory: &Path, number: usize, acts: &[Act]) -> String {
    let script = directory.join(format!("{number}.json"));
    std::fs::write(&script, serde_json::to_vec(acts).unwrap()).unwrap();
    let launcher = Launcher {
        program: std::env::current_exe().unwrap(),
        args: ["--ignored", "--exact", "peers::peer", "--nocapture"]
            .map(Into::into)
            .into_iter()
            .chain([format!("script={}", script.display()).into()])
            .collect(),
    };
    let ended = async {
        let mut cell = Cell::spawn(&launcher).await?;
        let module = prepare(&example("traps")).await.unwrap();
        cell.load(&module).await?;
        let mut request = reads(corpus("done"), Some(given("x")));
        request.limits.timeout_ms = 5_000;
        request.limits.output_mib = 1;
        request.limits.log_kib = 1;
        cell.run(request, &mut Memory::default()).await
    };
    let ended: Result<Reply, CellError> = ended.await;
    match ended {
        Ok(reply) => match reply.result {
            Ok(_) => "it was believed".into(),
            Err(failure) => format!("{:?}: {}", failure.kind, failure.message),
        },
        Err(error) => error.to_string(),
    }
}

/// Until a task runs.
fn loaded() -> Vec<Act> {
    vec![Act::Greet, Act::Take, send(&ToAgent::Loaded), Act::Take]
}

/// What a peer says while its task runs, and what the agent must say of it.
fn lies() -> Vec<(&'static str, Vec<Act>, &'static str)> {
    let large = |head: u32, body: u32| Act::Send([head.to_le_bytes(), body.to_le_bytes()].concat());
    let written = |writer, len| {
        send(&ToAgent::Write {
            writer,
            slot: 0,
            len,
        })
    };
    let slot = |slot, len| {
        send(&ToAgent::Write {
            writer: 1,
            slot,
            len,
        })
    };
    let create = |writer| {
        let media = wrun::model::artifact::MediaType::new("text/plain");
        send(&ToAgent::Create { writer, media })
    };
    let read = |source, len| {
        send(&ToAgent::Read {
            source,
            offset: 0,
            len,
            slot: 0,
        })
    };
    let chunk = || LogChunk {
        stream: Stream::Stdout,
        bytes: vec![b'x'; 1 << 16].into(),
    };
    vec![
        (
            "tells the truth",
            vec![send(&done(vec![put("out", Body::Bytes("x".into()))]))],
            "it was believed",
        ),
        (
            "announces a head of 4 GiB",
            vec![large(u32::MAX, 0)],
            "protocol",
        ),
        (
            "announces a body of 4 GiB",
            vec![large(1, u32::MAX)],
            "protocol",
        ),
        (
            "announces 32 MiB and stays",
            vec![large(32 << 20, 0), Act::Stay],
            "longer than 5 s",
        ),
        ("sends half of a head", vec![Act::Send(vec![9, 0])], "lost"),
        ("sends nothing more", vec![], "lost"),
        ("stays silent", vec![Act::Stay], "longer than 5 s"),
        ("floods with zeros", vec![Act::Flood], "protocol"),
        ("sends a message of no bytes", vec![large(0, 0)], "protocol"),
        (
            "sends a message of another kind",
            vec![Act::Send(vec![1, 0, 0, 0, 0, 0, 0, 0, 0xff])],
            "protocol",
        ),
        (
            "greets again",
            vec![send(&ToAgent::Ready {
                version: VERSION,
                nonce: 1,
                walls: Vec::new(),
            })],
            "out of turn",
        ),
        ("loads again", vec![send(&ToAgent::Loaded)], "out of turn"),
        (
            "has compiled",
            vec![send(&ToAgent::Compiled { imports: vec![] })],
            "out of turn",
        ),
        (
            "refuses late",
            vec![send(&ToAgent::Refused(
                wrun::sandbox::execute::Refusal::World("x".into()),
            ))],
            "out of turn",
        ),
        (
            "reads what is not read",
            vec![read(Source::Read(1), 1)],
            "does not read",
        ),
        (
            "reads a file that is not open",
            vec![read(Source::File(0), 1)],
            "does not read",
        ),
        (
            "reads more than a piece",
            vec![read(Source::Read(0), u32::MAX)],
            "does not read",
        ),
        (
            "reads a branch",
            vec![read(Source::Branch { branch: 0, name: 0 }, 1)],
            "does not read",
        ),
        (
            "asks for branches",
            vec![send(&ToAgent::Branches {
                name: 0,
                first: 0,
                budget: 1,
            })],
            "does not have",
        ),
        (
            "asks for the task of a branch",
            vec![send(&ToAgent::BranchTask { branch: 0 })],
            "does not have",
        ),
        (
            "looks above a directory",
            vec![send(&look(0, "../secret"))],
            "not granted",
        ),
        (
            "looks at an absolute path",
            vec![send(&look(0, "/etc/passwd"))],
            "not granted",
        ),
        (
            "looks at a path with NUL",
            vec![send(&look(0, "a\0b"))],
            "not granted",
        ),
        (
            "looks at a path of 5000 bytes",
            vec![send(&look(0, &"a".repeat(5000)))],
            "not granted",
        ),
        (
            "looks at dots in the middle",
            vec![send(&look(0, "a/./b"))],
            "not granted",
        ),
        (
            "looks into a third directory",
            vec![send(&look(2, "a.txt"))],
            "not granted",
        ),
        (
            "opens a writer twice",
            vec![create(1), create(1)],
            "must not open",
        ),
        ("writes without a writer", vec![written(7, 1)], "not open"),
        (
            "writes from a slot that there is not",
            vec![create(1), slot(12, 1)],
            "not open",
        ),
        (
            "writes from the last slot of all",
            vec![create(1), slot(u32::MAX, 1)],
            "not open",
        ),
        (
            "writes more than a slot has",
            vec![create(1), slot(0, (1 << 20) + 1)],
            "not open",
        ),
        (
            "writes 4 GiB from a slot",
            vec![create(1), slot(0, u32::MAX)],
            "not open",
        ),
        (
            "writes more than it may",
            vec![create(1), written(1, 1 << 20), written(1, 1)],
            "more than its task may",
        ),
        (
            "writes a name that it does not declare",
            vec![send(&done(vec![put("other", Body::Bytes("x".into()))]))],
            "does not declare",
        ),
        (
            "writes a name twice",
            vec![send(&done(vec![
                put("out", Body::Bytes("x".into())),
                put("out", Body::Bytes("y".into())),
            ]))],
            "twice",
        ),
        (
            "writes from no writer",
            vec![send(&done(vec![put("out", Body::Written(3))]))],
            "from nowhere",
        ),
        (
            "passes what it does not read",
            vec![send(&done(vec![put("out", Body::Passed(Source::Read(9)))]))],
            "from nowhere",
        ),
        (
            "passes a file",
            vec![send(&done(vec![put("out", Body::Passed(Source::File(0)))]))],
            "from nowhere",
        ),
        (
            "sends files along",
            vec![Act::SendWithFile(frame(&done(vec![]), b""))],
            "it was believed",
        ),
        (
            "prints more than it may",
            (0..20)
                .map(|_| send(&ToAgent::Logs(vec![chunk()])))
                .chain([send(&done(vec![]))])
                .collect(),
            "printed more",
        ),
        (
            "tells a megabyte of progress",
            vec![send(&ToAgent::Progress {
                done: 1,
                total: 2,
                message: "x".repeat(1 << 20),
            })],
            "more of its progress",
        ),
        (
            "is done, and goes on",
            vec![send(&done(vec![])), send(&done(vec![])), Act::Flood],
            "it was believed",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_lie_is_believed() {
    let directory = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    for (number, (name, acts, must)) in lies().into_iter().enumerate() {
        let said = against(directory.path(), number, &[loaded(), acts].concat()).await;
        if !said.contains(must) {
            wrong.push(format!("{name}: must say `{must}`, said `{said}`"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_greeting_that_is_none_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let ready = |version, nonce| {
        let walls = Vec::new();
        let ready = ToAgent::Ready {
            version,
            nonce,
            walls,
        };
        vec![Act::Take, send(&ready)]
    };
    for (number, acts) in [
        ready(VERSION, u64::MAX),
        ready(VERSION + 1, 1),
        vec![send(&ToAgent::Loaded)],
        vec![Act::Flood],
        vec![],
    ]
    .into_iter()
    .enumerate()
    {
        let said = against(directory.path(), number, &acts).await;
        let named = ["protocol", "lost", "greeted"]
            .iter()
            .any(|part| said.contains(part));
        assert!(named, "{acts:?}: {said}");
    }
}

/// A stream of numbers that looks like chance and is the same every time.
fn noise(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    }
}

/// Truths with bytes turned, cut off or put in, and ends at every byte.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_damaged_conversation_harms_the_agent() {
    let directory = tempfile::tempdir().unwrap();
    let media = wrun::model::artifact::MediaType::new("text/plain");
    let truth = [
        frame(&ToAgent::Create { writer: 1, media }, b""),
        frame(
            &ToAgent::Write {
                writer: 1,
                slot: 0,
                len: 5,
            },
            b"",
        ),
        frame(
            &ToAgent::Progress {
                done: 1,
                total: 2,
                message: "on".into(),
            },
            b"",
        ),
        frame(&look(0, "a.txt"), b""),
        frame(&done(vec![put("out", Body::Written(1))]), b""),
    ]
    .concat();
    // The module is compiled before, by a cell that is one.
    prepare(&example("traps")).await.unwrap();
    let cases = crate::count("WRUN_ABUSE_PEERS", 100);
    for number in 0..cases {
        let mut next = noise(number as u64 + 1);
        let mut bytes = truth.clone();
        if number < truth.len() {
            bytes.truncate(number);
        } else {
            for _ in 0..=next() % 4 {
                let at = next() as usize % bytes.len();
                match next() % 3 {
                    0 => bytes[at] = next() as u8,
                    1 => bytes[at] ^= 1 << (next() % 8),
                    _ => bytes.insert(at, next() as u8),
                }
            }
        }
        let said = against(
            directory.path(),
            number,
            &[loaded(), vec![Act::Send(bytes)]].concat(),
        )
        .await;
        let known = ["it was believed", "protocol", "lost"];
        assert!(
            known.iter().any(|part| said.contains(part)),
            "case {number}: {said}"
        );
    }
    let own = crate::running::peak_mib(rustix::process::getpid());
    assert!(own < 1024, "the agent had {own} MiB");
    eprintln!("{cases} damaged conversations");
}

/// A hostile agent: the cell ends, and says why.
#[test]
fn a_cell_that_is_told_nonsense_ends() {
    use std::os::fd::OwnedFd;
    use std::process::{Command, Stdio};
    for bytes in [
        &[0xff; 64][..],
        &[0, 0, 0, 0, 0, 0, 0, 0],
        &[1, 0, 0, 0, 0, 0, 0, 0, 4],
        &[0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0],
        b"",
    ] {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let mut cell = Command::new(env!("CARGO_BIN_EXE_wrun"))
            .arg("cell")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // An error means that it has ended already.
        let _ = ours.write_all(bytes);
        drop(ours);
        cell.wait().unwrap();
    }
}
