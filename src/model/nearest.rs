//! "Did you mean": the known name that one which is not known was probably meant to be.

/// The nearest of `known` that differs from `given` in about a third of its letters at most; of several
/// equally near ones the first in alphabetical order.
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let letters = given.chars().count();
    let far = (letters + 1) / 3;
    known
        .into_iter()
        // Two names differ by their lengths at least, so most need not be compared.
        .filter(|known| known.chars().count().abs_diff(letters) <= far)
        .map(|known| (distance(given, known), known))
        .filter(|(distance, _)| *distance <= far)
        .min()
        .map(|(_, known)| known)
}

/// How many characters must be put in, taken out, replaced or swapped with their neighbour
/// (optimal string alignment: Damerau and Levenshtein, in its restricted form).
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
        assert_eq!(nearest("ned", known), Some("end"));
        assert_eq!(nearest("xyzzy", known), None);
        assert_eq!(nearest("", known), None);
    }

    #[test]
    fn swapped_neighbours_count_once() {
        let distances = [
            distance("ab", "ba"),
            distance("", "abc"),
            distance("same", "same"),
        ];
        assert_eq!(distances, [1, 3, 0]);
    }
}
