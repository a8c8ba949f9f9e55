//! The certificates of the authorities that this machine trusts, as one file in PEM.

use std::path::{Path, PathBuf};

/// Where systems keep them: Debian and Alpine, Fedora, openSUSE, others.
const PLACES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The variable that names another file.
pub const VARIABLE: &str = "SSL_CERT_FILE";

/// Why there are no certificates.
#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    /// The system has none.
    #[error("there are no certificates of authorities on this machine")]
    None,
    /// The file that was named, or that the system has, cannot be read.
    #[error("the certificates in `{}` cannot be read", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file holds something else.
    #[error("`{}` holds no certificate in PEM", path.display())]
    NotPem {
        /// Which file.
        path: PathBuf,
    },
}

/// Reads the certificates of the file that was `named`, or those of the system.
///
/// # Errors
/// When there are none.
pub fn read(named: Option<&Path>) -> Result<Vec<u8>, RootsError> {
    read_of(named, &PLACES)
}

fn read_of(named: Option<&Path>, places: &[&str]) -> Result<Vec<u8>, RootsError> {
    let of_system = || places.iter().map(Path::new).find(|it| it.exists());
    let path = named.or_else(of_system).ok_or(RootsError::None)?;
    let bytes = std::fs::read(path).map_err(|source| RootsError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    let begin = b"-----BEGIN CERTIFICATE-----";
    match bytes.windows(begin.len()).any(|it| it == begin) {
        true => Ok(bytes),
        false => Err(RootsError::NotPem {
            path: path.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_certificates_is_told_apart_from_a_file_without() {
        assert!(matches!(
            read_of(None, &["/nowhere/a.pem"]),
            Err(RootsError::None)
        ));
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("roots.pem");
        assert!(matches!(
            read_of(Some(&file), &[]),
            Err(RootsError::Unreadable { .. })
        ));
        std::fs::write(&file, "nothing").unwrap();
        assert!(matches!(
            read_of(Some(&file), &[]),
            Err(RootsError::NotPem { .. })
        ));
        std::fs::write(&file, "# mine\n-----BEGIN CERTIFICATE-----\n…").unwrap();
        assert!(read_of(Some(&file), &[]).is_ok());
    }
}
