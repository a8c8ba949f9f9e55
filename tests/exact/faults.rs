//! Runs on a store whose requests fail as those over a network do: nothing is lost, nothing is there
//! twice, and the results are those of a quiet day.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use wrun::datastore::Datastore;
use wrun::datastore::object::fault::{FaultStore, script};
use wrun::datastore::object::retry::{Patience, Retry, RetryStore};
use wrun::model::event::{Event, RunStatus};

use super::flowgen;
use super::lab::{Flow, Lab, cases};
use super::module;

/// How many requests in a hundred fail.
const RATES: [u64; 3] = [1, 5, 20];
/// How many random flows run at each rate under `CI=true`.
const FLOWS: usize = 100;

/// A lab whose store fails, and the store that counts.
fn bad(seed: u64, percent: u64) -> (Lab, FaultStore) {
    let mut lab = Lab::new(2);
    let faulty = FaultStore::new(lab.store.clone(), script(seed, percent));
    let patience = Patience {
        first: Duration::from_micros(100),
        longest: Duration::from_millis(2),
        ..Patience::default()
    };
    let retry = Arc::new(Retry::new(patience, seed));
    let store = RetryStore::new(Arc::new(faulty.clone()), retry);
    lab.datastore = Datastore::with_store(Arc::new(store));
    (lab, faulty)
}

/// Every attempt that ended, each once.
fn ended(events: &[Event]) -> usize {
    let mut attempts = BTreeSet::new();
    for (task, attempt, _) in events.iter().filter_map(Event::ending) {
        let is_new = attempts.insert((task.clone(), attempt));
        assert!(is_new, "{task} has two results of attempt {attempt}");
    }
    attempts.len()
}

#[tokio::test]
async fn random_flows_come_to_the_same_whatever_the_store_loses() {
    let empty = std::fs::read(module("random_flow")).unwrap();
    let mut requests = 0;
    for number in 0..cases("WRUN_FAULT_FLOWS", FLOWS) as u64 {
        let flow = Flow::new(&flowgen::module(&empty, &flowgen::plan(number))).await;
        let mix = [&[0x64][..], format!("{number:04}").as_bytes()].concat();
        let given = [("n", &[7][..]), ("mix", &mix), ("doom", &[0])];
        let quiet = Lab::new(2);
        let status = quiet.run(&flow, &given, number).await;
        let expected = quiet.results("random/1").await;
        let many = ended(&quiet.events("random/1").await);
        for percent in RATES {
            let (lab, faulty) = bad(number, percent);
            let at = format!("flow {number} at {percent} %");
            assert_eq!(lab.run(&flow, &given, number).await, status, "{at}");
            let found = lab.results("random/1").await;
            assert_eq!(found.difference(&expected), None, "{at}");
            assert_eq!(ended(&lab.events("random/1").await), many, "{at}");
            requests += faulty.calls().len();
        }
    }
    assert!(requests > 1000, "{requests}");
}

#[tokio::test]
async fn ten_thousand_tasks_are_done_once_each() {
    let flow = Flow::of(module("bench_fan").as_ref()).await;
    let tasks = 10_000_u16;
    let [high, low] = tasks.to_be_bytes();
    let given = [("n", &[0x19, high, low][..])];
    let quiet = Lab::new(2);
    assert_eq!(quiet.run(&flow, &given, 0).await, RunStatus::Succeeded);
    let expected = quiet.results("fan/1").await;
    for percent in RATES {
        let (lab, faulty) = bad(percent, percent);
        assert_eq!(lab.run(&flow, &given, 0).await, RunStatus::Succeeded);
        assert_eq!(
            lab.results("fan/1").await.difference(&expected),
            None,
            "{percent} %"
        );
        let events = lab.events("fan/1").await;
        assert!(ended(&events) >= usize::from(tasks) + 2, "{percent} %");
        println!("{percent} %: {} requests", faulty.calls().len());
    }
}
