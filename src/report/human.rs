//! Sizes, durations and times as people read them.

use crate::model::time::Timestamp;

/// A number of bytes: `0 B`, `980 B`, `1.5 KiB`, `12 MiB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut scaled = count as f64 / 1024.0;
    let mut unit = 0;
    while scaled >= 1023.95 && unit + 1 < UNITS.len() {
        scaled /= 1024.0;
        unit += 1;
    }
    if scaled < 9.95 {
        format!("{scaled:.1} {}", UNITS[unit])
    } else {
        format!("{scaled:.0} {}", UNITS[unit])
    }
}

/// A duration of `micros` microseconds: `0 µs`, `850 µs`, `1.2 ms`, `45 ms`, `3.4 s`, `2 min 5 s`, `3 h 12 min`.
pub fn duration(micros: u64) -> String {
    let tenths = |whole: u64, unit: u64| {
        let value = whole as f64 / unit as f64;
        if value < 9.95 {
            format!("{value:.1}")
        } else {
            format!("{value:.0}")
        }
    };
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..999_500 => format!("{} ms", tenths(micros, 1_000)),
        999_500..59_500_000 => format!("{} s", tenths(micros, 1_000_000)),
        _ => long(micros.saturating_add(500_000) / 1_000_000),
    }
}

fn long(seconds: u64) -> String {
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    match hours {
        0 => format!("{minutes} min {} s", seconds % 60),
        1..48 => format!("{hours} h {minutes} min"),
        _ => format!("{} d {} h", hours / 24, hours % 24),
    }
}

/// A time in UTC: `2026-11-23 08:27:35`.
pub fn time(at: Timestamp) -> String {
    at.rfc3339().replace('T', " ").replace('Z', "")
}

/// A number with the word for it: `1 task`, `3 tasks`.
pub fn count(number: u64, word: &str) -> String {
    if number == 1 {
        format!("1 {word}")
    } else {
        format!("{number} {word}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_two_digits_and_a_unit() {
        let shown: Vec<_> = [
            0,
            1023,
            1024,
            1536,
            10_188,
            10_200,
            1_048_575,
            12 << 20,
            u64::MAX,
        ]
        .into_iter()
        .map(bytes)
        .collect();
        let expected = [
            "0 B", "1023 B", "1.0 KiB", "1.5 KiB", "9.9 KiB", "10 KiB", "1.0 MiB", "12 MiB",
            "16 EiB",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn durations_have_the_unit_that_fits() {
        let shown: Vec<_> = [
            0,
            999,
            1_000,
            45_400,
            999_499,
            999_500,
            59_400_000,
            59_500_000,
            125_000_000,
            11_520_000_000,
            200_000_000_000,
        ]
        .into_iter()
        .map(duration)
        .collect();
        let expected = [
            "0 µs",
            "999 µs",
            "1.0 ms",
            "45 ms",
            "999 ms",
            "1.0 s",
            "59 s",
            "1 min 0 s",
            "2 min 5 s",
            "3 h 12 min",
            "2 d 7 h",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn one_task_two_tasks() {
        assert_eq!(
            (count(1, "task"), count(2, "task")),
            ("1 task".into(), "2 tasks".into())
        );
        assert_eq!(time(Timestamp(0)), "1970-01-01 00:00:00");
    }
}
