//! Paths as a guest gives them: relative to an open directory, and never out of it.

use super::abi::ErrorCode;
use crate::sandbox::call::MAX_PATH;

/// The longest name, in bytes.
const MAX_NAME: usize = 255;

/// One part of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// The directory around.
    Up,
    /// A name.
    Name(&'a str),
}

/// The parts of a path, and whether it must be that of a directory.
pub fn parts(path: &str) -> Result<(Vec<Part<'_>>, bool), ErrorCode> {
    match path {
        "" => return Err(ErrorCode::NoEntry),
        path if path.starts_with('/') => return Err(ErrorCode::NotPermitted),
        path if path.contains('\0') => return Err(ErrorCode::Invalid),
        path if path.len() > MAX_PATH => return Err(ErrorCode::NameTooLong),
        _ => {}
    }
    let mut parts = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => parts.push(Part::Up),
            name if name.len() > MAX_NAME => return Err(ErrorCode::NameTooLong),
            name => parts.push(Part::Name(name)),
        }
    }
    let directory = path.ends_with('/') || path.ends_with("/.") || path == ".";
    Ok((parts, directory))
}

/// `path` below `base`, both without `.` and `..`; an error when it leads out of `base`.
pub fn below(base: &str, path: &str) -> Result<String, ErrorCode> {
    let mut names = Vec::new();
    for part in parts(path)?.0 {
        match part {
            Part::Name(name) => names.push(name),
            Part::Up => {
                names.pop().ok_or(ErrorCode::NotPermitted)?;
            }
        }
    }
    let base = (!base.is_empty()).then_some(base);
    let all: Vec<&str> = base.into_iter().chain(names).collect();
    let path = all.join("/");
    if path.len() > MAX_PATH {
        return Err(ErrorCode::NameTooLong);
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_never_leads_out_of_its_base() {
        assert_eq!(below("", "a/./b//c"), Ok("a/b/c".to_owned()));
        assert_eq!(below("x", "a/../b"), Ok("x/b".to_owned()));
        assert_eq!(below("x", "."), Ok("x".to_owned()));
        for path in ["..", "a/../..", "a/../../x/a"] {
            assert_eq!(below("x", path), Err(ErrorCode::NotPermitted), "{path}");
        }
        assert_eq!(below("", "/etc"), Err(ErrorCode::NotPermitted));
        assert_eq!(below("", ""), Err(ErrorCode::NoEntry));
        assert_eq!(below("", "a\0b"), Err(ErrorCode::Invalid));
        assert_eq!(below("", &"n".repeat(256)), Err(ErrorCode::NameTooLong));
        assert_eq!(below("", &"n/".repeat(3000)), Err(ErrorCode::NameTooLong));
    }
}
