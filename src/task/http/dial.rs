//! Makes connections, to addresses that were looked at before.
//!
//! A name is resolved once, what is not public is left out, and the connection goes to an address
//! of the rest: a name that means another address a moment later is not asked a second time. A
//! granted address is its own permission.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};

use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, lookup_host};
use tower_service::Service;

use super::NoAnswerOr;
use super::address::is_public;
use crate::model::origin::{Host, Origin, Scheme};
use crate::sandbox::fetch::{NoAnswer, Reason};
use crate::task::trouble::infrastructure;

/// A connection.
pub type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// Connects to `origin`.
///
/// # Errors
/// A [`NoAnswer`] when there is no connection; a failure when this machine knows nobody who
/// vouches for others.
pub async fn connect(origin: &Origin) -> Result<Stream, NoAnswerOr> {
    if origin.scheme() == Scheme::Http {
        return Ok(MaybeHttpsStream::Http(TokioIo::new(tcp(origin).await?)));
    }
    let mut encrypting = encrypting().await?;
    let uri = origin.as_str().parse::<Uri>();
    let uri = uri.map_err(|error| NoAnswer::new(Reason::Tls, error.to_string()))?;
    let encrypted = encrypting.call(uri).await;
    Ok(
        encrypted.map_err(|error| match error.downcast::<NoAnswer>() {
            Ok(why) => *why,
            Err(error) => unencrypted(&error.to_string()),
        })?,
    )
}

/// Why a connection is not encrypted. The library of TLS has a type for it and gives it as text
/// here.
fn unencrypted(text: &str) -> NoAnswer {
    let reason = match text.contains("certificate") {
        true => Reason::Certificate,
        false => Reason::Tls,
    };
    NoAnswer::new(reason, format!("the connection is not encrypted: {text}"))
}

/// What encrypts connections, with the authorities that this machine trusts. Made once.
async fn encrypting() -> Result<HttpsConnector<Dial>, NoAnswerOr> {
    static MADE: OnceLock<HttpsConnector<Dial>> = OnceLock::new();
    if let Some(made) = MADE.get() {
        return Ok(made.clone());
    }
    let made = tokio::task::spawn_blocking(|| {
        let builder = HttpsConnectorBuilder::new().with_native_roots()?;
        let made = builder.https_only().enable_http1().wrap_connector(Dial);
        Ok::<_, io::Error>(MADE.get_or_init(|| made).clone())
    });
    let made = made
        .await
        .unwrap_or_else(|panic| Err(io::Error::other(panic)));
    let made = made.map_err(|error| {
        let what = "this machine knows no authority that vouches for other machines";
        infrastructure(what, &error)
            .with_hint("install the certificates of authorities, e.g. the package `ca-certificates`, or name a file of them in `SSL_CERT_FILE`")
    })?;
    Ok(made)
}

/// Makes the connection that is then encrypted.
#[derive(Clone, Debug)]
struct Dial;

impl Service<Uri> for Dial {
    type Response = TokioIo<TcpStream>;
    type Error = NoAnswer;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, NoAnswer>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NoAnswer>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(async move {
            let origin = uri.to_string().parse::<Origin>();
            let origin =
                origin.map_err(|error| NoAnswer::new(Reason::Unknown, error.to_string()))?;
            Ok(TokioIo::new(tcp(&origin).await?))
        })
    }
}

/// The first connection that is made to one of the addresses of `origin`.
async fn tcp(origin: &Origin) -> Result<TcpStream, NoAnswer> {
    let mut last = None;
    for address in addresses(origin).await? {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Some((address, error)),
        }
    }
    let (reason, why) = match last {
        Some((address, error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            (Reason::Refused, format!("nobody listens at {address}"))
        }
        Some((address, error)) => (
            Reason::Refused,
            format!("no connection to {address}: {error}"),
        ),
        None => (Reason::Unknown, "the name has no address".to_owned()),
    };
    Err(NoAnswer::new(reason, why))
}

/// The addresses of `origin` that may be asked.
async fn addresses(origin: &Origin) -> Result<Vec<SocketAddr>, NoAnswer> {
    let name = match origin.host() {
        // It was granted as it stands here.
        Host::Address(address) => return Ok(vec![SocketAddr::new(*address, origin.port())]),
        Host::Name(name) => name,
    };
    let found = lookup_host((name.as_str(), origin.port())).await;
    let found = found.map_err(|error| {
        NoAnswer::new(Reason::Unknown, format!("`{name}` has no address: {error}"))
    })?;
    let all: Vec<SocketAddr> = found.collect();
    let public = |address: &&SocketAddr| is_public(address.ip());
    let allowed: Vec<SocketAddr> = all.iter().filter(public).copied().collect();
    match all.first() {
        Some(first) if allowed.is_empty() => Err(prohibited(origin, name, first.ip())),
        _ => Ok(allowed),
    }
}

fn prohibited(origin: &Origin, name: &str, address: IpAddr) -> NoAnswer {
    let scheme = match origin.scheme() {
        Scheme::Http => "http",
        Scheme::Https => "https",
    };
    let at = SocketAddr::new(address, origin.port());
    let message = format!(
        "`{name}` is at {address}, which is not an address of the public network: grant the address itself, `--allow http={scheme}://{at}`, and ask for it by that"
    );
    NoAnswer::new(Reason::Prohibited, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn asked(origin: &str) -> Result<Vec<SocketAddr>, NoAnswer> {
        addresses(&origin.parse().expect("an origin")).await
    }

    #[tokio::test]
    async fn a_name_that_leads_to_this_machine_is_refused_and_its_address_is_not() {
        let error = asked("http://localhost:8080")
            .await
            .expect_err("it is here");
        assert_eq!(error.reason, Reason::Prohibited);
        assert!(error.message.contains("http=http://"), "{error}");
        let address = asked("http://127.0.0.1:8080")
            .await
            .expect("it was granted");
        assert_eq!(address, ["127.0.0.1:8080".parse().expect("an address")]);
    }

    #[tokio::test]
    async fn a_name_that_nobody_has_is_not_found() {
        let error = asked("http://nobody.invalid")
            .await
            .expect_err("nobody has it");
        assert_eq!(error.reason, Reason::Unknown);
    }
}
