//! A flow that gives its secret away in every way that a step has.

use std::fmt::Write as _;

use wrun_sdk::http;
use wrun_sdk::prelude::*;

/// As hexadecimal digits.
fn hex(text: &str) -> String {
    let mut digits = String::new();
    for byte in text.bytes() {
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

/// As a URL has it: every byte encoded that may be.
fn in_url(text: &str) -> String {
    let mut url = String::new();
    for byte in text.bytes() {
        let _ = match byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            true => write!(url, "{}", char::from(byte)),
            false => write!(url, "%{byte:02X}"),
        };
    }
    url
}

/// In Base64, with what comes before it.
fn base64(before: &str, text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let all = [before.as_bytes(), text.as_bytes(), b"!!!"].concat();
    let group = |group: &[u8]| {
        let bits = group
            .iter()
            .fold(0, |bits, byte| bits << 8 | u32::from(*byte));
        (0..4).map(move |at| char::from(DIGITS[(bits >> (18 - 6 * at) & 63) as usize]))
    };
    all.chunks_exact(3).flat_map(group).collect()
}

/// Gives its secret away, one way in each run.
#[flow]
mod leaks {
    use super::*;

    #[derive(Artifacts)]
    struct Said {
        said: String,
    }

    #[step]
    fn start(#[param] way: String, #[param] service: String) -> Result<Said> {
        let token = std::env::var("TOKEN")?;
        let spellings = [
            token.clone(),
            hex(&token),
            in_url(&token),
            base64("", &token),
            base64("a", &token),
            base64("ab", &token),
        ];
        let mut said = String::new();
        match way.as_str() {
            "print" => {
                for spelling in &spellings {
                    println!("{spelling}");
                    eprintln!("[{spelling}]");
                    warn!("it is {spelling}");
                }
            }
            "print slowly" => {
                for byte in token.bytes() {
                    print!("{}", char::from(byte));
                }
                // More than is kept for the reply, so that it is sent meanwhile.
                for _ in 0..20_000 {
                    println!("{token}{token}");
                }
            }
            "progress" => progress(1, 2, format!("with {token}")),
            "fail" => return Err(Error::new(format!("{spellings:?}")).context(token)),
            "panic" => panic!("{token} and {}", base64("a", &token)),
            "artifact" => said = format!("it is {token}"),
            "large artifact" => said = "x".repeat(3 << 20) + &token,
            "spelled artifact" => said = spellings[4].clone(),
            "ask" => {
                http::get(format!("{service}/small"))
                    .query("key", &token)
                    .header("authorization", format!("Basic {}", spellings[5]))
                    .header("x-hex", &spellings[1])
                    .send()?;
            }
            "echo" => {
                http::post(format!("{service}/echo")).body(token).send()?;
            }
            "path" => {
                let _ = std::fs::read(format!("/corpus/{token}"));
            }
            "file" => {
                let _ = std::fs::read("/corpus/token");
            }
            _ => said = format!("{} bytes", token.len()),
        }
        Ok(Said { said })
    }
}
