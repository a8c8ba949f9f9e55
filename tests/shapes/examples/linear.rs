//! Three steps in a row; values of many types pass from one to the next.

use std::collections::BTreeMap;

use wrun_sdk::prelude::*;

/// Passes values on.
#[flow]
mod linear {
    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Plain,
        Weighted { by: f64 },
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Row {
        name: String,
        kind: Kind,
        note: Option<String>,
    }

    #[derive(Artifacts)]
    struct Start {
        rows: Vec<Row>,
        key: Bytes,
        ratio: f64,
        big: u64,
        small: i64,
        never: Option<u32>,
    }

    #[derive(Artifacts)]
    struct Middle {
        by_name: BTreeMap<String, Kind>,
        ratio: f64,
    }

    #[derive(Artifacts)]
    struct End {
        line: String,
    }

    #[step(next = "middle")]
    fn start() -> Start {
        println!("printed by start");
        let row = |name: &str, kind| Row {
            name: name.to_owned(),
            kind,
            note: None,
        };
        Start {
            rows: vec![row("b", Kind::Weighted { by: 0.5 }), row("a", Kind::Plain)],
            key: Bytes::from(vec![0, 159, 146, 150]),
            ratio: f64::INFINITY,
            big: u64::MAX,
            small: i64::MIN,
            never: None,
        }
    }

    #[step(next = "end")]
    fn middle(rows: Vec<Row>, never: Option<u32>) -> Result<Middle> {
        ensure!(never.is_none(), "nobody wrote `never`");
        let by_name = rows.into_iter().map(|row| (row.name, row.kind)).collect();
        Ok(Middle {
            by_name,
            ratio: 0.25,
        })
    }

    #[step]
    fn end(by_name: BTreeMap<String, Kind>, ratio: f64, big: u64, small: i64, key: Bytes) -> End {
        warn!("only a warning");
        End {
            line: format!("{by_name:?} {ratio} {big} {small} {:?}", &key[..]),
        }
    }
}
