//! Certificates for one execution of the tests, made by `openssl`: an authority that nobody trusts but
//! the test that names it, and a server at 127.0.0.1 for which it vouches.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The directory with `authority.pem`, `server.pem` and `server.key`.
pub struct Certificates(tempfile::TempDir);

impl Certificates {
    /// Makes them; none, which is said, where there is no `openssl`.
    pub fn make() -> Option<Self> {
        if Command::new("openssl").arg("version").output().is_err() {
            let ci = std::env::var("CI").is_ok_and(|it| it == "true");
            assert!(!ci, "`openssl` was not found");
            eprintln!("ignored: `openssl` was not found");
            return None;
        }
        let made = Self(tempfile::tempdir().unwrap());
        let new = "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -days 2";
        let authority = "-x509 -keyout authority.key -out authority.pem -subj /CN=authority";
        made.openssl(&format!("{new} {authority} -addext keyUsage=keyCertSign"));
        let request = "-keyout server.key -out server.csr -subj /CN=server";
        made.openssl(&format!("{new} {request}"));
        std::fs::write(made.file("names"), "subjectAltName=IP:127.0.0.1\n").unwrap();
        let by = "-CA authority.pem -CAkey authority.key -CAcreateserial -days 2 -extfile names";
        made.openssl(&format!("x509 -req -in server.csr -out server.pem {by}"));
        Some(made)
    }

    /// The path of one of them.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn openssl(&self, arguments: &str) {
        let made = Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir::<&Path>(self.0.path())
            .output();
        let made = made.unwrap();
        let said = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "openssl {arguments}: {said}");
    }
}
