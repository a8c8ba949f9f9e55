//! Every key of a datastore.
//!
//! The same keys in a directory and in S3:
//!
//! ```text
//! wrun-datastore                        format version, id                       create-only
//! blobs/<hh>/<64 hex>                   a blob, named by BLAKE3 of its plain bytes
//! snapshots/<64 hex>                    a code snapshot's manifest, named likewise
//! flows/<flow>/index/<inverted number>  header of a run; creating it allots the number
//! flows/<flow>/removed/<inverted number>  what stays of a run that was removed   create-only
//! flows/<flow>/runs/<n>/journal/<seq>   a segment; the first ends with the header create-only
//! flows/<flow>/runs/<n>/jobs/<job>      attempts to be made elsewhere           create-only
//! flows/<flow>/runs/<n>/tasks/<step>/<task>/attempt-<k>  one that was made there  create-only
//! flows/<flow>/runs/<n>/tasks/<step>/<task>/said-<k>-<worker>-<seq>  what it said meanwhile
//! flows/<flow>/runs/<n>/lease           who drives it                             replaced if unchanged
//! flows/<flow>/runs/<n>/summary         what became of an ended run
//! flows/<flow>/runs/<n>/tags            tags as they are now                     replaced if unchanged
//! memo/<64 hex>/<inverted time>-<flow>-<n>  results of a run of this module
//! gc/last                               written when garbage was last collected
//! ```
//!
//! The header lies in the index, so that a run exists with all that is fixed about it or not at
//! all. Numbers in the index are inverted (2^64 - 1 - n), so that a listing gives the newest first.

use super::object::{Key, Prefix};
use crate::model::digest::Digest;
use crate::model::id::{RunId, RunNumber, TaskId};
use crate::model::job::Token;
use crate::model::name::{FlowName, StepName};
use crate::model::time::Timestamp;

fn key(text: String) -> Key {
    Key::new(&text).expect("names, numbers and digests have only characters that keys may have")
}

fn prefix(text: String) -> Prefix {
    Prefix::new(&text).expect("names and numbers have only characters that keys may have")
}

/// Says that there is a datastore, and of which format.
pub(crate) fn format() -> Key {
    key("wrun-datastore".to_owned())
}

/// A blob.
pub(crate) fn blob(digest: &Digest) -> Key {
    let hex = digest.to_string();
    key(format!("blobs/{}/{hex}", &hex[..2]))
}

/// Whether what lies under a key never changes: its name is the digest of what it says.
pub(crate) fn is_immutable(key: &Key) -> bool {
    key.as_str().starts_with("blobs/") || key.as_str().starts_with("snapshots/")
}

/// The manifest of a code snapshot.
pub(crate) fn snapshot(digest: &Digest) -> Key {
    key(format!("snapshots/{digest}"))
}

/// All flows.
pub(crate) fn flows() -> Prefix {
    prefix("flows/".to_owned())
}

/// A key behind all keys of `flow` and before those of any other flow.
pub(crate) fn after_flow(flow: &FlowName) -> Key {
    // `/` is followed by `0` in ASCII: nothing lies between `flow/…` and this key.
    key(format!("flows/{flow}0"))
}

/// The flow to which a key belongs.
pub(crate) fn flow_of(key: &Key) -> Option<FlowName> {
    key.as_str()
        .strip_prefix("flows/")?
        .split('/')
        .next()?
        .parse()
        .ok()
}

/// The headers of all runs of a flow, newest first.
pub(crate) fn index(flow: &FlowName) -> Prefix {
    prefix(format!("flows/{flow}/index/"))
}

/// The header of a run.
pub(crate) fn header(run: &RunId) -> Key {
    key(format!(
        "flows/{}/index/{:020}",
        run.flow,
        u64::MAX - run.number
    ))
}

/// The number of the run whose header has this key.
pub(crate) fn number_of(key: &Key) -> Option<RunNumber> {
    let digits = key.as_str().rsplit('/').next()?;
    digits
        .parse::<u64>()
        .ok()
        .filter(|_| digits.len() == 20)
        .map(|inverted| u64::MAX - inverted)
}

/// The journal of a run.
pub(crate) fn journal(run: &RunId) -> Prefix {
    prefix(format!("flows/{}/runs/{}/journal/", run.flow, run.number))
}

/// A segment of a journal.
pub(crate) fn segment(run: &RunId, number: u64) -> Key {
    key(format!(
        "flows/{}/runs/{}/journal/{number:010}",
        run.flow, run.number
    ))
}

/// The number of the segment with this key.
pub(crate) fn segment_of(key: &Key) -> Option<u64> {
    let digits = key.as_str().rsplit('/').next()?;
    digits.parse().ok().filter(|_| digits.len() >= 10)
}

/// The jobs of a run.
pub(crate) fn jobs(run: &RunId) -> Prefix {
    prefix(format!("flows/{}/runs/{}/jobs/", run.flow, run.number))
}

/// A job.
pub(crate) fn job(run: &RunId, job: &Token) -> Key {
    key(format!("flows/{}/runs/{}/jobs/{job}", run.flow, run.number))
}

/// The job with this key.
pub(crate) fn job_of(key: &Key) -> Option<Token> {
    key.as_str().rsplit('/').next()?.parse().ok()
}

/// What was made elsewhere of a step.
pub(crate) fn tasks(run: &RunId, step: &StepName) -> Prefix {
    let (flow, number) = (&run.flow, run.number);
    prefix(format!("flows/{flow}/runs/{number}/tasks/{step}/"))
}

/// A key before all that was made elsewhere of `task`, and behind that of tasks before it.
pub(crate) fn before_task(run: &RunId, task: &TaskId) -> Key {
    let (flow, number) = (&run.flow, run.number);
    // `a` stands before `attempt-…` and `said-…`.
    key(format!("flows/{flow}/runs/{number}/tasks/{task}/a"))
}

/// The record of an attempt that was made elsewhere.
pub(crate) fn attempt(run: &RunId, task: &TaskId, attempt: u32) -> Key {
    let (flow, number) = (&run.flow, run.number);
    key(format!(
        "flows/{flow}/runs/{number}/tasks/{task}/attempt-{attempt}"
    ))
}

/// What a worker says for the `seq`th time of the attempt that it makes.
pub(crate) fn said(run: &RunId, task: &TaskId, attempt: u32, worker: &Token, seq: u32) -> Key {
    let (flow, number) = (&run.flow, run.number);
    key(format!(
        "flows/{flow}/runs/{number}/tasks/{task}/said-{attempt}-{worker}-{seq:06}"
    ))
}

/// Who drives a run.
pub(crate) fn lease(run: &RunId) -> Key {
    key(format!("flows/{}/runs/{}/lease", run.flow, run.number))
}

/// What became of an ended run.
pub(crate) fn summary(run: &RunId) -> Key {
    key(format!("flows/{}/runs/{}/summary", run.flow, run.number))
}

/// The tags of a run as they are now.
pub(crate) fn tags(run: &RunId) -> Key {
    key(format!("flows/{}/runs/{}/tags", run.flow, run.number))
}

/// The results of all runs of a module, newest first.
pub(crate) fn memos(module: &Digest) -> Prefix {
    prefix(format!("memo/{module}/"))
}

/// The results of a run that started at `at`.
pub(crate) fn memo(module: &Digest, at: Timestamp, run: &RunId) -> Key {
    let (flow, number) = (&run.flow, run.number);
    key(format!(
        "memo/{module}/{:020}-{flow}-{number}",
        u64::MAX - at.0
    ))
}

/// What stays of a run that was removed.
pub(crate) fn removed(run: &RunId) -> Key {
    let inverted = u64::MAX - run.number;
    key(format!("flows/{}/removed/{inverted:020}", run.flow))
}

/// What stays of the runs of a flow that were removed.
pub(crate) fn removals(flow: &FlowName) -> Prefix {
    prefix(format!("flows/{flow}/removed/"))
}

/// All that belongs to the runs of a flow, but for their headers.
pub(crate) fn all_runs(flow: &FlowName) -> Prefix {
    prefix(format!("flows/{flow}/runs/"))
}

/// The run to which an object below [`all_runs`] belongs, and what it is there.
pub(crate) fn in_run(key: &Key) -> Option<(RunId, &str)> {
    let mut parts = key.as_str().splitn(5, '/');
    let (flow, runs, number) = (parts.nth(1)?, parts.next()?, parts.next()?);
    let run = RunId {
        flow: flow.parse().ok()?,
        number: number.parse().ok()?,
    };
    (runs == "runs").then_some((run, parts.next()?))
}

/// What was made elsewhere of a run.
pub(crate) fn all_tasks(run: &RunId) -> Prefix {
    prefix(format!("flows/{}/runs/{}/tasks/", run.flow, run.number))
}

/// The attempt of `run` whose record has this key.
pub(crate) fn attempt_of(run: &RunId, key: &Key) -> Option<(TaskId, u32)> {
    let rest = key.as_str().strip_prefix(all_tasks(run).as_str())?;
    let (task, name) = rest.rsplit_once('/')?;
    let attempt = name.strip_prefix("attempt-")?;
    Some((task.parse().ok()?, attempt.parse().ok()?))
}

/// The results of all runs.
pub(crate) fn all_memos() -> Prefix {
    prefix("memo/".to_owned())
}

/// The run whose results have this key.
pub(crate) fn run_of_memo(key: &Key) -> Option<RunId> {
    let name = key.as_str().rsplit('/').next()?;
    let (rest, number) = name.rsplit_once('-')?;
    let (_, flow) = rest.split_once('-')?;
    Some(RunId {
        flow: flow.parse().ok()?,
        number: number.parse().ok()?,
    })
}

/// All manifests of code snapshots.
pub(crate) fn all_snapshots() -> Prefix {
    prefix("snapshots/".to_owned())
}

/// All blobs.
pub(crate) fn all_blobs() -> Prefix {
    prefix("blobs/".to_owned())
}

/// The blob or the manifest with this key.
pub(crate) fn digest_of(key: &Key) -> Option<Digest> {
    key.as_str().rsplit('/').next()?.parse().ok()
}

/// Written when garbage is collected, for the time.
pub(crate) fn collected() -> Key {
    key("gc/last".to_owned())
}

/// What [`collected`] is in.
pub(crate) fn collections() -> Prefix {
    prefix("gc/".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_runs_come_first() {
        let run = |n| RunId {
            flow: "wordcount".parse().unwrap(),
            number: n,
        };
        assert!(header(&run(10)) < header(&run(9)));
        assert_eq!(number_of(&header(&run(42))), Some(42));
        assert_eq!(number_of(&Key::new("flows/f/index/12").unwrap()), None);
    }

    #[test]
    fn what_a_key_is_of_can_be_told() {
        let run: RunId = "word-count/42".parse().unwrap();
        let task: TaskId = "count/3.1".parse().unwrap();
        let made = attempt(&run, &task, 2);
        assert_eq!(attempt_of(&run, &made), Some((task, 2)));
        let (of, rest) = in_run(&made).unwrap();
        assert_eq!((of, rest), (run.clone(), "tasks/count/3.1/attempt-2"));
        assert_eq!(in_run(&header(&run)), None);
        assert_eq!(number_of(&removed(&run)), Some(42));
        let digest = Digest::of(b"x");
        assert_eq!(run_of_memo(&memo(&digest, Timestamp(7), &run)), Some(run));
        assert_eq!(digest_of(&blob(&digest)), Some(digest));
    }

    #[test]
    fn a_flow_is_skipped_as_a_whole() {
        let flow: FlowName = "a".parse().unwrap();
        let last = Key::new("flows/a/runs/9/zzz").unwrap();
        assert!(last < after_flow(&flow));
        assert!(after_flow(&flow) < Key::new("flows/aa/index/0").unwrap());
        // `a-b` sorts before `a/`, so it was met before `a`.
        assert!(Key::new("flows/a-b/index/0").unwrap() < Key::new("flows/a/index/0").unwrap());
    }
}
