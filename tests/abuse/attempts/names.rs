//! The same below the standard library: paths as they are, and descriptors that are none.

use wrun::model::failure::FailureKind::*;

use super::{Must::*, Row, try_all};

#[test]
fn no_library_is_needed_to_be_refused() {
    try_all(ROWS);
}

const ROWS: &[Row] = &[
    (
        "opens an absolute path",
        "open-at 1|/etc/passwd",
        Say("not-permitted"),
    ),
    (
        "looks at an absolute path",
        "stat-at 1|/etc/passwd",
        Say("not-permitted"),
    ),
    ("opens dots", "open-at 1|../secret", Say("not-permitted")),
    ("looks at dots", "stat-at 1|../secret", Say("not-permitted")),
    (
        "opens dots after a name",
        "open-at 1|sub/../../secret",
        Say("not-permitted"),
    ),
    (
        "looks at dots after a name",
        "stat-at 1|sub/../../secret",
        Say("not-permitted"),
    ),
    ("opens only dots", "open-at 1|..", Say("not-permitted")),
    ("looks at only dots", "stat-at 1|..", Say("not-permitted")),
    ("opens nothing", "open-at 1|", Say("no-entry")),
    ("looks at nothing", "stat-at 1|", Say("no-entry")),
    ("opens NUL", "open-at 1|a.txt%00", Say("invalid")),
    ("looks at NUL", "stat-at 1|a.txt%00", Say("invalid")),
    (
        "opens a link that is followed",
        "open-at 1|to-secret",
        Say("no-entry"),
    ),
    (
        "looks at a link that is followed",
        "stat-at 1|to-secret",
        Say("no-entry"),
    ),
    (
        "opens a link and more",
        "open-at 1|to-outside/secret",
        Say("access"),
    ),
    (
        "looks at a link and more",
        "stat-at 1|to-outside/secret",
        Say("access"),
    ),
    (
        "opens a slash after a file",
        "open-at 1|a.txt/",
        Say("not-directory"),
    ),
    (
        "looks at a slash after a file",
        "stat-at 1|a.txt/",
        Say("not-directory"),
    ),
    (
        "opens in the scratch directory an absolute path",
        "open-at 0|/etc/passwd",
        Say("not-permitted"),
    ),
    (
        "makes a file in the scratch directory at an absolute path",
        "create-at 0|/etc/passwd",
        Say("not-permitted"),
    ),
    (
        "makes a directory in the scratch directory at an absolute path",
        "mkdir-at 0|/etc/passwd",
        Say("not-permitted"),
    ),
    (
        "removes from the scratch directory an absolute path",
        "unlink-at 0|/etc/passwd",
        Say("not-permitted"),
    ),
    (
        "opens in the scratch directory dots",
        "open-at 0|../x",
        Say("not-permitted"),
    ),
    (
        "makes a file in the scratch directory at dots",
        "create-at 0|../x",
        Say("not-permitted"),
    ),
    (
        "makes a directory in the scratch directory at dots",
        "mkdir-at 0|../x",
        Say("not-permitted"),
    ),
    (
        "removes from the scratch directory dots",
        "unlink-at 0|../x",
        Say("not-permitted"),
    ),
    (
        "opens in the scratch directory dots below",
        "open-at 0|a/../../x",
        Say("no-entry"),
    ),
    (
        "makes a file in the scratch directory at dots below",
        "create-at 0|a/../../x",
        Say("no-entry"),
    ),
    (
        "makes a directory in the scratch directory at dots below",
        "mkdir-at 0|a/../../x",
        Say("no-entry"),
    ),
    (
        "removes from the scratch directory dots below",
        "unlink-at 0|a/../../x",
        Say("no-entry"),
    ),
    (
        "makes a file in the granted directory",
        "create-at 1|x",
        Say("read-only"),
    ),
    (
        "makes a directory in the granted directory",
        "mkdir-at 1|x",
        Say("read-only"),
    ),
    (
        "removes from the granted directory",
        "unlink-at 1|a.txt",
        Say("read-only"),
    ),
    (
        "reads where a link leads",
        "readlink-at 1|to-secret",
        Say("no-entry"),
    ),
    (
        "makes a link to the machine",
        "symlink-at 0|/etc/passwd|x",
        Say("unsupported"),
    ),
    (
        "makes a link to above",
        "symlink-at 0|../../secret|x",
        Say("unsupported"),
    ),
    (
        "makes a link in the granted directory",
        "symlink-at 1|/etc/passwd|x",
        Say("unsupported"),
    ),
    (
        "renames out of the granted directory",
        "rename-at 1|a.txt|0|x",
        Say("cross-device"),
    ),
    (
        "renames to above",
        "rename-at 0|x|0|../x",
        Say("not-permitted"),
    ),
    (
        "renames from above",
        "rename-at 0|../x|0|x",
        Say("not-permitted"),
    ),
    (
        "links out of the granted directory",
        "link-at 1|a.txt|0|x",
        Say("cross-device"),
    ),
    (
        "links from above",
        "link-at 0|../../etc/passwd|0|x",
        Say("not-permitted"),
    ),
    (
        "uses a number as a descriptor",
        "forged-descriptor 4242",
        Fail(Trap, "unknown handle index 4242"),
    ),
    (
        "uses the number nothing as a descriptor",
        "forged-descriptor 0",
        Fail(Trap, "unknown handle index 0"),
    ),
    (
        "uses a negative number as a descriptor",
        "forged-descriptor -1",
        Fail(Trap, "unknown handle index 4294967295"),
    ),
    (
        "opens with flags that there are not",
        "flags",
        Say("read-only"),
    ),
    (
        "has an answer written behind its memory",
        "wild-answer",
        Fail(Trap, "pointer out of bounds"),
    ),
];
