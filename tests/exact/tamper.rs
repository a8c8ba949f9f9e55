//! Whatever is altered in a datastore is found: by whoever reads it, or by a replay.
//!
//! Two ways to alter: bytes of objects, as a disk or a careless hand does, which seals and digests
//! tell; and objects written anew with other contents and good seals, as somebody does who has this
//! very library, which only executing again tells.

use std::collections::BTreeMap;

use bytes::Bytes;
use wrun::datastore::object::{Key, ObjectStore};
use wrun::datastore::{Datastore, Run};
use wrun::model::artifact::{Artifact, MediaType, Value, ValueAt};
use wrun::model::digest::Digest;
use wrun::model::event::{Event, RunStatus};
use wrun::model::header::RunHeader;
use wrun::model::id::RunId;
use wrun::model::record::{LogChunk, Logs, Outcome, Stream};
use wrun::runtime::past;
use wrun::runtime::replay::{ReplayError, Report};

use super::lab::{Dice, Flow, Lab, cases};
use super::world::module;

/// How many objects are altered under `CI=true`.
const CASES: usize = 12_000;

/// How many records are forged under `CI=true`.
const FORGED: usize = 400;

/// The parameters of the flows in here.
const N: &[u8] = &[4];

/// Runs of flows that use all that there is, in one datastore: successes, failures, what was caught
/// and rejected, logs and values of all sizes.
pub async fn datastore() -> (Lab, BTreeMap<&'static str, Flow>) {
    let lab = Lab::new(2);
    let mut flows = BTreeMap::new();
    for name in ["shaky", "foreach", "disagree", "lenient"] {
        let flow = Flow::of(module(name).as_ref()).await;
        let status = match name {
            "shaky" => {
                lab.run(
                    &flow,
                    &[
                        ("many", &[2]),
                        ("width", N),
                        ("rounds", &[0]),
                        ("note", &[0x60]),
                    ],
                    1,
                )
                .await
            }
            "foreach" => {
                lab.run(
                    &flow,
                    &[
                        ("n", N),
                        ("work", &[0]),
                        ("width", &[0x19, 0xff, 0xff]),
                        ("stay", &[0xf4]),
                    ],
                    1,
                )
                .await
            }
            "lenient" => {
                lab.run(
                    &flow,
                    &[
                        ("how", b"\x83\x64well\x66second\x65panic"),
                        ("end", b"\x63bad"),
                    ],
                    1,
                )
                .await
            }
            _ => lab.run(&flow, &[], 1).await,
        };
        assert_eq!(
            status == RunStatus::Succeeded,
            ["shaky", "foreach"].contains(&name),
            "{name}"
        );
        flows.insert(name, flow);
    }
    (lab, flows)
}

const RUNS: [&str; 4] = ["shaky/1", "foreach/1", "disagree/1", "lenient/1"];

/// Reads all that there is, as the commands that show do.
async fn read(datastore: &Datastore) -> Result<(), String> {
    for id in RUNS {
        let id: RunId = id.parse().unwrap();
        let run = datastore.run(&id).await.map_err(|e| e.to_string())?;
        read_run(datastore, &run).await?;
    }
    Ok(())
}

async fn read_run(datastore: &Datastore, run: &Run) -> Result<(), String> {
    let text = |error: &dyn std::error::Error| error.to_string();
    let code = past::verify_code(datastore, run.header()).await;
    code.map_err(|e| text(&e))?;
    run.summary().await.map_err(|e| text(&e))?;
    run.memo().await.map_err(|e| text(&e))?;
    run.tags().await.map_err(|e| text(&e))?;
    for event in run.events().await.map_err(|e| text(&e))? {
        let (Event::Finished { record, .. } | Event::Reused { record, .. }) = event else {
            continue;
        };
        for artifact in &record.artifacts {
            let value = datastore.load(&artifact.value).await;
            value.map_err(|e| text(&e))?;
        }
        if let Logs::Blob(value) = &record.logs {
            datastore.load(value).await.map_err(|e| text(&e))?;
        }
    }
    Ok(())
}

/// What kind of object a key names.
pub fn class(key: &Key) -> &'static str {
    let key = key.as_str();
    match key.split('/').next() {
        Some("blobs") => "blob",
        Some("snapshots") => "snapshot",
        Some("memo") => "memo",
        _ if key.contains("/index/") => "header",
        _ if key.contains("/journal/") => "journal",
        _ if key.ends_with("/summary") => "summary",
        _ => "other",
    }
}

/// An object, altered; none when it is removed.
fn altered(dice: &mut Dice, good: &Bytes, others: &[&Bytes]) -> (&'static str, Option<Bytes>) {
    let mut bytes = good.to_vec();
    let at = dice.below(bytes.len());
    let what = match dice.below(8) {
        0..=2 => {
            bytes[at] ^= 1 << dice.below(8);
            "a bit"
        }
        3 => {
            bytes.truncate(at);
            "cut"
        }
        4 => {
            bytes.extend((0..1 + dice.below(40)).map(|_| dice.roll() as u8));
            "longer"
        }
        5 => {
            let end = bytes.len().min(at + 1 + dice.below(64));
            bytes[at..end].iter_mut().for_each(|byte| *byte ^= 0xa5);
            "a range"
        }
        6 if !others.is_empty() => {
            bytes = others[dice.below(others.len())].to_vec();
            "another"
        }
        _ => return ("gone", None),
    };
    (what, Some(bytes.into()))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_altered_object_is_found() {
    let (lab, _) = datastore().await;
    read(&lab.datastore).await.unwrap();
    let objects = lab.objects().await;
    let mut classes: BTreeMap<&str, Vec<&Key>> = BTreeMap::new();
    for key in objects.keys() {
        classes.entry(class(key)).or_default().push(key);
    }
    assert_eq!(
        classes.keys().copied().collect::<Vec<_>>(),
        ["blob", "header", "journal", "memo", "snapshot", "summary"]
    );
    let mut dice = Dice(7);
    let mut count: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut ignored = 0;
    let names: Vec<_> = classes.keys().copied().collect();
    for case in 0..cases("WRUN_TAMPER_CASES", CASES) {
        let class = names[case % names.len()];
        let key = classes[class][dice.below(classes[class].len())];
        let good = &objects[key];
        let others: Vec<_> = classes[class]
            .iter()
            .map(|other| &objects[*other])
            .filter(|other| *other != good)
            .collect();
        let (what, bad) = altered(&mut dice, good, &others);
        match &bad {
            Some(bytes) => lab.store.put(key, bytes.clone()).await.unwrap(),
            None => lab.store.delete(key).await.unwrap(),
        }
        let read = read(&lab.datastore).await;
        let found = read.is_err() || is_found(&lab, key, what).await;
        ignored += usize::from(read.is_ok() && what != "gone");
        assert!(found, "{key}, {what}, in case {case}");
        *count.entry((class, what)).or_default() += 1;
        lab.store.put(key, good.clone()).await.unwrap();
    }
    println!("{count:?}, and {ignored} that change nothing");
    assert_eq!(count.len(), 6 * 6);
    assert!(100 * ignored < count.values().sum(), "{ignored}");
}

/// What reading did not find.
///
/// A part that is gone: nothing is lost with a summary or with notes of results, which follow from
/// the journal; the end of a journal is missed by a replay. And a bit of a zstd frame that a reader
/// has to ignore: what comes out is the same all the same.
async fn is_found(lab: &Lab, key: &Key, what: &str) -> bool {
    if what != "gone" {
        return is_whole(lab, key).await;
    }
    match class(key) {
        "summary" | "memo" => true,
        _ => {
            let id: Vec<_> = key.as_str().split('/').collect();
            let run = lab.open(&format!("{}/{}", id[1], id[3])).await;
            let report = lab.replay(&run).await;
            report.is_err() || report.is_ok_and(|report| report.different > 0)
        }
    }
}

/// Whether what comes out of a blob or a snapshot is what its name says.
async fn is_whole(lab: &Lab, key: &Key) -> bool {
    let name = key.as_str().rsplit('/').next().unwrap();
    let digest: Digest = match class(key) {
        "blob" | "snapshot" => name.parse().unwrap(),
        _ => return false,
    };
    let content = match class(key) {
        "blob" => lab.datastore.blobs().get(&digest).await,
        _ => lab.datastore.get_snapshot(&digest).await,
    };
    content.is_ok_and(|content| Digest::of(&content) == digest)
}

/// The runs again with one of them written anew: other events, or another header.
struct Forgery<'a> {
    lab: &'a Lab,
    run: Run,
    events: Vec<Event>,
}

impl Forgery<'_> {
    /// The journal with these events.
    async fn journal(&self, events: &[Event]) -> Result<Report, ReplayError> {
        self.write(self.run.header().clone(), events).await
    }

    /// The run with this header.
    async fn header(&self, header: RunHeader) -> Result<Report, ReplayError> {
        self.write(header, &self.events).await
    }

    async fn write(&self, header: RunHeader, events: &[Event]) -> Result<Report, ReplayError> {
        let is_code = |key: &str| key.starts_with("blobs/") || key.starts_with("snapshots/");
        let lab = self.lab.copy(is_code).await;
        let flow = header.run.flow.clone();
        let run = lab.datastore.create_run(&flow, |_| header).await;
        let run = run.unwrap();
        run.writer_at(0).append(events).await.unwrap();
        if let Some(summary) = self.run.summary().await.unwrap() {
            let summary = wrun::datastore::RunSummary {
                segments: 1,
                ..summary
            };
            run.put_summary(&summary).await.unwrap();
        }
        lab.replay(&run).await
    }
}

fn is_exposed(report: &Result<Report, ReplayError>) -> bool {
    match report {
        Err(_) => true,
        Ok(report) => report.different > 0 || report.ended.is_none(),
    }
}

/// All that one event can be instead. Times and costs are in it, and are nobody's promise.
fn lies(event: &Event) -> Vec<(&'static str, Event)> {
    let mut lies = Vec::new();
    match event {
        Event::Finished { record, .. } => {
            let mut lie = |what, change: &dyn Fn(&mut wrun::model::record::Record)| {
                let mut other = event.clone();
                let Event::Finished { record, .. } = &mut other else {
                    unreachable!("it is a copy")
                };
                change(record);
                if other != *event {
                    lies.push((what, other));
                }
            };
            lie("inputs", &|record| record.inputs = Digest::of(b"others"));
            lie("observed", &|record| {
                record.observed = Default::default();
            });
            lie("no logs", &|record| record.logs = Logs::None);
            lie("other logs", &|record| {
                record.logs = Logs::Inline(vec![LogChunk {
                    stream: Stream::Stdout,
                    bytes: "never printed\n".into(),
                }]);
            });
            lie("a failure's message", &|record| {
                if let Err(failure) = &mut record.result {
                    failure.message += "!";
                }
            });
            lie("a failure's cause", &|record| {
                if let Err(failure) = &mut record.result {
                    failure.causes.push("fate".into());
                }
            });
            lie("a success", &|record| record.result = Ok(Outcome::Done));
            lie("fewer items", &|record| {
                record.result = Ok(Outcome::Items(1));
            });
            lie("another case", &|record| {
                if let Ok(Outcome::Case(case)) = &mut record.result {
                    let other = if case.as_str() == "done" {
                        "again"
                    } else {
                        "done"
                    };
                    *case = other.parse().unwrap();
                }
            });
            for at in 0..record.artifacts.len() {
                lie("no artifact", &|record| {
                    record.artifacts.remove(at);
                });
                lie("another value", &|record| {
                    let value = &mut record.artifacts[at].value;
                    *value = Value::inline(value.media.clone(), vec![0x07].into());
                });
                lie("other bytes", &|record| {
                    if let ValueAt::Inline(bytes) = &mut record.artifacts[at].value.at {
                        *bytes = vec![0x07; bytes.len()].into();
                    }
                });
                lie("another media type", &|record| {
                    record.artifacts[at].value.media = MediaType::new("text/x-other");
                });
                lie("another size", &|record| {
                    record.artifacts[at].value.size += 1;
                });
            }
        }
        Event::Caught {
            task,
            attempt,
            artifact,
        } => {
            let bytes: Bytes = vec![0x07].into();
            let value = Value::inline(artifact.value.media.clone(), bytes);
            let artifact = Artifact {
                name: artifact.name.clone(),
                value,
            };
            let (task, attempt) = (task.clone(), *attempt);
            let other = Event::Caught {
                task,
                attempt,
                artifact,
            };
            lies.push(("another caught failure", other));
        }
        Event::Rejected {
            task,
            attempt,
            ran,
            failure,
        } => {
            let mut failure = failure.clone();
            failure.message += "!";
            let (task, attempt, ran) = (task.clone(), *attempt, *ran);
            let other = Event::Rejected {
                task,
                attempt,
                ran,
                failure,
            };
            lies.push(("another rejection", other));
        }
        Event::RunEnded { at, .. } => {
            let (status, at) = (RunStatus::Cancelled, *at);
            lies.push(("another end", Event::RunEnded { status, at }));
        }
        _ => {}
    }
    lies
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_anew_with_other_contents_is_found() {
    let (lab, _) = datastore().await;
    let mut dice = Dice(9);
    // One of each kind at least.
    let most = cases("WRUN_FORGED_CASES", FORGED).max(18);
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for id in RUNS {
        let run = lab.open(id).await;
        let events = run.events().await.unwrap();
        let forgery = Forgery {
            lab: &lab,
            run,
            events: events.clone(),
        };
        let honest = forgery.journal(&events).await;
        assert!(!is_exposed(&honest), "{id}: {honest:?}");
        for at in 0..events.len() {
            let mut lies: Vec<_> = lies(&events[at])
                .into_iter()
                .map(|(what, event)| (what, Some(event)))
                .collect();
            lies.push(("nothing", None));
            for (what, lie) in lies {
                // All kinds of them, and as many as are wanted of each.
                let enough = *count.get(what).unwrap_or(&0) >= most / 18;
                if enough || (count.contains_key(what) && !dice.one_in(3)) {
                    continue;
                }
                let mut forged = events.clone();
                match lie {
                    Some(event) => forged[at] = event,
                    None => drop(forged.remove(at)),
                }
                let report = forgery.journal(&forged).await;
                assert!(
                    is_exposed(&report),
                    "{id}: {what} in the place of {:?}: {report:?}",
                    events[at]
                );
                *count.entry(what).or_default() += 1;
            }
        }
    }
    println!("{count:?}");
    assert_eq!(count.len(), 18, "{count:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_written_anew_is_found_where_anything_depends_on_it() {
    let (lab, _) = datastore().await;
    let run = lab.open("shaky/1").await;
    let events = run.events().await.unwrap();
    let other = lab.open("foreach/1").await;
    let forgery = Forgery {
        lab: &lab,
        run: run.clone(),
        events,
    };
    let good = run.header().clone();
    let changed = |change: &dyn Fn(&mut RunHeader)| {
        let mut header = good.clone();
        change(&mut header);
        header
    };
    let headers = [
        changed(&|header| header.module = other.header().module),
        changed(&|header| header.snapshot = other.header().snapshot),
        changed(&|header| header.created_at.0 += 1),
        changed(&|header| {
            let many = header
                .parameters
                .iter_mut()
                .find(|it| it.name.as_str() == "width");
            many.unwrap().value = Value::inline(MediaType::cbor(), vec![5].into());
        }),
        changed(&|header| {
            let bytes = ValueAt::Inline(vec![9].into());
            header.parameters[0].value.at = bytes;
        }),
        changed(&|header| header.parameters.clear()),
    ];
    for (at, header) in headers.into_iter().enumerate() {
        let report = forgery.header(header).await;
        assert!(is_exposed(&report), "header {at}: {report:?}");
    }
    assert!(!is_exposed(&forgery.header(good).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_altered_summary_is_found() {
    let (lab, _) = datastore().await;
    for id in RUNS {
        let run = lab.open(id).await;
        let good = run.summary().await.unwrap().unwrap();
        let mut others = vec![good.clone(); 5];
        others[0].status = RunStatus::Cancelled;
        others[1].tasks.succeeded += 1;
        others[2].segments += 1;
        others[3].ended_at.0 += 1;
        others[4].steps.clear();
        for other in others {
            run.put_summary(&other).await.unwrap();
            let report = lab.replay(&run).await.unwrap();
            assert!(report.different > 0, "{id}: {other:?}");
        }
        run.put_summary(&good).await.unwrap();
        let report = lab.replay(&run).await.unwrap();
        assert_eq!(report.different, 0, "{id}: {report:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_notes_never_give_a_wrong_result() {
    let (lab, flows) = datastore().await;
    let given: [(&str, &[u8]); 4] = [
        ("many", &[2]),
        ("width", N),
        ("rounds", &[0]),
        ("note", &[0x60]),
    ];
    let expected = lab.results("shaky/1").await;
    let run = lab.open("shaky/1").await;
    let good = run.memo().await.unwrap().unwrap().entries;
    let objects = lab.objects().await;
    let (key, bytes) = objects
        .iter()
        .find(|(key, _)| class(key) == "memo" && key.as_str().contains("shaky"))
        .unwrap();
    let mut dice = Dice(3);
    for case in 0..cases("WRUN_MEMO_CASES", 100) {
        let lab = lab.copy(|_| true).await;
        if case % 2 == 0 {
            let (_, bad) = altered(&mut dice, bytes, &[]);
            match bad {
                Some(bytes) => lab.store.put(key, bytes).await.unwrap(),
                None => lab.store.delete(key).await.unwrap(),
            }
        } else {
            // Good seals, and results said to be those of other tasks.
            let mut entries = good.clone();
            for entry in &mut entries {
                let other = good[dice.below(good.len())];
                match dice.below(3) {
                    0 => entry.key = other.key,
                    1 => entry.segment = dice.below(9) as u32,
                    _ => entry.logs_from = dice.below(9) as u32,
                }
            }
            lab.open("shaky/1").await.put_memo(entries).await.unwrap();
        }
        let status = lab.run_cached(&flows["shaky"], &given, 1).await;
        assert_eq!(status, RunStatus::Succeeded);
        let found = lab.results("shaky/2").await.tasks;
        // Some ask which run they are in, and say so.
        for (task, expected) in &expected.tasks {
            let same = found.get(task) == Some(expected);
            assert!(same, "case {case}: {task} was {expected}, is {found:?}");
        }
    }
}
