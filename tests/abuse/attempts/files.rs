//! Paths: out of what was granted, around it, and over it.

use super::{Must::*, Row, try_all};

#[test]
fn no_path_leads_out_of_what_was_granted() {
    try_all(ROWS);
}

const ROWS: &[Row] = &[
    (
        "reads a file of the machine",
        "read /etc/passwd",
        Say("NotFound"),
    ),
    (
        "reads a file of the machine by a relative path",
        "read etc/passwd",
        Say("NotFound"),
    ),
    (
        "reads what is beside the directory",
        "read /secret",
        Say("NotFound"),
    ),
    (
        "reads a directory with a longer name",
        "read /corpus2",
        Say("NotFound"),
    ),
    (
        "reads a name that begins like the directory",
        "read /corpusx/a.txt",
        Say("NotFound"),
    ),
    (
        "reads the environment of the process",
        "read /proc/self/environ",
        Say("NotFound"),
    ),
    (
        "reads the memory of the process",
        "read /proc/self/mem",
        Say("NotFound"),
    ),
    (
        "reads what the process has open",
        "read /proc/self/fd/0",
        Say("NotFound"),
    ),
    ("reads the program", "read /proc/self/exe", Say("NotFound")),
    ("reads a device", "read /dev/zero", Say("NotFound")),
    ("reads the terminal", "read /dev/tty", Say("NotFound")),
    (
        "reads the home of root",
        "read /root/.bashrc",
        Say("NotFound"),
    ),
    (
        "reads credentials of a cloud",
        "read /root/.aws/credentials",
        Say("NotFound"),
    ),
    (
        "reads a token of a container",
        "read /var/run/secrets/kubernetes.io/serviceaccount/token",
        Say("NotFound"),
    ),
    (
        "reads the socket of an engine",
        "read /var/run/docker.sock",
        Say("NotFound"),
    ),
    (
        "reads another spelling of the root",
        "read //etc/passwd",
        Say("NotFound"),
    ),
    (
        "reads the root by three slashes",
        "read ///etc/passwd",
        Say("NotFound"),
    ),
    (
        "reads a path of Windows",
        "read C:\\Windows\\win.ini",
        Say("NotFound"),
    ),
    ("reads nothing", "read ", Say("NotFound")),
    ("reads a tilde", "read ~/secret", Say("NotFound")),
    ("reads a URL", "read file:///etc/passwd", Say("NotFound")),
    (
        "leaves the directory by dots",
        "read /corpus/../secret",
        Say("PermissionDenied"),
    ),
    (
        "leaves the directory by dots below",
        "read /corpus/sub/../../secret",
        Say("PermissionDenied"),
    ),
    (
        "leaves the directory by many dots",
        "read /corpus/<60*../>etc/passwd",
        Say("PermissionDenied"),
    ),
    (
        "leaves the directory by dots after what is not there",
        "read /corpus/none/../../secret",
        Say("PermissionDenied"),
    ),
    (
        "leaves the directory by dots after a file",
        "read /corpus/a.txt/../../secret",
        Say("PermissionDenied"),
    ),
    (
        "leaves the directory by dots and slashes",
        "read /corpus//..//secret",
        Say("PermissionDenied"),
    ),
    (
        "leaves the directory by dots and single dots",
        "read /corpus/./.././secret",
        Say("PermissionDenied"),
    ),
    ("reads by a link", "read /corpus/to-secret", Say("NotFound")),
    (
        "reads by an absolute link",
        "read /corpus/to-passwd",
        Say("NotFound"),
    ),
    (
        "reads by a link of links",
        "read /corpus/chain-1",
        Say("NotFound"),
    ),
    (
        "reads by a link through a file",
        "read /corpus/through-a-file",
        Say("NotFound"),
    ),
    (
        "reads by a link with dots",
        "read /corpus/out-by-dots",
        Say("NotFound"),
    ),
    (
        "reads by a link from below",
        "read /corpus/sub/deep/up",
        Say("NotFound"),
    ),
    (
        "reads by a link to the environment",
        "read /corpus/to-environ",
        Say("NotFound"),
    ),
    (
        "reads by a link to the root of the process",
        "read /corpus/to-root-of-process",
        Say("NotFound"),
    ),
    (
        "reads by a link to a device",
        "read /corpus/to-zero",
        Say("NotFound"),
    ),
    (
        "reads by a link to itself",
        "read /corpus/loop",
        Say("NotFound"),
    ),
    (
        "reads by a link to nothing",
        "read /corpus/to-nothing",
        Say("NotFound"),
    ),
    (
        "reads by a linked directory",
        "read /corpus/to-outside/secret",
        Say("PermissionDenied"),
    ),
    (
        "reads by the linked parent",
        "read /corpus/to-parent/secret",
        Say("PermissionDenied"),
    ),
    (
        "reads by the linked root",
        "read /corpus/to-root/etc/passwd",
        Say("PermissionDenied"),
    ),
    (
        "reads by a link to the directory itself and out",
        "read /corpus/to-itself/to-secret",
        Say("NotFound"),
    ),
    ("reads by a pipe", "read /corpus/fifo", Say("NotFound")),
    ("reads by a socket", "read /corpus/socket", Say("NotFound")),
    (
        "reads by a link to a directory inside",
        "read /corpus/to-sub/b.txt",
        Say("got \"deeper\""),
    ),
    (
        "takes the file behind dots inside",
        "read /corpus/sub/../a.txt",
        Say("got \"inside\""),
    ),
    (
        "climbs out of a directory",
        "escape /corpus/sub/deep",
        Say("PermissionDenied"),
    ),
    (
        "climbs out of the scratch directory",
        "escape /tmp",
        Say("PermissionDenied"),
    ),
    (
        "reads a path with NUL",
        "read /corpus/a.txt%00.png",
        Say("InvalidInput"),
    ),
    (
        "reads a path with a newline",
        "read /corpus/a%0a.txt",
        Say("NotFound"),
    ),
    (
        "reads a path with percent signs",
        "read /corpus/%252e%252e/secret",
        Say("NotFound"),
    ),
    (
        "reads a path with overlong dots",
        "read /corpus/%e2%80%a5/secret",
        Say("NotFound"),
    ),
    (
        "reads a path with full-width dots",
        "read /corpus/%ef%bc%8e%ef%bc%8e/secret",
        Say("NotFound"),
    ),
    (
        "reads a path with a full-width slash",
        "read /corpus/..%ef%bc%8fsecret",
        Say("NotFound"),
    ),
    (
        "reads a path with a fraction slash",
        "read /corpus/..%e2%81%84secret",
        Say("NotFound"),
    ),
    (
        "reads a path with a backslash",
        "read /corpus/..\\secret",
        Say("NotFound"),
    ),
    (
        "reads a path with a Cyrillic letter",
        "read /corpus/%d0%b0.txt",
        Say("NotFound"),
    ),
    (
        "reads a path with a combining mark",
        "read /corpus/a%cc%81.txt",
        Say("NotFound"),
    ),
    (
        "reads a path with capital letters",
        "read /CORPUS/a.txt",
        Say("NotFound"),
    ),
    (
        "reads a path with a joiner of width nothing",
        "read /corpus/a%e2%80%8b.txt",
        Say("NotFound"),
    ),
    (
        "reads a path with a trailing dot",
        "read /corpus/a.txt.",
        Say("NotFound"),
    ),
    (
        "reads a path with a trailing blank",
        "read /corpus/a.txt%20",
        Say("NotFound"),
    ),
    (
        "reads a path with a stream of NTFS",
        "read /corpus/a.txt::$DATA",
        Say("NotFound"),
    ),
    (
        "reads a file as a directory by a slash",
        "read /corpus/a.txt/",
        Say("NotADirectory"),
    ),
    (
        "reads a very long name",
        "read /corpus/<300*n>",
        Say("InvalidFilename"),
    ),
    (
        "reads a very long path",
        "read /corpus/<3000*d/>",
        Say("InvalidFilename"),
    ),
    (
        "reads a path of a mebibyte",
        "read /corpus/<500000*d/>",
        Say("InvalidFilename"),
    ),
    ("reads a directory", "read /corpus", Say("IsADirectory")),
    ("lists the root", "list /", Say("NotFound")),
    ("lists the working directory", "list .", Say("NotFound")),
    ("lists the home", "list /root", Say("NotFound")),
    ("lists the processes", "list /proc", Say("NotFound")),
    (
        "lists outside by a link",
        "list /corpus/to-outside",
        Say("NotFound"),
    ),
    (
        "lists the parent by a link",
        "list /corpus/to-parent",
        Say("NotFound"),
    ),
    (
        "lists the parent by dots",
        "list /corpus/..",
        Say("PermissionDenied"),
    ),
    ("lists a file", "list /corpus/a.txt", Say("NotADirectory")),
    (
        "lists the directory with its links",
        "list /corpus",
        Say("got [\"a.txt\", \"aa.txt\", \"sub\"]"),
    ),
    (
        "looks at outside",
        "stat /corpus/to-secret",
        Say("NotFound"),
    ),
    ("looks at the root", "stat /", Say("NotFound")),
    (
        "looks at the linked root",
        "stat /corpus/to-root",
        Say("NotFound"),
    ),
    ("looks at a pipe", "stat /corpus/fifo", Say("NotFound")),
    (
        "looks at a link itself",
        "lstat /corpus/to-secret",
        Say("NotFound"),
    ),
    (
        "reads where a link leads",
        "readlink /corpus/to-secret",
        Say("NotFound"),
    ),
    (
        "asks for the true path",
        "canon /corpus/a.txt",
        Say("got \"/corpus/a.txt\""),
    ),
    ("enters the root", "chdir /", Say("NotFound")),
    (
        "asks for times",
        "times /corpus/a.txt",
        Say(
            "got \"SystemTime { tv_sec: 0, tv_nsec: 0 } SystemTime { tv_sec: 0, tv_nsec: 0 } true\"",
        ),
    ),
    (
        "writes a new file",
        "write /corpus/new",
        Say("ReadOnlyFilesystem"),
    ),
    (
        "writes an old file",
        "write /corpus/a.txt",
        Say("ReadOnlyFilesystem"),
    ),
    (
        "writes by a link outside",
        "write /corpus/to-secret",
        Say("ReadOnlyFilesystem"),
    ),
    (
        "writes at the end of a file",
        "append /corpus/a.txt",
        Say("ReadOnlyFilesystem"),
    ),
    (
        "writes a file of the machine",
        "write /etc/cron.d/x",
        Say("NotFound"),
    ),
    (
        "writes beside the scratch directory",
        "write /var/tmp/x",
        Say("NotFound"),
    ),
    (
        "writes above the scratch directory",
        "write /tmp/../x",
        Say("PermissionDenied"),
    ),
    (
        "writes the process's memory",
        "write /proc/self/mem",
        Say("NotFound"),
    ),
    (
        "writes what it shows as the terminal",
        "write /dev/tty",
        Say("NotFound"),
    ),
    (
        "makes a directory",
        "mkdir /corpus/new",
        Say("ReadOnlyFilesystem"),
    ),
    ("makes a directory elsewhere", "mkdir /new", Say("NotFound")),
    (
        "removes a directory",
        "rmdir /corpus/sub",
        Say("ReadOnlyFilesystem"),
    ),
    (
        "removes a file",
        "remove /corpus/a.txt",
        Say("ReadOnlyFilesystem"),
    ),
    (
        "removes a link",
        "remove /corpus/to-secret",
        Say("ReadOnlyFilesystem"),
    ),
    (
        "removes the directory itself",
        "rmdir /corpus",
        Say("ReadOnlyFilesystem"),
    ),
    (
        "renames a file",
        "rename /corpus/a.txt|/corpus/b.txt",
        Say("ReadOnlyFilesystem"),
    ),
    (
        "moves a file out",
        "rename /corpus/a.txt|/tmp/a",
        Say("CrossesDevices"),
    ),
    (
        "moves a file in",
        "over /corpus/a.txt",
        Say("CrossesDevices"),
    ),
    (
        "moves a file over the machine's",
        "over /etc/passwd",
        Say("NotFound"),
    ),
    (
        "links a file out",
        "hardlink /corpus/a.txt|/tmp/a",
        Say("CrossesDevices"),
    ),
    (
        "links a file of the machine in",
        "hardlink /etc/passwd|/tmp/a",
        Say("NotFound"),
    ),
    (
        "links outside into the scratch directory",
        "hardlink /corpus/to-secret|/tmp/a",
        Say("CrossesDevices"),
    ),
    (
        "copies a link's target",
        "copy /corpus/to-secret|/tmp/a",
        Say("NotFound"),
    ),
];
