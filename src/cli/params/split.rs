//! Tells the parameters of a flow from the flags of `wrun run`.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

/// Moves what `command` does not know behind a `--`, where a last argument takes it as it is.
///
/// `arguments` are those after the name of `command`. Its own flags are known wherever they stand.
/// A flag that it does not know is a parameter of the flow, and so is what follows up to the next
/// flag. So the flow itself, which has no flag, comes before the first parameter. A parameter that
/// is called like a flag of the command is given after `--`.
pub fn split(arguments: &[OsString], command: &clap::Command) -> Vec<OsString> {
    let known = Known::of(command);
    let (mut own, mut parameters) = (Vec::new(), Vec::new());
    let mut in_parameters = false;
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if argument == "--" {
            parameters.extend(rest.by_ref().cloned());
            break;
        }
        match known.values_of(argument) {
            Some(values) => {
                own.push(argument.clone());
                own.extend(rest.by_ref().take(values).cloned());
            }
            None => {
                in_parameters |= is_flag(argument);
                if in_parameters {
                    &mut parameters
                } else {
                    &mut own
                }
                .push(argument.clone());
            }
        }
    }
    if !parameters.is_empty() {
        own.push("--".into());
        own.append(&mut parameters);
    }
    own
}

/// Whether it is a flag and not a value: `-3` and `-` are values.
fn is_flag(argument: &OsStr) -> bool {
    let bytes = argument.as_encoded_bytes();
    bytes.len() > 1 && bytes[0] == b'-' && !bytes[1].is_ascii_digit() && bytes[1] != b'.'
}

/// The flags of a command, and whether each takes a value.
struct Known {
    long: BTreeMap<String, bool>,
    short: BTreeMap<char, bool>,
}

impl Known {
    fn of(command: &clap::Command) -> Self {
        let mut known = Self {
            long: BTreeMap::new(),
            short: BTreeMap::new(),
        };
        known.long.insert("help".into(), false);
        known.short.insert('h', false);
        for arg in command.get_arguments() {
            let takes = arg.get_action().takes_values();
            for long in arg.get_long_and_visible_aliases().unwrap_or_default() {
                known.long.insert(long.to_owned(), takes);
            }
            for short in arg.get_short_and_visible_aliases().unwrap_or_default() {
                known.short.insert(short, takes);
            }
        }
        known
    }

    /// How many of the arguments that follow belong to this flag; none when it is not known.
    fn values_of(&self, argument: &OsStr) -> Option<usize> {
        let text = argument.to_str()?;
        if let Some(long) = text.strip_prefix("--") {
            return match long.split_once('=') {
                Some((name, _)) => self.long.get(name).map(|_| 0),
                None => self.long.get(long).map(|&takes| usize::from(takes)),
            };
        }
        let mut letters = text.strip_prefix('-')?.chars();
        while let Some(letter) = letters.next() {
            if *self.short.get(&letter)? {
                // What stands behind the letter, if anything, is its value.
                return Some(usize::from(letters.as_str().is_empty()));
            }
        }
        (text.len() > 1).then_some(0)
    }
}
