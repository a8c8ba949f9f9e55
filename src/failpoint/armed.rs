//! What happens at the points, as the environment says.
//!
//! ```text
//! WRUN_FAILPOINTS=local.rename[/journal/]=kill@2,stamp.write=ENOSPC
//! ```
//!
//! At the second passing of `local.rename` whose object has `/journal/` in its name the process ends
//! itself by SIGKILL; at every passing of `stamp.write` the step fails with `ENOSPC`.
//! `WRUN_FAILPOINTS_LOG` names a file to which every passing is appended: point, tab, object.

use std::fmt::Display;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::io::Errno;
use rustix::process::{Signal, getpid, kill_process};

/// What happens at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Kill,
    Fail(Errno),
}

/// One point of the plan.
#[derive(Debug)]
struct Armed {
    point: String,
    /// What the name of the object must contain.
    about: String,
    act: Act,
    /// At which passing, from 1; at every one if none is said.
    at: Option<u64>,
    passed: AtomicU64,
}

/// All that was asked for.
#[derive(Debug, Default)]
struct Plan {
    armed: Vec<Armed>,
    log: Option<PathBuf>,
}

/// Passes `point` about `what`.
pub(super) fn pass(point: &'static str, what: &dyn Display) -> io::Result<()> {
    static PLAN: OnceLock<Plan> = OnceLock::new();
    PLAN.get_or_init(Plan::of_environment).pass(point, what)
}

impl Plan {
    fn of_environment() -> Self {
        let text = std::env::var("WRUN_FAILPOINTS").unwrap_or_default();
        let parts = text.split(',').filter(|part| !part.is_empty());
        Self {
            armed: parts.map(Armed::parse).collect(),
            log: std::env::var_os("WRUN_FAILPOINTS_LOG").map(PathBuf::from),
        }
    }

    fn pass(&self, point: &str, what: &dyn Display) -> io::Result<()> {
        if self.armed.is_empty() && self.log.is_none() {
            return Ok(());
        }
        let what = what.to_string();
        if let Some(log) = &self.log {
            note(log, point, &what);
        }
        let mut acts = self.armed.iter().filter_map(|it| it.met(point, &what));
        match acts.next() {
            None => Ok(()),
            Some(Act::Fail(errno)) => Err(errno.into()),
            Some(Act::Kill) => end(),
        }
    }
}

impl Armed {
    /// Reads `point[about]=act@at`.
    ///
    /// # Panics
    /// When it is something else: a test that arms nothing must not pass.
    fn parse(text: &str) -> Self {
        let wrong = || format!("`{text}` in WRUN_FAILPOINTS is not `point[about]=act@at`");
        let (left, right) = text
            .split_once('=')
            .unwrap_or_else(|| panic!("{}", wrong()));
        let (point, about) = left.split_once('[').unwrap_or((left, "]"));
        let (act, at) = match right.split_once('@') {
            Some((act, at)) => (
                act,
                Some(at.parse().unwrap_or_else(|_| panic!("{}", wrong()))),
            ),
            None => (right, None),
        };
        Self {
            point: point.to_owned(),
            about: about.trim_end_matches(']').to_owned(),
            act: Act::parse(act).unwrap_or_else(|| panic!("{}", wrong())),
            at,
            passed: AtomicU64::new(0),
        }
    }

    /// What is to happen now, if this is the passing that is meant.
    fn met(&self, point: &str, what: &str) -> Option<Act> {
        if self.point != point || !what.contains(&self.about) {
            return None;
        }
        let passed = self.passed.fetch_add(1, Ordering::SeqCst) + 1;
        (self.at.is_none_or(|at| at == passed)).then_some(self.act)
    }
}

impl Act {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "kill" => Self::Kill,
            "ENOSPC" => Self::Fail(Errno::NOSPC),
            "EDQUOT" => Self::Fail(Errno::DQUOT),
            "EACCES" => Self::Fail(Errno::ACCESS),
            "EIO" => Self::Fail(Errno::IO),
            "EMFILE" => Self::Fail(Errno::MFILE),
            "EROFS" => Self::Fail(Errno::ROFS),
            _ => return None,
        })
    }
}

/// Appends in one piece, so that lines of several processes do not mix.
fn note(log: &PathBuf, point: &str, what: &str) {
    let file = OpenOptions::new().create(true).append(true).open(log);
    let written = file.and_then(|mut file| file.write_all(format!("{point}\t{what}\n").as_bytes()));
    written.expect("the log of failpoints can be written");
}

/// Ends this process as the system would: nothing is flushed, nothing is dropped.
fn end() -> ! {
    kill_process(getpid(), Signal::KILL).expect("a process may end itself");
    loop {
        std::thread::park();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(text: &str) -> Plan {
        Plan {
            armed: text.split(',').map(Armed::parse).collect(),
            log: None,
        }
    }

    #[test]
    fn a_point_fails_at_the_passing_and_about_the_object_that_are_meant() {
        let plan = plan("a.b[/x/]=ENOSPC@2,c=EIO");
        let errno =
            |point, what: &str| plan.pass(point, &what).err().and_then(|e| e.raw_os_error());
        assert_eq!(errno("a.b", "k/x/1"), None);
        assert_eq!(errno("a.b", "k/y/1"), None);
        assert_eq!(errno("a.c", "k/x/1"), None);
        assert_eq!(errno("a.b", "k/x/2"), Some(Errno::NOSPC.raw_os_error()));
        assert_eq!(errno("a.b", "k/x/3"), None);
        assert_eq!(errno("c", ""), Some(Errno::IO.raw_os_error()));
        assert_eq!(errno("c", ""), Some(Errno::IO.raw_os_error()));
    }

    #[test]
    #[should_panic(expected = "is not `point[about]=act@at`")]
    fn a_plan_that_cannot_be_read_is_no_plan() {
        plan("a.b=ENOENT@1");
    }
}
