//! Says of a trace what was durable when, and finds what was relied on before.
//!
//! By what POSIX promises and nothing more: bytes are durable when their file was flushed after they
//! were written, a name when its directory was flushed after it was given, and a directory that was
//! made likewise, up to one that was there before.

use std::collections::BTreeMap;
use std::path::Path;

use super::trace::{Call, What};

/// What was found out about the objects of a store.
pub struct Judge<'a> {
    calls: &'a [Call],
    /// For each key that was named: when that began, and when the object was durable.
    pub objects: BTreeMap<String, Object>,
    /// What is wrong.
    pub faults: Vec<String>,
}

/// When an object was named for the first time, and from when on it was durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object {
    pub named: usize,
    pub durable: usize,
}

impl<'a> Judge<'a> {
    /// Looks at every object of the store in the directory `store`.
    pub fn new(calls: &'a [Call], store: &Path) -> Self {
        let mut judge = Self {
            calls,
            objects: BTreeMap::new(),
            faults: Vec::new(),
        };
        for call in calls {
            if let What::Name { from, to } = &call.what
                && let Ok(key) = Path::new(to).strip_prefix(store)
            {
                judge.named(&key.display().to_string(), (from, to), call);
            }
        }
        judge
    }

    fn named(&mut self, key: &str, (from, to): (&str, &str), call: &Call) {
        if !self.is_flushed(from, call.begun) {
            let fault = format!("`{key}` got its name before its bytes were durable");
            self.faults.push(fault);
        }
        let dir = Path::new(to).parent().unwrap();
        let Some(durable) = self.name_durable(dir, call.ended) else {
            let fault = format!("the name of `{key}` was never made durable");
            return self.faults.push(fault);
        };
        self.objects.entry(key.to_owned()).or_insert(Object {
            named: call.begun,
            durable,
        });
    }

    /// Whether all that was written to a file before `until` was flushed before `until`.
    fn is_flushed(&self, file: &str, until: usize) -> bool {
        let before = || self.calls.iter().filter(|call| call.ended < until);
        let written = before().filter(|call| call.what == What::Write(file.to_owned()));
        let written = written.map(|call| call.ended).max();
        let flushed = before().filter(|call| call.what == What::Sync(file.to_owned()));
        let begun = flushed.map(|call| call.begun).max();
        begun.is_some_and(|begun| written.is_none_or(|written| written < begun))
    }

    /// When an entry of `dir` was durable that was made at `made`, with all directories above it.
    fn name_durable(&self, dir: &Path, made: usize) -> Option<usize> {
        let path = dir.to_str().unwrap().to_owned();
        let is_sync = |call: &&Call| call.what == What::Sync(path.clone()) && call.begun > made;
        let own = self.calls.iter().filter(is_sync).map(|call| call.ended);
        let own = own.min()?;
        let is_made = |call: &&Call| call.what == What::MakeDir(path.clone());
        let above = match self.calls.iter().find(is_made) {
            Some(made) => self.name_durable(dir.parent()?, made.ended)?,
            // It was there before.
            None => 0,
        };
        Some(own.max(above))
    }

    /// Demands that `first` was durable before `second` was named. What is not in the trace was there.
    pub fn before(&mut self, first: &str, second: &str) {
        let (Some(one), Some(other)) = (self.objects.get(first), self.objects.get(second)) else {
            return;
        };
        if one.durable >= other.named {
            let fault = format!("`{second}` got its name before `{first}` was durable");
            self.faults.push(fault);
        }
    }

    /// Demands that `key` was durable before a line with `text` was shown.
    pub fn before_shown(&mut self, key: &str, text: &str) {
        let Some(shown) = self.shown(text) else {
            return self.faults.push(format!("`{text}` was never shown"));
        };
        let durable = self.objects.get(key).map(|object| object.durable);
        if durable.is_none_or(|durable| durable >= shown) {
            let fault = format!("`{text}` was shown before `{key}` was durable");
            self.faults.push(fault);
        }
    }

    /// When the last byte of the first line that has `text` was given out.
    fn shown(&self, text: &str) -> Option<usize> {
        let mut line = String::new();
        for call in self.calls {
            let What::Shown(more) = &call.what else {
                continue;
            };
            for part in more.split_inclusive('\n') {
                line += part;
                if line.ends_with('\n') {
                    if line.contains(text) {
                        return Some(call.begun);
                    }
                    line.clear();
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::trace::read;
    use super::*;

    const GOOD: [&str; 9] = [
        r#"pwrite64(5</d/tmp/w1>, "x", 1, 0) = 1"#,
        r#"fsync(5</d/tmp/w1>) = 0"#,
        r#"mkdir("/d/a", 0777) = 0"#,
        r#"fsync(6</d>) = 0"#,
        r#"renameat2(AT_FDCWD</>, "/d/tmp/w1", AT_FDCWD</>, "/d/a/k", RENAME_NOREPLACE) = 0"#,
        r#"fsync(6</d/a>) = 0"#,
        r#"write(1</out>, "shown k\n", 8) = 8"#,
        r#"rename("/d/tmp/w2", "/d/a/l") = 0"#,
        r#"fsync(6</d/a>) = 0"#,
    ];

    /// The faults of a trace with these lines.
    fn faults(lines: &[&str]) -> Vec<String> {
        let text: String = lines.iter().map(|line| format!("7 {line}\n")).collect();
        let calls = read(&text);
        let mut judge = Judge::new(&calls, Path::new("/d"));
        judge.before("a/k", "a/l");
        judge.before_shown("a/k", "shown k");
        judge
            .faults
            .retain(|fault| !fault.starts_with("`a/l` got its name before its bytes"));
        judge.faults
    }

    /// The good trace, with line `from` moved to `to`.
    fn moved(from: usize, to: usize) -> Vec<&'static str> {
        let mut lines = GOOD.to_vec();
        let line = lines.remove(from);
        lines.insert(to, line);
        lines
    }

    #[test]
    fn a_good_order_has_no_fault() {
        assert_eq!(faults(&GOOD), [""; 0]);
        // A directory may be flushed later, as long as nobody relies on it.
        assert_eq!(faults(&moved(3, 5)), [""; 0]);
    }

    #[test]
    fn every_bad_order_has_one() {
        let named = "`a/k` got its name before its bytes were durable";
        assert_eq!(faults(&moved(1, 4)), [named]);
        assert_eq!(faults(&moved(0, 1)), [named]);
        let shown = "`shown k` was shown before `a/k` was durable";
        assert_eq!(faults(&moved(5, 6)), [shown]);
        // The directory itself has no durable name then.
        assert_eq!(faults(&moved(3, 6)), [shown]);
        let both = ["`a/l` got its name before `a/k` was durable", shown];
        assert_eq!(faults(&moved(5, 7)), both);
        assert_eq!(faults(&moved(5, 3)), both);
        let mut never = GOOD.to_vec();
        never.retain(|line| !line.contains("fsync(6</d/a>)"));
        let lost = faults(&never);
        assert!(lost[0].contains("the name of `a/k` was never made durable"));
    }

    #[test]
    fn a_flush_that_has_not_ended_is_none() {
        let mut lines = GOOD.to_vec();
        lines[5] = "fsync(6</d/a> <unfinished ...>";
        lines[8] = "<... fsync resumed>) = 0";
        assert!(!faults(&lines).is_empty());
    }
}
