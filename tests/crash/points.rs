//! The points that there are, read from the sources.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// How a point is written in the sources.
const CALLS: [&str; 2] = ["failpoint::pass(", "failpoint::reach("];

/// Every point, with whether the step behind it can be made to fail.
pub fn all() -> BTreeMap<String, bool> {
    let mut points = BTreeMap::new();
    read(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut points,
    );
    points
}

fn read(directory: &Path, points: &mut BTreeMap<String, bool>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, points);
        } else if path.extension().is_some_and(|it| it == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            for call in CALLS {
                for (at, _) in text.match_indices(call) {
                    let rest = text[at + call.len()..].trim_start();
                    let name = rest.strip_prefix('"').and_then(|it| it.split('"').next());
                    let name = name.unwrap_or_else(|| panic!("a point without a name: {rest:.40}"));
                    let before = points.insert(name.to_owned(), call == CALLS[0]);
                    assert_eq!(before, None, "`{name}` stands in two places");
                }
            }
        }
    }
}

#[test]
fn there_are_points_at_every_step_that_writes() {
    let points = all();
    assert!(points.len() >= 40, "{}", points.len());
    for (name, _) in points {
        let is_named = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-".contains(c);
        assert!(name.contains('.') && name.chars().all(is_named), "{name}");
    }
}
