//! Durations and sizes as authors write them.

/// Milliseconds of `90s`, `500ms`, `1h30m`.
///
/// # Errors
/// A sentence that says what to write.
pub(crate) fn milliseconds(text: &str) -> Result<u64, String> {
    let wrong =
        || format!("`{text}` is not a duration; write e.g. `500ms`, `30s`, `5m`, `2h` or `1h30m`");
    let mut total: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let n: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let letters = rest
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(rest.len());
        let unit = match &rest[..letters] {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(wrong()),
        };
        rest = &rest[letters..];
        total = n
            .checked_mul(unit)
            .and_then(|ms| total.checked_add(ms))
            .ok_or_else(wrong)?;
    }
    if text.is_empty() {
        Err(wrong())
    } else {
        Ok(total)
    }
}

/// MiB of `512MiB`, `2GiB`, `1TiB`.
///
/// # Errors
/// A sentence that says what to write.
pub(crate) fn mebibytes(text: &str) -> Result<u32, String> {
    let wrong = || format!("`{text}` is not a size; write e.g. `512MiB` or `2GiB`");
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let n: u32 = text[..digits].parse().map_err(|_| wrong())?;
    let unit: u32 = match &text[digits..] {
        "MiB" => 1,
        "GiB" => 1 << 10,
        "TiB" => 1 << 20,
        "MB" | "M" | "Mi" => return Err(format!("write `{n}MiB` instead of `{text}`")),
        "GB" | "G" | "Gi" => return Err(format!("write `{n}GiB` instead of `{text}`")),
        "TB" | "T" | "Ti" => return Err(format!("write `{n}TiB` instead of `{text}`")),
        _ => return Err(wrong()),
    };
    match n.checked_mul(unit) {
        None => Err(format!("`{text}` is too large")),
        Some(0) => Err(format!("`{text}` is nothing; write at least `1MiB`")),
        Some(mib) => Ok(mib),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_add_up() {
        assert_eq!(milliseconds("500ms"), Ok(500));
        assert_eq!(milliseconds("2s"), Ok(2000));
        assert_eq!(milliseconds("1h30m"), Ok(5_400_000));
        for text in [
            "",
            "2",
            "s",
            "2 s",
            "2.5s",
            "2sec",
            "-1s",
            "99999999999999999999s",
            "999999999999999d",
        ] {
            assert!(milliseconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_in_powers_of_two() {
        assert_eq!(mebibytes("512MiB"), Ok(512));
        assert_eq!(mebibytes("2GiB"), Ok(2048));
        assert_eq!(
            mebibytes("1GB").unwrap_err(),
            "write `1GiB` instead of `1GB`"
        );
        for text in ["", "2", "GiB", "1.5GiB", "0MiB", "5000TiB"] {
            assert!(mebibytes(text).is_err(), "{text}");
        }
    }
}
