//! Names as wrun accepts them, and suggestions for those that are nearly right.

/// The longest name, in bytes.
const MAX_NAME: usize = 64;

/// What a name is for, which decides about the characters that it may have.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Flow,
    Step,
    Artifact,
    Case,
}

/// Why `name` is not a name, with what to do; none when it is one.
pub(crate) fn refuse(kind: Kind, name: &str) -> Option<String> {
    let (what, upper, hyphen) = match kind {
        Kind::Flow => ("a flow", false, true),
        Kind::Step => ("a step", false, false),
        Kind::Artifact => ("an artifact", true, false),
        Kind::Case => ("a case", true, true),
    };
    if name.is_empty() {
        return Some(format!("the name of {what} cannot be empty"));
    }
    if name.len() > MAX_NAME {
        return Some(format!(
            "the name of {what} cannot be longer than {MAX_NAME} bytes"
        ));
    }
    let allowed = |c: char| {
        c.is_ascii_lowercase()
            || c.is_ascii_digit()
            || c == '_'
            || (upper && c.is_ascii_uppercase())
            || (hyphen && c == '-')
    };
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic());
    if starts && name.chars().all(allowed) {
        return None;
    }
    let better = suggest(name, upper, hyphen);
    let letters = if upper {
        "letters"
    } else {
        "lower-case letters"
    };
    let signs = if hyphen {
        "digits, `_` and `-`"
    } else {
        "digits and `_`"
    };
    Some(format!(
        "`{name}` cannot name {what}: {letters}, {signs} are allowed, and a letter comes first{better}"
    ))
}

fn suggest(name: &str, upper: bool, hyphen: bool) -> String {
    let mut better = String::new();
    for c in name.trim_start_matches('_').chars() {
        match c {
            'A'..='Z' if !upper => {
                if !better.is_empty() && !better.ends_with('_') {
                    better.push('_');
                }
                better.push(c.to_ascii_lowercase());
            }
            '-' if !hyphen => better.push('_'),
            c => better.push(c),
        }
    }
    let right = better.starts_with(|c: char| c.is_ascii_alphabetic())
        && better
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if right {
        format!("; write `{better}`")
    } else {
        String::new()
    }
}

/// `; did you mean …?` when one of `known` is nearly `name`, otherwise the list of them.
pub(crate) fn did_you_mean<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let near = known
        .clone()
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|&(distance, candidate)| {
            distance <= (candidate.len().max(name.len()) / 3).max(1) || same_stem(name, candidate)
        })
        .min();
    if let Some((_, candidate)) = near {
        return format!("; did you mean `{candidate}`?");
    }
    let list: Vec<_> = known.map(|known| format!("`{known}`")).collect();
    match list.len() {
        0 => String::new(),
        1 => format!("; there is only {}", list[0]),
        _ => format!("; there are {}", list.join(", ")),
    }
}

/// Whether both begin alike, as `retries` and `retry` do.
fn same_stem(a: &str, b: &str) -> bool {
    a.get(..4).is_some_and(|stem| b.starts_with(stem))
}

/// How many letters must be changed, added, removed or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let change = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = change.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_model() {
        assert_eq!(refuse(Kind::Flow, "grid-search_2"), None);
        assert_eq!(refuse(Kind::Step, "fit_2"), None);
        assert_eq!(refuse(Kind::Artifact, "maxDepth"), None);
        assert_eq!(refuse(Kind::Case, "Too-big"), None);
        for (kind, name) in [
            (Kind::Flow, "Grid"),
            (Kind::Step, "fit-2"),
            (Kind::Step, "2fit"),
            (Kind::Artifact, "_x"),
            (Kind::Artifact, "größe"),
            (Kind::Case, "-x"),
            (Kind::Step, ""),
        ] {
            assert!(refuse(kind, name).is_some(), "{name}");
        }
        assert!(refuse(Kind::Step, &"a".repeat(65)).is_some());
    }

    #[test]
    fn a_better_name_is_offered() {
        assert!(
            refuse(Kind::Step, "fitModel")
                .unwrap()
                .ends_with("; write `fit_model`")
        );
        assert!(
            refuse(Kind::Artifact, "_x")
                .unwrap()
                .ends_with("; write `x`")
        );
        assert!(
            refuse(Kind::Artifact, "größe")
                .unwrap()
                .ends_with("comes first")
        );
    }

    #[test]
    fn near_names_are_found() {
        let known = ["start", "count", "end"];
        assert_eq!(
            did_you_mean("conut", known.into_iter()),
            "; did you mean `count`?"
        );
        assert_eq!(
            did_you_mean("xyz", known.into_iter()),
            "; there are `start`, `count`, `end`"
        );
        assert_eq!(
            did_you_mean("xyz", ["end"].into_iter()),
            "; there is only `end`"
        );
    }
}
