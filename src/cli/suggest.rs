//! Names in errors: the one that was probably meant, and those that there are.

use crate::model::nearest::nearest;

/// The most names that an error lists.
const MAX_LISTED: usize = 20;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_advice() {
        let known = ["start", "end"];
        assert_eq!(
            did_you_mean("ned", known).as_deref(),
            Some("did you mean `end`?")
        );
        assert_eq!(did_you_mean("xyzzy", known), None);
    }

    #[test]
    fn long_lists_are_cut() {
        let names: Vec<_> = (0..25).map(|i| i.to_string()).collect();
        let text = list(names.iter().map(String::as_str));
        assert!(text.ends_with("`19` and 5 more"), "{text}");
        assert_eq!(list([]), "nothing");
    }
}
