//! Compares what a page says with what a command printed, but for what differs from run to run.

/// The line that stands for any lines.
const ANY: &str = "…";

/// Says what differs; nothing is compared when nothing is said.
pub fn compare(said: &[String], printed: &str) -> Result<(), String> {
    if said.is_empty() {
        return Ok(());
    }
    let printed: Vec<_> = printed.lines().map(steady).collect();
    let said: Vec<_> = said.iter().map(|line| steady(line)).collect();
    if matches(&said, &printed) {
        return Ok(());
    }
    let first = said
        .iter()
        .find(|line| *line != ANY && !printed.contains(line));
    Err(match first {
        Some(line) => format!("does not print\n{line}\n"),
        None => "prints other lines, or in another order".to_owned(),
    })
}

fn matches(said: &[String], printed: &[String]) -> bool {
    match (said.split_first(), printed.split_first()) {
        (None, rest) => rest.is_none(),
        (Some((first, said)), _) if first == ANY => {
            (0..=printed.len()).any(|skipped| matches(said, &printed[skipped..]))
        }
        (Some((first, said)), Some((line, printed))) => first == line && matches(said, printed),
        (Some(_), None) => false,
    }
}

/// The line with times and digests replaced, and gaps made one space: how wide a column is
/// depends on the times in it.
fn steady(line: &str) -> String {
    let indent = line.len() - line.trim_start().len();
    let mut words: Vec<String> = Vec::new();
    for word in line.split_whitespace() {
        let bare = word.trim_end_matches([',', ':', ';', '.']);
        let is_unit = ["µs", "ms", "s", "min", "h"].contains(&bare);
        let number = words.last().and_then(|last| last.parse::<f64>().ok());
        if let (true, Some(_)) = (is_unit, number) {
            words.pop();
            words.push(format!("[time]{}", &word[bare.len()..]));
        } else if bare
            .strip_suffix('s')
            .is_some_and(|number| number.parse::<f64>().is_ok())
        {
            words.push(format!("[time]{}", &word[bare.len()..]));
        } else if is_digest(bare) {
            words.push(format!("[digest]{}", &word[bare.len()..]));
        } else {
            words.push(word.to_owned());
        }
    }
    " ".repeat(indent) + &words.join(" ")
}

fn is_digest(word: &str) -> bool {
    let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    (word.len() == 12 || word.len() == 64) && word.bytes().all(hex)
}

#[test]
fn times_and_digests_may_differ_and_nothing_else() {
    let said = [
        "run a/1 in 5 ms: 3 tasks".to_owned(),
        ANY.to_owned(),
        "end".to_owned(),
    ];
    assert!(compare(&said, "run a/1 in 12.5 s: 3 tasks\nmore\nend\n").is_ok());
    assert!(compare(&said, "run a/1 in 12.5 s: 4 tasks\nend\n").is_err());
    assert!(compare(&said, "run a/1 in 12.5 s: 3 tasks\nend\nmore\n").is_err());
    assert!(compare(&["x".to_owned()], "").is_err());
    assert_eq!(
        steady("  module f42578c55d5c,  2.0 µs"),
        "  module [digest], [time]"
    );
}
