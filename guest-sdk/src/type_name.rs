//! The names of types as definitions hold them: without module paths, the same on every target.

/// The name of `T` without module paths, e.g. `Vec<Shard>`.
pub(crate) fn of<T: ?Sized>() -> String {
    strip(std::any::type_name::<T>())
}

/// Removes the module paths of a type's name, and calls borrowed text by its owned name.
fn strip(full: &str) -> String {
    let mut short = String::with_capacity(full.len());
    let mut segment = 0; // where the current path began
    let mut rest = full;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        if c == ':' && rest.starts_with(':') {
            short.truncate(segment);
            rest = &rest[1..];
            continue;
        }
        short.push(c);
        if !(c.is_alphanumeric() || c == '_') {
            segment = short.len();
        }
    }
    short.replace("&str", "String")
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use super::*;

    struct Shard;
    struct Pair<A, B>(std::marker::PhantomData<(A, B)>);

    #[test]
    fn names_have_no_paths() {
        assert_eq!(of::<String>(), "String");
        assert_eq!(of::<&'static str>(), "String");
        assert_eq!(of::<Shard>(), "Shard");
        assert_eq!(of::<Vec<Shard>>(), "Vec<Shard>");
        assert_eq!(of::<Vec<(String, u64)>>(), "Vec<(String, u64)>");
        assert_eq!(
            of::<BTreeMap<String, Vec<f64>>>(),
            "BTreeMap<String, Vec<f64>>"
        );
        assert_eq!(of::<HashMap<String, Shard>>(), "HashMap<String, Shard>");
        assert_eq!(of::<[[f32; 4]; 2]>(), "[[f32; 4]; 2]");
        assert_eq!(
            of::<Pair<Shard, Option<Shard>>>(),
            "Pair<Shard, Option<Shard>>"
        );
        assert_eq!(of::<crate::Blob>(), "Blob");
    }
}
