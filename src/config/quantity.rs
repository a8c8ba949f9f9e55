//! Reads and writes sizes and times as people write them: `512 MiB`, `90s`.

/// The units of sizes, in bytes.
const SIZES: [(&str, u64); 5] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];
/// The units of times, in milliseconds.
const TIMES: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

/// A size in bytes: a whole number and a unit.
///
/// # Errors
/// A sentence that follows the name of what was to be set.
pub fn size(text: &str) -> Result<u64, String> {
    read(text, &SIZES).ok_or_else(|| {
        format!("is `{text}`; a size is a whole number with `KiB`, `MiB`, `GiB` or `TiB`, e.g. `512 MiB`")
    })
}

/// A time in milliseconds: a whole number and a unit.
///
/// # Errors
/// A sentence that follows the name of what was to be set.
pub fn time(text: &str) -> Result<u64, String> {
    read(text, &TIMES).ok_or_else(|| {
        format!("is `{text}`; a time is a whole number with `ms`, `s`, `m`, `h` or `d`, e.g. `90s`")
    })
}

fn read(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..end].parse().ok()?;
    let unit = text[end..].trim_start();
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.checked_mul(*factor)
}

/// Bytes as [`size`] reads them, in the largest unit that divides them.
pub fn show_size(bytes: u64) -> String {
    show(bytes, &SIZES, " ")
}

/// Milliseconds as [`time`] reads them, in the largest unit that divides them.
pub fn show_time(ms: u64) -> String {
    show(ms, &TIMES, "")
}

fn show(number: u64, units: &[(&str, u64)], gap: &str) -> String {
    let fits = |(_, factor): &&(&str, u64)| number >= *factor && number.is_multiple_of(*factor);
    let (name, factor) = units.iter().rev().find(fits).unwrap_or(&units[0]);
    format!("{}{gap}{name}", number / factor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_number_without_a_unit_is_refused_with_an_example() {
        assert_eq!(size("2 GiB"), Ok(2 << 30));
        assert_eq!(time("90s"), Ok(90_000));
        assert_eq!(
            size("512").unwrap_err(),
            "is `512`; a size is a whole number with `KiB`, `MiB`, `GiB` or `TiB`, e.g. `512 MiB`"
        );
        for wrong in ["", "GiB", "1.5 GiB", "1 GB", "-1 MiB", "99999999999 TiB"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
        assert!(time("10 minutes").is_err());
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(number in 0u64..1 << 50) {
            prop_assert_eq!(size(&show_size(number)), Ok(number));
            prop_assert_eq!(time(&show_time(number)), Ok(number));
        }
    }
}
