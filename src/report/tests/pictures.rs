//! The picture of a run that goes on, and what a terminal shows of it.

use super::*;
use crate::report::terminal::{Surroundings, Terminal};
use crate::report::view;

fn canvas(style: &Style, width: usize) -> view::Canvas<'_> {
    view::Canvas {
        now: at(100),
        style,
        width,
        height: 24,
    }
}

#[test]
fn the_picture_of_a_run_that_goes_on() {
    let events = good_run();
    let mut progress = Progress::new(wordcount());
    let mut pictures = Vec::new();
    for (position, event) in events.iter().enumerate() {
        progress.apply(event);
        if [2, 5, 8, 12, 17].contains(&position) {
            pictures.push(view::lines(&progress, &canvas(&Style::plain(), 79)).join("\n"));
        }
    }
    insta::assert_snapshot!(pictures.join("\n--\n"), @r"
    ✓ start  12 ms
    --
    ✓ start  12 ms
    ● count  ░░░░░░░░░░░░░░░░░░░░░░░░ 0/3  87 ms  1/4 reading \u{7}
    --
    ✓ start  12 ms
    ○ count  ████████░░░░░░░░░░░░░░░░ 1/3  87 ms  1 retried
    --
    ✓ start  12 ms
    ✓ count  ████████████████████████ 3/3  71 ms  1 retried
    --
    ✓ start  12 ms
    ✓ count  ████████████████████████ 3/3  71 ms  1 retried
    ✓ total  5.0 ms
    ✓ end    1.0 ms
    ");
}

#[test]
fn a_picture_is_never_wider_than_the_terminal() {
    let mut progress = Progress::new(wordcount());
    let (plain, painted) = (Style::plain(), Style::new(true));
    for event in &good_run() {
        progress.apply(event);
        for width in 0..100 {
            let lines = view::lines(&progress, &canvas(&plain, width));
            let fits = |line: &String| line.chars().count() <= width.max(4);
            assert!(lines.iter().all(fits), "{width}: {lines:#?}");
            let bare = |line: &String| anstream::adapter::strip_str(line).to_string();
            let same = view::lines(&progress, &canvas(&painted, width));
            assert_eq!(same.iter().map(bare).collect::<Vec<_>>(), lines);
        }
    }
    let picture = |width| view::lines(&progress, &canvas(&plain, width))[1].clone();
    insta::assert_snapshot!([79, 44, 30, 20].map(picture).join("\n"), @r"
    ✓ count  ████████████████████████ 3/3  71 ms  1 retried
    ✓ count  █████████ 3/3  71 ms  1 retried
    ✓ count  3/3  71 ms  1 retried
    ✓ count  3/3  71 ms
    ");
}

/// What a terminal of `columns` shows after `bytes`: it goes up, to the left and on, clears what is
/// below, and breaks lines that are too long.
fn screen(bytes: &[u8], columns: usize) -> Vec<String> {
    let text = std::str::from_utf8(bytes).unwrap();
    let (mut rows, mut row) = (vec![String::new()], 0);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\n' => row += 1,
            '\r' => {}
            '\u{1b}' => {
                assert_eq!(rest.next(), Some('['));
                let mut number = String::new();
                while let Some(digit) = rest.next_if(char::is_ascii_digit) {
                    number.push(digit);
                }
                match rest.next() {
                    Some('A') => row -= number.parse::<usize>().unwrap(),
                    Some('J') => rows.drain(row..).for_each(drop),
                    other => panic!("{other:?}"),
                }
            }
            c => {
                row += usize::from(
                    rows.get(row)
                        .is_some_and(|it| it.chars().count() == columns),
                );
                rows.resize(rows.len().max(row + 1), String::new());
                rows[row].push(c);
            }
        }
    }
    rows
}

#[derive(Clone, Default)]
struct Tape(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Tape {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What stands on a terminal after these events, drawn after each of them.
fn drawn(events: &[Event], columns: usize, rows: usize) -> Vec<String> {
    let tape = Tape::default();
    let ticks = std::sync::atomic::AtomicU64::new(0);
    let around = Surroundings {
        out: Box::new(tape.clone()),
        clock: Box::new(move || {
            at(100 * ticks.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 100)
        }),
        size: Box::new(move || (columns, rows)),
    };
    let mut reporter = Terminal::new(wordcount(), Style::plain(), around);
    for event in events {
        reporter.event(event);
        reporter.tick();
    }
    reporter.end();
    let bytes = tape.0.lock().unwrap();
    screen(&bytes, columns)
}

#[test]
fn a_terminal_is_left_with_the_last_picture_and_the_summary() {
    insta::assert_snapshot!(drawn(&bad_run(), 100, 24).join("\n"), @r#"
    run wordcount/42
    count/1 failed: memory limit: the step asked for more than 512 MiB
        hint: give it more with `resources(memory = "1 GiB")`
    ✓ start  12 ms
    ✗ count  ████████████████████████ 2/2  30 ms  1 failed
    run wordcount/42 failed in 50 ms: 3 tasks, 1 failed
      wordcount/42/count/1 failed: memory limit: the step asked for more than 512 MiB
      look further: wrun logs wordcount/42/count/1
                    wrun resume wordcount/42
                    wrun show wordcount/42
    "#);
    let wide = drawn(&good_run(), 80, 24);
    for (columns, rows) in [(50, 24), (30, 24), (80, 4)] {
        let narrow = drawn(&good_run(), columns, rows);
        let marks = |rows: &[String]| rows.iter().filter(|row| row.starts_with('✓')).count();
        assert_eq!(marks(&wide), 4);
        assert!(
            marks(&narrow) == if rows == 4 { 1 } else { 4 },
            "{narrow:#?}"
        );
    }
}
