//! What is damaged is found, and what can be computed again is.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use wrun::datastore::object::{Key, ObjectStore};
use wrun::model::digest::Digest;
use wrun::model::id::RunId;
use wrun::runtime::clock::SystemClock;
use wrun::runtime::fsck::{self, ALL, Closely, Remedy, Report};
use wrun::runtime::repair::{self, Repaired};
use wrun::runtime::replay::Machine;
use wrun::task::at_hand::AtHand;

use super::lab::{Dice, Flow, Lab, cases, compiled, launcher};
use super::tamper::{class, datastore};
use super::world::module;

/// How many bytes are flipped under `CI=true`; as many as `WRUN_FSCK_FLIPS` says when it is set.
const FLIPS: usize = 1_000;

async fn check(lab: &Lab, runs: &[RunId]) -> Report {
    let closely = Closely {
        sample: ALL,
        seed: 0,
        workers: 2,
        checked: Arc::new(|| {}),
    };
    fsck::check(&lab.datastore, runs, &closely).await.unwrap()
}

async fn mend(lab: &Lab, runs: &[RunId], report: &Report) -> Repaired {
    mend_from(lab, runs, report, &[]).await
}

async fn mend_from(
    lab: &Lab,
    runs: &[RunId],
    report: &Report,
    given: &[std::path::PathBuf],
) -> Repaired {
    let machine = Machine {
        modules: compiled(),
        launcher: launcher(),
        clock: Arc::new(SystemClock),
        workers: 2,
        compared: Arc::new(|| {}),
        at_hand: AtHand::default(),
    };
    repair::repair(&lab.datastore, runs, report, given, &machine)
        .await
        .unwrap()
}

/// Runs with blobs of all kinds.
async fn runs() -> (Lab, Vec<RunId>) {
    let (lab, _) = datastore().await;
    let flow = Flow::of(module("pieces").as_ref()).await;
    lab.run(&flow, &[("rows", &[0x19, 0x4e, 0x20])], 1).await;
    let mut runs = Vec::new();
    for flow in lab.datastore.flows().await.unwrap() {
        runs.extend(lab.datastore.runs(&flow, 100).await.unwrap());
    }
    (lab, runs)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_flipped_byte_is_found() {
    let (lab, runs) = runs().await;
    assert_eq!(check(&lab, &runs).await.faults, []);
    let objects = lab.objects().await;
    let kept = |key: &&Key| !key.as_str().starts_with("wrun-") && !key.as_str().ends_with("/lease");
    let keys: Vec<&Key> = objects.keys().filter(kept).collect();
    let (mut dice, mut ignored) = (Dice(11), 0);
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    let many = cases("WRUN_FSCK_FLIPS", FLIPS);
    for case in 0..many {
        let key = keys[case % keys.len()];
        let mut bytes = objects[key].to_vec();
        let at = dice.below(bytes.len());
        bytes[at] ^= 1 + dice.below(255) as u8;
        lab.store.put(key, bytes.into()).await.unwrap();
        let concerned = concerned(key, &runs);
        let report = check(&lab, &concerned).await;
        let found = report.faults.iter().any(|fault| fault.key == key.as_str());
        if !found {
            // A bit of a zstd frame that a reader has to ignore: what comes out is the same.
            assert_eq!(report.faults, [], "case {case}, {key}");
            let name = key.as_str().rsplit('/').next().unwrap();
            let digest: Digest = name
                .parse()
                .expect("only the name of a blob proves its bytes");
            lab.datastore.verify(&digest).await.unwrap();
            ignored += 1;
        }
        *count.entry(class(key)).or_default() += 1;
        lab.store.put(key, objects[key].clone()).await.unwrap();
    }
    println!("{many} flips: {count:?}, and {ignored} that change nothing");
    assert!(50 * ignored <= many, "{ignored}");
}

/// The runs to which an object belongs: all for what they may have in common.
fn concerned(key: &Key, runs: &[RunId]) -> Vec<RunId> {
    let of = runs.iter().filter(|run| {
        let flow = format!("flows/{}/", run.flow);
        key.as_str().starts_with(&flow) || !key.as_str().starts_with("flows/")
    });
    of.cloned().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_computed_again_is_whatever_was_lost() {
    let (lab, runs) = runs().await;
    let objects = lab.objects().await;
    let mut had_back: BTreeMap<(&str, bool), usize> = BTreeMap::new();
    let mut dice = Dice(3);
    for (key, good) in &objects {
        if key.as_str().starts_with("wrun-") || key.as_str().ends_with("/lease") {
            continue;
        }
        for is_gone in [true, false] {
            harm(&lab, key, good, is_gone, &mut dice).await;
            let report = check(&lab, &runs).await;
            let is_there = lab.store.get(key, u64::MAX).await.unwrap().is_some();
            let repaired = mend(&lab, &runs, &report).await;
            let is_back = repaired.done.contains_key(key.as_str());
            if report.faults.is_empty() {
                // Nothing says that noted results were there, and nothing is lost with them; or only
                // bits were changed that a reader has to ignore.
                let may_go = is_gone && !is_there && class(key) == "memo";
                assert!(may_go || !is_gone, "{key}");
            }
            for fault in report.faults.iter().filter(|it| it.key == key.as_str()) {
                let wanted = matches!(fault.remedy, Remedy::Execute(..) | Remedy::Rebuild);
                assert_eq!(is_back, wanted, "{key}: {fault:?} {repaired:?}");
                assert!(!fault.affected.is_empty(), "{key}");
            }
            if is_back {
                assert_eq!(check(&lab, &runs).await.faults, [], "{key}");
            }
            if is_back && class(key) == "blob" {
                assert!(bytes(&lab, key).await == *good, "{key} is packed as it was");
            }
            *had_back.entry((class(key), is_back)).or_default() += 1;
            lab.store.put(key, good.clone()).await.unwrap();
        }
    }
    println!("{had_back:?}");
    assert!(had_back[&("blob", true)] >= 4);
    assert!(had_back[&("summary", true)] >= 10 && had_back[&("memo", true)] >= 5);
    assert!(!had_back.contains_key(&("summary", false)));
}

async fn bytes(lab: &Lab, key: &Key) -> Bytes {
    lab.store.get(key, u64::MAX).await.unwrap().unwrap().bytes
}

/// Where a sealed object says of which version it is.
const VERSION_AT: usize = 16;

async fn harm(lab: &Lab, key: &Key, good: &Bytes, is_gone: bool, dice: &mut Dice) {
    if is_gone {
        return lab.store.delete(key).await.unwrap();
    }
    let mut bad = good.to_vec();
    // What begins with another version than ours is said to be newer, and not for us to judge.
    let from = match dice.below(bad.len()) {
        VERSION_AT => VERSION_AT + 1,
        from => from,
    };
    let to = bad.len().min(from + 64);
    bad[from..to].iter_mut().for_each(|byte| *byte ^= 0xa5);
    lab.store.put(key, bad.into()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_tasks_made_is_computed_again_at_once_in_the_right_order() {
    let (lab, runs) = runs().await;
    let before = lab.objects().await;
    let mut lost = 0;
    let mut given = Vec::new();
    let directory = tempfile::tempdir().unwrap();
    for key in before.keys().filter(|key| class(key) == "blob") {
        let name = key.as_str().rsplit('/').next().unwrap();
        let plain = lab.datastore.blobs().get(&name.parse().unwrap()).await;
        std::fs::write(directory.path().join(name), plain.unwrap()).unwrap();
        lab.store.delete(key).await.unwrap();
        lost += 1;
    }
    let report = check(&lab, &runs).await;
    assert_eq!(report.lost().len(), lost);
    // The code is in the cache of this machine, so that tasks can be executed all the same.
    let repaired = mend(&lab, &runs, &report).await;
    let again = |fault: &&fsck::Fault| matches!(fault.remedy, Remedy::Execute(..));
    let made = report.faults.iter().filter(again).count();
    assert!(made > 0 && made < lost);
    assert_eq!(repaired.done.len(), made, "{repaired:?}");
    let report = check(&lab, &runs).await;
    for fault in &report.faults {
        if matches!(fault.remedy, Remedy::Give(_)) {
            given.push(directory.path().join(fault.digest.unwrap().to_string()));
        }
    }
    assert_eq!(given.len(), lost - made);
    let repaired = mend_from(&lab, &runs, &report, &given).await;
    assert_eq!(repaired.done.len(), given.len(), "{repaired:?}");
    assert!(lab.objects().await == before);
}
