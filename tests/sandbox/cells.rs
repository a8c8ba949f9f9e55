//! Cells as processes: what they have, how they end, what outlives them.

use std::process::{Command, Stdio};
use std::time::Duration;

use wrun::model::failure::FailureKind;
use wrun::model::record::Outcome;
use wrun::sandbox::{Cell, CellError, Launcher};

use crate::harness::*;

#[tokio::test]
async fn a_cell_has_nothing() {
    let mut cell = cell().await;
    let reply = cell
        .run(request("done"), &mut Memory::default())
        .await
        .expect("a reply");
    assert_eq!(reply.result, Ok(Outcome::Done));
    let proc = std::path::Path::new("/proc").join(cell.id().expect("it lives").to_string());
    if let Err(error) = std::fs::read(proc.join("environ")) {
        // Closed to everybody but root, which says more than that it is empty.
        assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
        return;
    }
    assert_eq!(
        std::fs::read(proc.join("environ")).expect("it can be read"),
        b""
    );
    assert_eq!(
        std::fs::read_link(proc.join("cwd"))
            .expect("a directory")
            .as_os_str(),
        "/"
    );
    let mut open: Vec<_> = std::fs::read_dir(proc.join("fd"))
        .expect("it can be read")
        .flatten()
        .map(|entry| std::fs::read_link(entry.path()).expect("an open file"))
        .map(|target| {
            target
                .to_string_lossy()
                .split(':')
                .next()
                .unwrap_or_default()
                .to_owned()
        })
        .filter(|target| target != "socket" && target != "pipe")
        .collect();
    open.sort();
    // What the tests print to is not there, and of files only compiled code and null.
    let code = |target: &String| target.ends_with(".code") || target.contains("memfd");
    // The cell's own: it asks the system which pages of a guest are to be cleared.
    let pages = |target: &String| target.ends_with("/pagemap");
    open.retain(|target| !code(target) && !pages(target) && target != "/dev/null");
    assert_eq!(open, [""; 0], "a cell inherited something");
}

#[tokio::test]
async fn a_cell_runs_one_task_after_another() {
    let mut cell = cell().await;
    for round in 0..300 {
        let step = if round % 3 == 0 {
            "unreachable"
        } else {
            "copy"
        };
        let request = reads(request(step), Some(given(format!("round {round}"))));
        let mut host = Memory::of(&request);
        let reply = cell.run(request, &mut host).await.expect("a reply");
        if step == "copy" {
            assert_eq!(host.body(&reply, "out"), format!("round {round}"));
        } else {
            assert_eq!(reply.result.expect_err("it traps").kind, FailureKind::Trap);
        }
    }
}

#[tokio::test]
async fn tasks_leave_nothing_to_each_other() {
    let mut cell = cell().await;
    let mut texts = Vec::new();
    for step in ["random", "seed", "grow", "random", "recurse", "random"] {
        let mut host = Memory::default();
        let reply = cell.run(request(step), &mut host).await.expect("a reply");
        if step == "random" {
            texts.push(host.body(&reply, "out"));
        }
    }
    assert!(texts.iter().all(|text| *text == texts[0]));
}

#[tokio::test]
async fn a_killed_cell_is_lost_and_says_how() {
    let mut cell = cell().await;
    let pid = cell.id().expect("it lives").to_string();
    let kill = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        Command::new("kill")
            .args(["-9", &pid])
            .status()
            .expect("it can be killed")
    });
    let result = cell.run(request("spin"), &mut Memory::default()).await;
    let message = lost(result);
    assert!(message.contains("signal 9"), "{message}");
    assert!(!cell.is_alive());
    assert!(kill.await.expect("the killer ends").success());
}

#[tokio::test]
async fn a_cell_ends_with_its_handle() {
    let mut cell = cell().await;
    let pid = cell.id().expect("it lives");
    let mut host = Memory::default();
    let running = cell.run(request("spin"), &mut host);
    assert!(
        tokio::time::timeout(Duration::from_millis(200), running)
            .await
            .is_err()
    );
    drop(cell);
    assert!(gone(pid).await, "the cell is still there");
}

/// Even if nobody is left to kill it: its socket closes, and a guest that spins does not keep it.
#[tokio::test]
async fn a_cell_ends_when_its_agent_vanishes() {
    let mut cell = cell().await;
    let pid = cell.id().expect("it lives");
    let mut host = Memory::default();
    let running = cell.run(request("spin"), &mut host);
    assert!(
        tokio::time::timeout(Duration::from_millis(200), running)
            .await
            .is_err()
    );
    cell.hang_up();
    assert!(gone(pid).await, "the cell is still there");
}

async fn gone(pid: u32) -> bool {
    for _ in 0..1200 {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        if stat.is_empty() || stat.contains(") Z ") {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    false
}

#[tokio::test]
async fn a_host_that_fails_is_not_the_steps_fault() {
    let request = reads(request("stream_copy"), Some(large(5 << 20)));
    let mut host = Memory {
        fail: true,
        ..Memory::of(&request)
    };
    let mut cell = cell().await;
    let reply = cell.run(request, &mut host).await.expect("a reply");
    let failure = reply.result.expect_err("it fails");
    assert_eq!(failure.kind, FailureKind::Infrastructure);
    assert_eq!(failure.message, "the disk is on fire");
    assert!(!cell.is_alive());
}

#[tokio::test]
async fn a_cell_that_gets_less_than_it_asked_for_ends() {
    let request = reads(request("stream_copy"), Some(large(5 << 20)));
    let mut host = Memory {
        short: 1,
        ..Memory::of(&request)
    };
    let mut cell = cell().await;
    let lost = cell.run(request, &mut host).await;
    assert!(matches!(lost, Err(CellError::Lost { .. })), "{lost:?}");
}

#[tokio::test]
async fn tasks_come_after_modules() {
    let mut cell = Cell::spawn(&launcher()).await.expect("a cell starts");
    let result = cell.run(request("done"), &mut Memory::default()).await;
    assert!(matches!(result, Err(CellError::NothingLoaded)));
}

#[tokio::test]
async fn a_program_that_is_no_cell_is_refused() {
    for (program, script, expected) in [
        ("/no/such/program", "", "could not start"),
        (
            "/bin/sh",
            "echo no cell >&2; exit 3",
            "exit code 3: no cell",
        ),
        (
            "/bin/sh",
            "echo this is no message >&0; read line",
            "protocol",
        ),
    ] {
        let args = vec!["-c".into(), script.into()];
        let launcher = Launcher {
            program: program.into(),
            args,
        };
        let Err(error) = Cell::spawn(&launcher).await else {
            panic!("{program} is no cell")
        };
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn the_command_explains_itself_to_people() {
    let output = Command::new(env!("CARGO_BIN_EXE_wrun"))
        .arg("cell")
        .stdin(Stdio::null())
        .output()
        .expect("it starts");
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("is started by wrun itself"), "{text}");
}

/// Starts cells as `wrun` does, but under other conditions.
fn elsewhere() -> Launcher {
    let script = "cd /usr && umask 077 && ulimit -n 64 && \
                  TZ=Asia/Tokyo LC_ALL=tr_TR.UTF-8 HOME=/usr TMPDIR=/usr exec nice \"$0\" cell";
    Launcher {
        program: "/bin/sh".into(),
        args: ["-c", script]
            .map(Into::into)
            .into_iter()
            .chain([launcher().program.into()])
            .collect(),
    }
}

/// One behaviour for each source of chance that a step could meet.
const CHANCES: [&str; 13] = [
    "read_clock",
    "sleep",
    "wait_for_clock",
    "random",
    "seed",
    "hash_order",
    "list_env",
    "scratch_files",
    "scratch_full",
    "scratch_escape",
    "read_directory",
    "read_in_pieces",
    "grow_politely",
];

#[tokio::test]
async fn no_source_of_chance_gives_anything_else_under_other_conditions() {
    let other = elsewhere();
    let (mut here, mut there) = (
        cell().await,
        Cell::spawn(&other).await.expect("a cell starts"),
    );
    there.load(&guests().await).await.expect("the guests load");
    // In the other cell in another order, and after other tasks.
    let mut found = std::collections::BTreeMap::new();
    for (cell, steps) in [
        (&mut here, CHANCES.to_vec()),
        (
            &mut there,
            CHANCES
                .iter()
                .rev()
                .flat_map(|step| [*step, "fill_table", *step])
                .collect(),
        ),
    ] {
        for step in steps {
            let mut host = Memory::default();
            let reply = cell.run(corpus(step), &mut host).await.expect("a reply");
            assert_eq!(reply.result, Ok(Outcome::Done), "{step}");
            if step == "fill_table" {
                continue;
            }
            let out = (host.body(&reply, "out"), host.looked, reply.peak_memory);
            let first = found.entry(step).or_insert_with(|| out.clone());
            assert_eq!(*first, out, "{step}");
        }
    }
    assert_eq!(found.len(), CHANCES.len());
}
