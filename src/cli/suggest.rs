//! "Did you mean": the known name that is nearest to one that is not known.

/// The most names that an error lists.
const MAX_LISTED: usize = 20;

/// The name in `known` that `given` was probably meant to be; none when nothing is near.
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let far = 1 + given.chars().count() / 3;
    let near = known.into_iter().filter_map(|name| {
        let distance = distance(given, name);
        (distance <= far).then_some((distance, name))
    });
    near.min().map(|(_, name)| name)
}

/// Advice that names the nearest of `known`.
pub fn did_you_mean<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(given, known).map(|name| format!("did you mean `{name}`?"))
}

/// Names for an error: `` `a`, `b`, `c` ``, the first twenty of them.
pub fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.len() {
        0 => "nothing".to_owned(),
        1..=MAX_LISTED => names.join(", "),
        all => format!(
            "{} and {} more",
            names[..MAX_LISTED].join(", "),
            all - MAX_LISTED
        ),
    }
}

/// How many characters must be put in, taken out, replaced or swapped with their neighbour
/// (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_fingers_is_understood() {
        let known = ["start", "count", "total", "end"];
        assert_eq!(nearest("cuont", known), Some("count"));
        assert_eq!(nearest("totals", known), Some("total"));
        assert_eq!(nearest("xyzzy", known), None);
        assert_eq!(
            did_you_mean("ned", known).as_deref(),
            Some("did you mean `end`?")
        );
    }

    #[test]
    fn swapped_neighbours_count_once() {
        assert_eq!(
            (
                distance("ab", "ba"),
                distance("", "abc"),
                distance("same", "same")
            ),
            (1, 3, 0)
        );
    }

    #[test]
    fn long_lists_are_cut() {
        let names: Vec<_> = (0..25).map(|i| i.to_string()).collect();
        let text = list(names.iter().map(String::as_str));
        assert!(text.ends_with("`19` and 5 more"), "{text}");
        assert_eq!(list([]), "nothing");
    }
}
