//! Joins, tasks and errors as unit tests of steps use them.

use wrun_sdk::prelude::*;

#[derive(Artifacts)]
struct Counted {
    words: u64,
    sample: Blob,
    note: Option<Text>,
}

fn counted(words: u64) -> Counted {
    let sample = Blob::from_bytes(format!("sample {words}"));
    Counted {
        words,
        sample,
        note: (words % 2 == 1).then(|| Text::new("odd")),
    }
}

#[test]
fn branches_are_read_in_order_by_position_and_from_both_ends() {
    let inputs = Inputs::from(vec![counted(1), counted(2), counted(3)]);

    assert_eq!((inputs.len(), inputs.is_empty()), (3, false));
    assert_eq!(inputs.get(1).unwrap().words, 2);
    assert_eq!(inputs.get(1).unwrap().sample.to_text().unwrap(), "sample 2");
    assert!(inputs.get(1).unwrap().note.is_none());
    assert_eq!(inputs.get(2).unwrap().note.as_deref(), Some("odd"));
    assert_eq!(inputs.task(2).unwrap(), "branch/2");
    let forward: Vec<u64> = inputs.iter().map(|branch| branch.unwrap().words).collect();
    assert_eq!(forward, [1, 2, 3]);
    let backward: Vec<u64> = inputs
        .iter()
        .rev()
        .map(|branch| branch.unwrap().words)
        .collect();
    assert_eq!(backward, [3, 2, 1]);
    assert_eq!(inputs.iter().nth(1).unwrap().unwrap().words, 2);
    assert!(inputs.iter().nth(usize::MAX).is_none());
    let mut ends = inputs.iter();
    assert_eq!(ends.next_back().unwrap().unwrap().words, 3);
    assert_eq!((ends.next().unwrap().unwrap().words, ends.len()), (1, 1));
}

#[test]
fn a_branch_that_is_not_there_is_named() {
    let inputs = Inputs::from(vec![counted(1)]);
    let error = inputs.get(1).err().unwrap();
    assert_eq!(
        error.to_string(),
        "there is no branch 1: the join has 1 branches, counted from 0"
    );
    assert!(inputs.get(usize::MAX).is_err());

    let split = Inputs::from_steps([("left", counted(1)), ("right", counted(2))]);
    assert_eq!(split.of_step("right").unwrap().words, 2);
    let error = split.of_step("middle").err().unwrap();
    assert_eq!(error.to_string(), "no branch ends with step `middle`");
}

#[test]
fn tasks_are_named_by_their_place() {
    let name = |task: Task| task.name().to_owned();
    let task = Task::for_test("fit");
    assert_eq!(name(task.clone()), "-");
    assert_eq!(name(task.clone().with_indices(&[3, 1])), "3.1");
    assert_eq!(name(task.clone().with_turns(&[2])), "~2");
    assert_eq!(
        name(task.clone().with_turns(&[2]).with_indices(&[3])),
        "3~2"
    );
    assert_eq!((task.step(), task.run(), task.attempt()), ("fit", 1, 0));
}

#[test]
fn an_error_keeps_its_chain() {
    fn outer() -> Result<()> {
        inner().context("the table cannot be read")
    }
    fn inner() -> Result<()> {
        std::fs::read("/no/such/file").map(drop).context("no file")
    }

    let error = outer().unwrap_err();
    assert_eq!(error.to_string(), "the table cannot be read");
    assert_eq!(error.causes()[0], "no file");
    assert_eq!(error.causes().len(), 2);
    assert!(!error.is_fatal());
    let shown = format!("{error:?}");
    assert!(shown.starts_with("the table cannot be read\n  caused by: no file\n  caused by: "));
}

#[test]
fn sources_of_an_error_are_its_causes() {
    #[derive(Debug)]
    struct Outer(std::num::ParseIntError);
    impl std::fmt::Display for Outer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("line 3")
        }
    }
    impl std::error::Error for Outer {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }

    let error = Error::from(Outer("x".parse::<u8>().unwrap_err()));
    assert_eq!(error.to_string(), "line 3");
    assert_eq!(error.causes(), ["invalid digit found in string"]);
}

#[test]
fn a_fatal_error_stays_fatal_on_its_way_up() {
    fn fails() -> Result<u8> {
        let n: u8 = "x".parse().fatal()?;
        Ok(n)
    }
    let error = fails().context("more").unwrap_err();
    assert!(error.is_fatal());
    assert!(Error::new("x").fatal().is_fatal());
    assert!(
        None::<u8>
            .context("nothing")
            .fatal()
            .unwrap_err()
            .is_fatal()
    );
    assert_eq!(
        None::<u8>.with_context(|| "none").unwrap_err().to_string(),
        "none"
    );
}

#[test]
fn conditions_say_what_does_not_hold() {
    fn check(n: u32) -> Result<()> {
        ensure!(n > 1);
        ensure!(n > 2, "{n} is too small");
        if n > 3 {
            bail!("{n} is too large");
        }
        Ok(())
    }
    let message = |n| check(n).unwrap_err().to_string();
    assert_eq!(message(1), "`n > 1` does not hold");
    assert_eq!(message(2), "2 is too small");
    assert_eq!(message(4), "4 is too large");
    assert!(check(3).is_ok());
}

mod one_at_a_time {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use serde::Deserializer;
    use wrun_sdk::glue::{self, Flow, Host, Memory, Stored};

    use super::*;

    static READ: AtomicUsize = AtomicUsize::new(0);
    static LIVE: AtomicUsize = AtomicUsize::new(0);
    static MOST: AtomicUsize = AtomicUsize::new(0);

    /// Counts how many of it there are.
    #[derive(Serialize)]
    pub struct Probe;

    impl<'de> Deserialize<'de> for Probe {
        fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            <()>::deserialize(from)?;
            READ.fetch_add(1, SeqCst);
            MOST.fetch_max(LIVE.fetch_add(1, SeqCst) + 1, SeqCst);
            Ok(Self)
        }
    }

    impl Drop for Probe {
        fn drop(&mut self) {
            LIVE.fetch_sub(1, SeqCst);
        }
    }

    #[flow]
    mod counting {
        use super::*;

        #[derive(Artifacts)]
        pub struct Branch {
            pub probe: Probe,
        }

        #[step(join)]
        pub fn join(branches: Inputs<Branch>) -> Result<()> {
            branches.iter().try_for_each(|branch| branch.map(drop))
        }
    }

    #[test]
    fn a_join_of_a_hundred_thousand_holds_one_branch_at_a_time() {
        let probe = Stored {
            media_type: "application/cbor".to_owned(),
            bytes: vec![0xf6],
        };
        let branch = BTreeMap::from([("probe".to_owned(), probe)]);
        let branches = (0..100_000)
            .map(|n| (format!("work/{n}"), branch.clone()))
            .collect();
        let host: Arc<dyn Host> = Arc::new(Memory::new().with_branches(branches));

        let outcome = counting::__Flow::run("join", &host).unwrap();

        assert!(matches!(outcome, glue::Outcome::Done));
        assert_eq!(
            (READ.load(SeqCst), LIVE.load(SeqCst), MOST.load(SeqCst)),
            (100_000, 0, 1)
        );
    }
}

/// A flow whose tests look at what its steps return.
#[flow]
mod shown {
    use super::*;

    #[derive(Clone, Serialize, Deserialize)]
    pub struct Opaque(u8);

    #[derive(Artifacts)]
    pub struct Found {
        pub words: u64,
        pub opaque: Opaque,
        pub note: Option<Text>,
    }

    #[derive(Artifacts)]
    pub struct Own {
        pub secret: u64,
    }

    impl std::fmt::Debug for Own {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("Own")
        }
    }

    #[step(next = "end")]
    pub fn start(#[param] words: u64) -> Result<Found> {
        ensure!(words > 0, "nothing to count");
        Ok(Found {
            words,
            opaque: Opaque(1),
            note: None,
        })
    }

    #[step]
    pub fn end(words: u64) -> Result<Own> {
        Ok(Own { secret: words })
    }
}

#[test]
fn what_a_step_returns_can_be_unwrapped_either_way() {
    assert_eq!(shown::start(0).unwrap_err().to_string(), "nothing to count");
    assert_eq!(
        format!("{:?}", shown::start(2).unwrap()),
        "Found { words: 2, opaque: _, note: None }"
    );
    assert_eq!(format!("{:?}", shown::end(1)), "Ok(Own)");
}
