//! What a cell keeps itself from, tried from inside.
//!
//! `attempt` is what the tables of the other tests execute, in a process of its own: it builds the
//! walls that a cell builds, and then does what somebody would who has taken it over. Each row is
//! tried without walls too, where it must have another end: a row that nothing refuses proves
//! nothing.

use std::ffi::CString;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use wrun::model::confinement::Confinement;
use wrun::model::record::Outcome;
use wrun::sandbox::cell::confine::{self, Fate, fate_of, landlocked};
use wrun::sandbox::{Cell, Launcher};

use crate::harness::*;

/// What tells `attempt` what to do.
const ROW: &str = "WRUN_TEST_ATTEMPT";
const SIGSYS: i32 = 31;

/// What an attempt must end with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// With `EPERM`.
    Refused,
    /// With the end of the process.
    Killed,
}
use End::{Killed, Refused};

type Try = fn() -> io::Result<()>;
/// A name, what must become of it, and what is done.
type Row = (&'static str, End, Try);

fn call(number: libc::c_long, arguments: [usize; 6]) -> io::Result<()> {
    let [a, b, c, d, e, f] = arguments;
    // SAFETY: every row gives arguments with which the system reads no memory but what they point
    // to, and writes none.
    match unsafe { libc::syscall(number, a, b, c, d, e, f) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

fn plain(number: libc::c_long) -> io::Result<()> {
    call(number, [0; 6])
}

fn path(number: libc::c_long, path: &str, rest: [usize; 3]) -> io::Result<()> {
    let path = CString::new(path)?;
    let [c, d, e] = rest;
    let here = libc::AT_FDCWD as usize;
    call(number, [here, path.as_ptr() as usize, c, d, e, 0])
}

fn parent() -> usize {
    std::os::unix::process::parent_id() as usize
}

/// Everything that somebody would do next.
const ROWS: &[Row] = &[
    // Files.
    ("read a file", Refused, || {
        std::fs::read("/etc/passwd").map(drop)
    }),
    ("write a file", Refused, || {
        std::fs::write("/tmp/wrun-no-such/f", "x")
    }),
    ("list a directory", Refused, || {
        std::fs::read_dir("/").map(drop)
    }),
    ("make a directory", Refused, || {
        path(libc::SYS_mkdirat, "/tmp/wrun-no-such/d", [0o700, 0, 0])
    }),
    ("remove a file", Refused, || {
        path(libc::SYS_unlinkat, "/tmp/wrun-no-such", [0, 0, 0])
    }),
    ("make a link", Refused, || {
        std::os::unix::fs::symlink("a", "/tmp/wrun-no-such/l")
    }),
    ("rename a file", Refused, || {
        std::fs::rename("/tmp/wrun-no-such", "/tmp/wrun-no-such-2")
    }),
    ("ask about a file", Refused, || {
        std::fs::metadata("/etc/passwd").map(drop)
    }),
    ("read a link", Refused, || {
        std::fs::read_link("/proc/self/exe").map(drop)
    }),
    ("go to a directory", Refused, || {
        std::env::set_current_dir("/tmp")
    }),
    ("open anew what is open", Refused, || {
        std::fs::read("/proc/self/fd/0").map(drop)
    }),
    ("its own memory as a file", Refused, || {
        std::fs::File::open("/proc/self/mem").map(drop)
    }),
    ("the memory of its parent", Refused, || {
        std::fs::File::open(format!("/proc/{}/mem", parent())).map(drop)
    }),
    ("the variables of its parent", Refused, || {
        std::fs::read(format!("/proc/{}/environ", parent())).map(drop)
    }),
    ("change rights", Refused, || {
        path(libc::SYS_fchmodat, "/tmp", [0o1777, 0, 0])
    }),
    ("watch files", Refused, || plain(libc::SYS_inotify_init1)),
    ("a pipe", Refused, || {
        let mut ends = [0i32; 2];
        call(libc::SYS_pipe2, [ends.as_mut_ptr() as usize, 0, 0, 0, 0, 0])
    }),
    ("a terminal", Refused, || {
        call(
            libc::SYS_ioctl,
            [
                0,
                libc::FIONREAD as usize,
                [0u64; 1].as_mut_ptr() as usize,
                0,
                0,
                0,
            ],
        )
    }),
    // Programs and processes.
    ("a program", Killed, || {
        Command::new("/bin/true").spawn().map(drop)
    }),
    ("become a program", Killed, || {
        use std::os::unix::process::CommandExt;
        Err(Command::new("/bin/true").exec())
    }),
    ("a program from memory", Killed, || {
        call(
            libc::SYS_execveat,
            [
                0,
                c"".as_ptr() as usize,
                0,
                0,
                libc::AT_EMPTY_PATH as usize,
                0,
            ],
        )
    }),
    ("a process", Killed, || {
        call(libc::SYS_clone, [libc::SIGCHLD as usize, 0, 0, 0, 0, 0])
    }),
    #[cfg(target_arch = "x86_64")]
    ("a process, the old way", Killed, || plain(libc::SYS_fork)),
    ("look into its parent", Killed, || {
        call(
            libc::SYS_ptrace,
            [libc::PTRACE_SEIZE as usize, parent(), 0, 0, 0, 0],
        )
    }),
    ("be looked into", Killed, || {
        call(
            libc::SYS_ptrace,
            [libc::PTRACE_TRACEME as usize, 0, 0, 0, 0, 0],
        )
    }),
    ("read the memory of its parent", Killed, || {
        call(libc::SYS_process_vm_readv, [parent(), 0, 0, 0, 0, 0])
    }),
    ("write the memory of its parent", Killed, || {
        call(libc::SYS_process_vm_writev, [parent(), 0, 0, 0, 0, 0])
    }),
    ("hold its parent", Killed, || {
        call(libc::SYS_pidfd_open, [parent(), 0, 0, 0, 0, 0])
    }),
    ("files of its parent", Killed, || {
        call(libc::SYS_pidfd_getfd, [0, 0, 0, 0, 0, 0])
    }),
    ("a signal to its parent", Refused, || {
        call(libc::SYS_kill, [parent(), 0, 0, 0, 0, 0])
    }),
    ("a signal to everybody", Refused, || {
        call(libc::SYS_kill, [usize::MAX, 0, 0, 0, 0, 0])
    }),
    ("a signal to a thread of its parent", Refused, || {
        call(libc::SYS_tgkill, [parent(), parent(), 0, 0, 0, 0])
    }),
    ("outlive its agent", Refused, || {
        call(
            libc::SYS_prctl,
            [libc::PR_SET_PDEATHSIG as usize, 0, 0, 0, 0, 0],
        )
    }),
    ("be inspected", Refused, || {
        call(
            libc::SYS_prctl,
            [libc::PR_SET_DUMPABLE as usize, 1, 0, 0, 0, 0],
        )
    }),
    ("a session of its own", Refused, || plain(libc::SYS_setsid)),
    ("limits of its parent", Refused, || {
        let mut limit = [0u64; 2];
        call(
            libc::SYS_prlimit64,
            [parent(), 7, 0, limit.as_mut_ptr() as usize, 0, 0],
        )
    }),
    ("change limits", Refused, || {
        let limit = [0u64; 2];
        call(
            libc::SYS_prlimit64,
            [0, 4, limit.as_ptr() as usize, 0, 0, 0],
        )
    }),
    // Connections.
    ("TCP", Killed, || {
        std::net::TcpStream::connect("127.0.0.1:9").map(drop)
    }),
    ("UDP", Killed, || {
        std::net::UdpSocket::bind("127.0.0.1:0").map(drop)
    }),
    ("listen", Killed, || {
        std::net::TcpListener::bind("127.0.0.1:0").map(drop)
    }),
    ("a socket of the machine", Killed, || {
        std::os::unix::net::UnixStream::connect("/run/x").map(drop)
    }),
    ("a pair of sockets", Killed, || {
        std::os::unix::net::UnixStream::pair().map(drop)
    }),
    ("the kernel's own protocol", Killed, || {
        call(
            libc::SYS_socket,
            [
                libc::AF_NETLINK as usize,
                libc::SOCK_RAW as usize,
                0,
                0,
                0,
                0,
            ],
        )
    }),
    ("connect what is open", Killed, || plain(libc::SYS_connect)),
    ("bind what is open", Killed, || plain(libc::SYS_bind)),
    ("take a connection", Killed, || plain(libc::SYS_accept4)),
    // Ways around, and large parts of the kernel.
    ("io_uring", Killed, || {
        call(libc::SYS_io_uring_setup, [1, 0, 0, 0, 0, 0])
    }),
    ("bpf", Killed, || plain(libc::SYS_bpf)),
    ("userfaultfd", Killed, || plain(libc::SYS_userfaultfd)),
    ("performance counters", Killed, || {
        plain(libc::SYS_perf_event_open)
    }),
    ("a key", Killed, || plain(libc::SYS_add_key)),
    ("keys", Killed, || plain(libc::SYS_keyctl)),
    ("a filter of its own", Refused, || {
        call(libc::SYS_seccomp, [1, 0, 0, 0, 0, 0])
    }),
    ("another personality", Killed, || {
        call(libc::SYS_personality, [0xffff_ffff, 0, 0, 0, 0, 0])
    }),
    ("a name space", Killed, || {
        call(
            libc::SYS_unshare,
            [libc::CLONE_NEWUSER as usize, 0, 0, 0, 0, 0],
        )
    }),
    ("another name space", Killed, || plain(libc::SYS_setns)),
    ("a mount", Killed, || plain(libc::SYS_mount)),
    ("another root", Killed, || plain(libc::SYS_chroot)),
    ("a file by its handle", Killed, || {
        plain(libc::SYS_open_by_handle_at)
    }),
    ("another user", Killed, || {
        call(libc::SYS_setuid, [usize::MAX, 0, 0, 0, 0, 0])
    }),
    ("more rights", Killed, || plain(libc::SYS_capset)),
    ("a module of the kernel", Killed, || {
        plain(libc::SYS_finit_module)
    }),
    ("another kernel", Killed, || plain(libc::SYS_kexec_load)),
    ("an end of the machine", Killed, || plain(libc::SYS_reboot)),
    ("another name of the machine", Refused, || {
        call(libc::SYS_sethostname, [0, usize::MAX, 0, 0, 0, 0])
    }),
    ("another time", Refused, || plain(libc::SYS_clock_settime)),
    ("shared memory", Refused, || {
        call(libc::SYS_shmat, [usize::MAX, 0, 0, 0, 0, 0])
    }),
    ("a queue of messages", Refused, || {
        call(libc::SYS_msgrcv, [usize::MAX, 0, 0, 0, 0, 0])
    }),
    ("a timer with a signal", Refused, || {
        plain(libc::SYS_timer_create)
    }),
    ("more time", Refused, || {
        call(libc::SYS_setpriority, [0, 0, 1, 0, 0, 0])
    }),
    ("a processor", Refused, || {
        plain(libc::SYS_sched_setaffinity)
    }),
];

/// Rows that the system refuses to many without any wall.
const NEEDS_RIGHTS: [&str; 3] = [
    "change rights",
    "another name of the machine",
    "another time",
];

/// What landlock alone keeps from, with `EACCES` or `EPERM`.
const BEHIND_LANDLOCK: &[(&str, Try)] = &[
    ("read a file", || std::fs::read("/etc/passwd").map(drop)),
    ("list a directory", || std::fs::read_dir("/").map(drop)),
    ("write a file", || std::fs::write("/tmp/wrun-attempt", "x")),
    ("a program", || {
        use std::os::unix::process::CommandExt;
        Err(Command::new("/bin/true").exec())
    }),
    ("TCP out", || {
        std::net::TcpStream::connect("127.0.0.1:9").map(drop)
    }),
    ("TCP in", || {
        std::net::TcpListener::bind("127.0.0.1:0").map(drop)
    }),
    ("a signal to its parent", || {
        call(libc::SYS_kill, [parent(), 0, 0, 0, 0, 0])
    }),
];

/// A process that does what `row` says, behind the walls that it says.
fn attempt_of(row: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("the tests run"));
    command
        .args([
            "--exact",
            "--ignored",
            "--nocapture",
            "confinement::attempt",
        ])
        .env(ROW, row)
        .stdin(Stdio::null());
    command
}

fn outcome(result: io::Result<()>) -> String {
    match result {
        Ok(()) => "done".to_owned(),
        Err(error) => format!("{:?}", error.raw_os_error()),
    }
}

#[test]
#[ignore = "is what the other tests execute, in a process of its own"]
fn attempt() {
    let row = std::env::var(ROW).expect("it is named");
    let (walls, row) = row.split_once(':').expect("walls and a row");
    match walls {
        "all" => assert_eq!(confine::confine(Confinement::Best).len(), 8),
        "landlock" => drop(landlocked()),
        _ => {}
    }
    if row == "every refused row" {
        for (name, _, attempt) in ROWS.iter().filter(|(_, end, _)| *end == Refused) {
            println!("\nrow {name}: {}", outcome(attempt()));
        }
        return;
    }
    let behind = BEHIND_LANDLOCK.iter().find(|(name, _)| *name == row);
    let attempt = match (walls, behind) {
        ("landlock", Some((_, attempt))) => attempt,
        _ => {
            &ROWS
                .iter()
                .find(|(name, ..)| *name == row)
                .expect("a row")
                .2
        }
    };
    println!("\nrow {row}: {}", outcome(attempt()));
}

fn said(row: &str, output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let start = format!("row {row}: ");
    let line = text.lines().find_map(|line| line.strip_prefix(&start));
    line.unwrap_or_else(|| panic!("`{row}` said nothing: {text}"))
        .to_owned()
}

#[test]
fn every_attempt_is_refused_or_ends_the_process() {
    let refused = format!("{:?}", Some(libc::EPERM));
    let behind = attempt_of("all:every refused row")
        .output()
        .expect("it starts");
    let before = attempt_of("none:every refused row")
        .output()
        .expect("it starts");
    for (name, end, _) in ROWS {
        match end {
            Refused => {
                assert_eq!(said(name, &behind.stdout), refused, "{name}");
                let alone = said(name, &before.stdout);
                let free = alone != refused || NEEDS_RIGHTS.contains(name);
                assert!(free, "{name} is refused without walls");
            }
            Killed => {
                let ended = attempt_of(&format!("all:{name}"))
                    .output()
                    .expect("it starts");
                assert_eq!(ended.status.signal(), Some(SIGSYS), "{name}: {ended:?}");
            }
        }
    }
}

#[tokio::test]
async fn landlock_holds_alone() {
    if let Some(missing) = confine::missing(&walls_here().await) {
        // No installation changes the kernel: whoever looks on must see it.
        eprintln!("ignored: landlock is not tried: {missing}");
        return;
    }
    for (name, _) in BEHIND_LANDLOCK {
        let ended = attempt_of(&format!("landlock:{name}"))
            .output()
            .expect("it starts");
        let said = said(name, &ended.stdout);
        let refusals = [libc::EACCES, libc::EPERM].map(|errno| format!("{:?}", Some(errno)));
        assert!(refusals.contains(&said), "{name}: {said}");
    }
}

#[test]
fn the_table_has_every_call_that_ends_the_process() {
    let killed = (0..600)
        .filter(|number| fate_of(*number) == Fate::Killed)
        .count();
    let rows = ROWS.iter().filter(|(_, end, _)| *end == Killed).count();
    assert!(
        rows >= 35 && killed >= rows,
        "{rows} rows for {killed} calls"
    );
}

fn status(cell: &Cell) -> String {
    let id = cell.id().expect("it lives");
    std::fs::read_to_string(format!("/proc/{id}/status")).expect("it can be read")
}

#[tokio::test]
async fn a_cell_is_confined_before_its_first_order() {
    let cell = Cell::spawn(&launcher()).await.expect("a cell starts");
    let status = status(&cell);
    for line in ["NoNewPrivs:\t1", "Seccomp:\t2", "Threads:\t2"] {
        assert!(status.contains(line), "{line}: {status}");
    }
    let filters = status
        .lines()
        .find_map(|line| line.strip_prefix("Seccomp_filters:"));
    let filters: u32 = filters
        .and_then(|text| text.trim().parse().ok())
        .expect("a number");
    // More where the tests themselves are in a container.
    assert!(filters >= 3, "{status}");
    let walls: Vec<&str> = cell.walls().iter().map(|wall| wall.name.as_str()).collect();
    assert_eq!(
        walls,
        [
            "agent",
            "inspection",
            "resources",
            "privileges",
            "files",
            "network",
            "other processes",
            "system calls"
        ]
    );
    let id = cell.id().expect("it lives");
    let limits = std::fs::read_to_string(format!("/proc/{id}/limits")).expect("it can be read");
    let words = |line: &str| {
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let limits: Vec<_> = limits.lines().map(words).collect();
    let has = |start: [&str; 6]| {
        limits
            .iter()
            .any(|line| line.starts_with(&start.map(str::to_owned)))
    };
    assert!(has(["Max", "core", "file", "size", "0", "0"]), "{limits:?}");
    assert!(
        has(["Max", "open", "files", "256", "256", "files"]),
        "{limits:?}"
    );
}

#[tokio::test]
async fn an_operator_can_switch_it_off() {
    let off = launcher().confined(Confinement::Off);
    let cell = Cell::spawn(&off).await.expect("a cell starts");
    assert!(status(&cell).contains("Seccomp:\t0"));
    assert!(cell.walls().is_empty());
}

/// Becomes a cell in a process for which there is no landlock, as in a container whose engine denies
/// it.
fn become_a_cell_without_landlock(confinement: &str) {
    use std::os::unix::process::CommandExt;
    seccompiler::apply_filter(&super::no_landlock::filter()).expect("it is installed");
    let error = Command::new(env!("CARGO_BIN_EXE_wrun"))
        .args(["cell", confinement])
        .exec();
    panic!("{error}");
}

#[test]
#[ignore = "is what another test executes, in a process of its own"]
fn poorer_best() {
    become_a_cell_without_landlock("best");
}

#[test]
#[ignore = "is what another test executes, in a process of its own"]
fn poorer_require() {
    become_a_cell_without_landlock("require");
}

fn poorer(test: &str) -> Launcher {
    let test = format!("confinement::{test}");
    let args = ["--exact", "--ignored", "--nocapture", &test];
    Launcher {
        program: std::env::current_exe().expect("the tests run"),
        args: args.map(Into::into).into(),
    }
}

#[tokio::test]
async fn where_a_wall_is_missing_the_others_stand_and_it_is_said() {
    let mut cell = Cell::spawn(&poorer("poorer_best"))
        .await
        .expect("a cell starts");
    assert!(status(&cell).contains("Seccomp:\t2"));
    let missing = confine::missing(cell.walls());
    insta::assert_snapshot!(missing.expect("no landlock"), @"files, network, other processes: the kernel has no landlock, or a container denies it");
    cell.load(&guests().await).await.expect("the guests load");
    let reply = cell.run(request("done"), &mut Memory::default()).await;
    assert_eq!(reply.expect("a reply").result, Ok(Outcome::Done));
}

#[tokio::test]
async fn whoever_requires_every_wall_gets_no_cell_without() {
    let refused = Cell::spawn(&poorer("poorer_require")).await;
    insta::assert_snapshot!(refused.err().expect("it is refused"), @r#"cells are not confined as `sandbox.confinement = "require"` asks: files, network, other processes: the kernel has no landlock, or a container denies it"#);
    let cell = Cell::spawn(&launcher().confined(Confinement::Require)).await;
    assert_eq!(
        cell.is_ok(),
        confine::missing(&walls_here().await).is_none()
    );
}

async fn walls_here() -> Vec<confine::Wall> {
    let cell = Cell::spawn(&launcher()).await.expect("a cell starts");
    cell.walls().to_vec()
}
