//! Reads what `strace -f -y` writes: system calls, when each began and when it had ended.

/// A system call that succeeded. Times are lines of the trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub begun: usize,
    pub ended: usize,
    pub what: What,
}

/// What a call did, as far as it matters here. Paths are absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Bytes went into a file.
    Write(String),
    /// Bytes went to standard output.
    Shown(String),
    /// A file or a directory was flushed.
    Sync(String),
    /// A file got another name, or one more.
    Name { from: String, to: String },
    /// A directory was made.
    MakeDir(String),
}

/// All calls of a trace, in the order in which they began.
pub fn read(text: &str) -> Vec<Call> {
    let mut calls = Vec::new();
    let mut unfinished: Vec<(&str, usize, String)> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let Some((process, rest)) = line.split_once(char::is_whitespace) else {
            continue;
        };
        let rest = rest.trim_start();
        if let Some(head) = rest.strip_suffix("<unfinished ...>") {
            unfinished.push((process, at, head.to_owned()));
        } else if rest.starts_with("<... ") {
            let index = unfinished.iter().position(|it| it.0 == process);
            let (_, begun, head) = unfinished.remove(index.expect("it began before"));
            let tail = rest.split_once("resumed>").map_or("", |it| it.1);
            calls.extend(call(&(head + tail), begun, at));
        } else {
            calls.extend(call(rest, at, at));
        }
    }
    calls.sort_by_key(|call| call.begun);
    calls
}

fn call(text: &str, begun: usize, ended: usize) -> Option<Call> {
    let (name, rest) = text.split_once('(')?;
    let (arguments, result) = rest.rsplit_once(") ")?;
    let result = result.trim_start().strip_prefix("= ")?;
    if result.starts_with('-') {
        return None;
    }
    let descriptor = || -> Option<String> {
        let path = arguments.split_once('<')?.1.split_once('>')?.0;
        Some(path.to_owned())
    };
    let what = match name {
        "write" if arguments.starts_with("1<") => What::Shown(quoted(arguments).pop()?),
        "write" | "pwrite64" | "writev" => What::Write(descriptor()?),
        "fsync" | "fdatasync" => What::Sync(descriptor()?),
        "rename" | "renameat" | "renameat2" | "link" | "linkat" => {
            let mut names = quoted(arguments).into_iter();
            let (from, to) = (names.next()?, names.next()?);
            What::Name { from, to }
        }
        "mkdir" | "mkdirat" => What::MakeDir(quoted(arguments).pop()?),
        _ => return None,
    };
    Some(Call { begun, ended, what })
}

/// The texts in quotation marks, without their escapes.
fn quoted(arguments: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut letters = arguments.chars().peekable();
    while letters.by_ref().any(|it| it == '"') {
        let mut text = Vec::new();
        while let Some(letter) = letters.next() {
            match letter {
                '"' => break,
                '\\' => text.push(escaped(&mut letters)),
                other => text.extend(other.to_string().bytes()),
            }
        }
        texts.push(String::from_utf8_lossy(&text).into_owned());
    }
    texts
}

fn escaped(letters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> u8 {
    match letters.next().unwrap() {
        'n' => b'\n',
        't' => b'\t',
        'r' => b'\r',
        'v' => 11,
        'f' => 12,
        digit @ '0'..='7' => {
            let mut byte = digit.to_digit(8).unwrap();
            while let Some(more) = letters.peek().and_then(|it| it.to_digit(8))
                && byte < 32
            {
                byte = byte * 8 + more;
                letters.next();
            }
            byte as u8
        }
        other => other as u8,
    }
}

#[test]
fn calls_of_several_threads_are_put_together() {
    let text = r#"
12 openat(AT_FDCWD</d>, "/d/tmp/w1", O_RDWR|O_CREAT, 0644) = 5</d/tmp/w1>
12 pwrite64(5</d/tmp/w1>, "a\"b\n\0"..., 300, 0) = 300
12 fsync(5</d/tmp/w1> <unfinished ...>
13 mkdir("/d/x", 0777) = -1 EEXIST (File exists)
13 mkdir("/d/y", 0777) = 0
12 <... fsync resumed>) = 0
12 renameat2(AT_FDCWD</d>, "/d/tmp/w1", AT_FDCWD</d>, "/d/x/k", RENAME_NOREPLACE) = 0
12 write(1</dev/null>, "{\"a\":1}\n\303\244", 10) = 10
12 --- SIGCHLD {si_signo=SIGCHLD} ---
12 +++ exited with 0 +++"#;
    let calls = read(text);
    let what: Vec<_> = calls.iter().map(|it| it.what.clone()).collect();
    let file = || "/d/tmp/w1".to_owned();
    let named = What::Name {
        from: file(),
        to: "/d/x/k".to_owned(),
    };
    assert_eq!(
        what,
        [
            What::Write(file()),
            What::Sync(file()),
            What::MakeDir("/d/y".to_owned()),
            named,
            What::Shown("{\"a\":1}\nä".to_owned())
        ]
    );
    assert_eq!((calls[1].begun, calls[1].ended), (3, 6));
}
