//! What S3 and Batch have in common: how AWS is reached, and what its errors mean; and values of
//! [`secret`]s, for which two requests are all that is needed of two services.
//!
//! Credentials, region and endpoints come from where every tool of AWS takes them: variables,
//! profiles, the role of the machine. Nothing here is a setting of ours.

pub mod secret;

use std::error::Error;
use std::fmt;

use aws_config::BehaviorVersion;
pub use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// How AWS is reached: credentials, region, endpoints, HTTP client, as the machine is set up.
pub async fn config() -> SdkConfig {
    // A fixed version: what the SDK does by default changes only when we say so.
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .load()
        .await
}

/// How a bucket is addressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PathStyle {
    /// In the path where an endpoint of the user's own is used, else in the name of the host.
    #[default]
    Auto,
    /// In the path: `https://host/bucket/key`.
    Always,
    /// In the name of the host: `https://bucket.host/key`.
    Never,
}

impl fmt::Display for PathStyle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        })
    }
}

/// What kind of trouble a request to AWS had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// There are no credentials, or they are not valid (any more).
    Credentials,
    /// No region is set, or it is not the one of the resource.
    Region,
    /// The credentials do not allow the action.
    Denied,
    /// The resource does not exist.
    Missing,
    /// Too many requests.
    Throttled,
    /// The clock of this machine is wrong.
    Clock,
    /// There was no answer: no connection, no name, a time-out.
    Unreachable,
    /// Something went wrong on the other side; another try may help.
    Service,
    /// The request was refused for another reason.
    Refused,
}

impl Kind {
    /// What an answer says is wrong; `clock` is how far this machine's clock is off, where known.
    fn of_answer(code: &str, status: u16, message: &str, clock: Option<Skew>) -> Self {
        let kind = Self::of_code(code, status);
        let is_off = clock.is_some_and(Skew::matters);
        // Answers without a body, those to HEAD, have no code.
        let refused = kind == Self::Credentials || (kind == Self::Denied && code.is_empty());
        let says = ["Signature expired", "Signature not yet current"];
        match refused && (is_off || says.iter().any(|text| message.contains(text))) {
            true => Self::Clock,
            false => kind,
        }
    }

    /// Whether the same request may succeed a little later.
    pub fn may_pass(self) -> bool {
        matches!(self, Self::Throttled | Self::Unreachable | Self::Service)
    }

    fn of_code(code: &str, status: u16) -> Self {
        match code {
            "RequestTimeTooSkewed" | "RequestExpired" => Self::Clock,
            "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "ExpiredToken"
            | "ExpiredTokenException"
            | "InvalidToken"
            | "InvalidSignatureException"
            | "UnrecognizedClientException"
            | "InvalidClientTokenId"
            | "IncompleteSignature"
            | "MissingAuthenticationToken" => Self::Credentials,
            "PermanentRedirect"
            | "AuthorizationHeaderMalformed"
            | "IllegalLocationConstraintException" => Self::Region,
            "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "Forbidden" => {
                Self::Denied
            }
            "NoSuchBucket"
            | "NoSuchKey"
            | "NoSuchUpload"
            | "NotFound"
            | "ResourceNotFoundException"
            | "ParameterNotFound"
            | "ParameterVersionNotFound" => Self::Missing,
            // A request that met another, or was broken on the way: the same one may pass.
            "ConditionalRequestConflict"
            | "OperationAborted"
            | "RequestTimeout"
            | "IncompleteBody"
            | "BadDigest"
            | "XAmzContentChecksumMismatch"
            | "InternalError" => Self::Service,
            // What a server cannot do today it cannot do in half a minute.
            "NotImplemented" => Self::Refused,
            "SlowDown"
            | "Throttling"
            | "ThrottlingException"
            | "TooManyRequestsException"
            | "RequestLimitExceeded"
            | "RequestThrottled" => Self::Throttled,
            _ => match status {
                300..400 => Self::Region,
                403 => Self::Denied,
                404 => Self::Missing,
                429 | 503 => Self::Throttled,
                501 => Self::Refused,
                500.. => Self::Service,
                // An error inside of an answer that began well.
                ..300 => Self::Service,
                _ => Self::Refused,
            },
        }
    }
}

/// A request to AWS that had no success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What was to be done, as policies call it, e.g. `s3:PutObject`.
    pub action: &'static str,
    /// What kind of trouble.
    pub kind: Kind,
    /// The code of the service, where it gave one, e.g. `NoSuchBucket`.
    pub code: Option<String>,
    /// What the service or the connection said.
    pub message: String,
}

impl Trouble {
    /// Says what `error` of the request `action` means.
    pub fn of<E, R>(action: &'static str, error: &SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
        R: Status + fmt::Debug,
    {
        let said = |kind, message: String| Self {
            action,
            kind,
            code: None,
            message,
        };
        match error {
            SdkError::ServiceError(context) => {
                let (answer, status) = (context.err(), context.raw().status());
                let code = answer.code().map(str::to_owned);
                let message = answer.message();
                let mut message = message.map_or_else(|| format!("status {status}"), str::to_owned);
                let clock = context.raw().header("date").and_then(Skew::since);
                let code_text = code.as_deref().unwrap_or_default();
                let kind = Kind::of_answer(code_text, status, &message, clock);
                if let (Kind::Clock, Some(clock)) = (kind, clock.filter(|it| it.matters())) {
                    message = format!("{message} ({clock})");
                }
                if let (Kind::Region, Some(region)) =
                    (kind, context.raw().header("x-amz-bucket-region"))
                {
                    message = format!("{message} (the bucket is in `{region}`)");
                }
                Self {
                    action,
                    kind,
                    message,
                    code,
                }
            }
            SdkError::TimeoutError(_) => {
                said(Kind::Unreachable, "there was no answer in time".into())
            }
            SdkError::ResponseError(_) => said(Kind::Service, chain(error)),
            _ => {
                let text = chain(error);
                // How the SDK calls what it was doing says nothing to whoever reads this.
                let said_so = ["dispatch failure: ", "other: ", "io error: "];
                let text = said_so.iter().fold(text.as_str(), |text, words| {
                    text.strip_prefix(words).unwrap_or(text)
                });
                said(unsent(text), text.to_owned())
            }
        }
    }

    /// What the operator can do about it.
    pub fn hint(&self) -> String {
        match self.kind {
            Kind::Credentials => "give credentials as for every tool of AWS: `aws sso login`, a profile in `AWS_PROFILE`, or `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`".into(),
            Kind::Region => "set `AWS_REGION` to the region of the resource".into(),
            Kind::Denied => format!("allow `{}` in the policy of these credentials", self.action),
            Kind::Missing => "create it, or correct its name".into(),
            Kind::Throttled => "wait a little, or ask for a higher limit of requests".into(),
            Kind::Clock => "set the clock of this machine, e.g. `timedatectl set-ntp true`: AWS refuses what was signed minutes ago or ahead of time".into(),
            Kind::Unreachable => "look at the network, at `AWS_ENDPOINT_URL`, and at the region".into(),
            Kind::Service => "try again later".into(),
            Kind::Refused => "`wrun doctor` checks how AWS is set up".into(),
        }
    }
}

impl Trouble {
    /// What the operator can do about it, where `place` (`s3://bucket/key`) is what was asked for.
    pub fn hint_for(&self, place: &str) -> String {
        let bucket = place.strip_prefix("s3://").unwrap_or(place);
        let bucket = bucket.split('/').next().unwrap_or(bucket);
        match (self.kind, self.action) {
            (Kind::Missing, _) => {
                format!("correct the name, or make the bucket: `aws s3 mb s3://{bucket}`")
            }
            (Kind::Denied, "s3:ListBucket") => {
                format!(
                    "allow `s3:ListBucket` on `arn:aws:s3:::{bucket}` in the policy of these credentials"
                )
            }
            // Who may not list is not told what is missing.
            (Kind::Denied, "s3:GetObject") => format!(
                "allow `s3:GetObject` on `arn:aws:s3:::{bucket}/*` and `s3:ListBucket` on `arn:aws:s3:::{bucket}` in the policy of these credentials"
            ),
            (Kind::Denied, action) => {
                format!(
                    "allow `{action}` on `arn:aws:s3:::{bucket}/*` in the policy of these credentials"
                )
            }
            _ => self.hint(),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: ", self.action)?;
        if let Some(code) = &self.code {
            write!(f, "{code}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl Error for Trouble {}

/// The status of an answer over HTTP.
pub trait Status {
    /// Its number, e.g. 404.
    fn status(&self) -> u16;

    /// A header, where the answer has it.
    fn header(&self, name: &'static str) -> Option<&str>;
}

impl Status for aws_smithy_runtime_api::client::orchestrator::HttpResponse {
    fn status(&self) -> u16 {
        self.status().as_u16()
    }

    fn header(&self, name: &'static str) -> Option<&str> {
        self.headers().get(name)
    }
}

/// By how much the clock of this machine is ahead of that of AWS, in seconds; behind it where negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Skew(i64);

impl Skew {
    /// What the SDK takes for a clock that is wrong; services are content with a little more.
    const TOO_MUCH: u64 = 4 * 60;

    /// That of an answer which came now, by the header `date` in it.
    #[expect(
        clippy::disallowed_methods,
        reason = "what is wrong is the clock of the machine itself, and nothing depends on it but a message"
    )]
    fn since(date: &str) -> Option<Self> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Self::between(i64::try_from(now.ok()?.as_secs()).ok()?, date)
    }

    fn between(now_s: i64, date: &str) -> Option<Self> {
        let date = DateTime::from_str(date, Format::HttpDate).ok()?;
        Some(Self(now_s - date.secs()))
    }

    /// Whether AWS may refuse requests for it.
    fn matters(self) -> bool {
        self.0.unsigned_abs() > Self::TOO_MUCH
    }
}

impl fmt::Display for Skew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = (self.0.unsigned_abs() + 30) / 60;
        let much = match minutes {
            0..180 => format!("{minutes} minutes"),
            180..4320 => format!("{} hours", (minutes + 30) / 60),
            _ => format!("{} days", (minutes + 720) / 1440),
        };
        let way = if self.0 < 0 { "behind" } else { "ahead of" };
        write!(f, "the clock of this machine is {much} {way} that of AWS")
    }
}

/// An error with its causes, in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

/// Why a request was not sent, or had no answer.
fn unsent(text: &str) -> Kind {
    let lower = text.to_lowercase();
    if lower.contains("credential") || lower.contains("identity") {
        Kind::Credentials
    } else if lower.contains("region") {
        Kind::Region
    } else {
        Kind::Unreachable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: &str = "Mon, 23 Nov 2026 12:00:00 GMT";
    const NOON_S: i64 = 1_795_435_200;

    #[test]
    fn a_clock_is_said_to_be_ahead_or_behind_and_by_how_much() {
        let said = |seconds: i64| {
            let skew = Skew::between(NOON_S + seconds, NOON).expect("a date");
            (skew.matters(), skew.to_string())
        };
        let of = |much: &str| format!("the clock of this machine is {much} that of AWS");
        assert_eq!(said(0), (false, of("0 minutes ahead of")));
        assert_eq!(said(240), (false, of("4 minutes ahead of")));
        assert_eq!(said(-241), (true, of("4 minutes behind")));
        assert_eq!(said(3_600), (true, of("60 minutes ahead of")));
        assert_eq!(said(-7 * 3_600), (true, of("7 hours behind")));
        assert_eq!(said(9 * 86_400), (true, of("9 days ahead of")));
        assert_eq!(Skew::between(NOON_S, "noon"), None);
    }

    #[test]
    fn what_a_wrong_clock_breaks_is_not_taken_for_wrong_credentials() {
        let hour = Some(Skew(3_600));
        let good = Some(Skew(2));
        let kind = |code, message, clock| Kind::of_answer(code, 403, message, clock);
        let signature = "SignatureDoesNotMatch";
        assert_eq!(kind(signature, "", good), Kind::Credentials);
        assert_eq!(kind(signature, "", None), Kind::Credentials);
        assert_eq!(kind(signature, "", hour), Kind::Clock);
        assert_eq!(kind("RequestTimeTooSkewed", "", good), Kind::Clock);
        let expired = "Signature expired: 20261123T110000Z is now earlier than 20261123T115500Z";
        assert_eq!(
            kind("InvalidSignatureException", expired, None),
            Kind::Clock
        );
        let early = "Signature not yet current: 20261123T130000Z is still later than";
        assert_eq!(kind(signature, early, None), Kind::Clock);
        assert_eq!(kind("", "", hour), Kind::Clock);
        // A permission that is missing is missing at any time.
        assert_eq!(kind("AccessDenied", "", hour), Kind::Denied);
    }
}
