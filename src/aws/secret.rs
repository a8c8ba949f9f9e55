//! Values out of Secrets Manager and the Parameter Store.
//!
//! Two requests are made, `GetSecretValue` and `GetParameter`, signed and written here: the crates of
//! the SDK for them are larger than all others together, and would be for these two alone.

use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use zeroize::{Zeroize, Zeroizing};

use super::{Kind, Skew, Trouble, chain};

/// The longest answer, in bytes: a secret has at most 64 KiB, which JSON may spell six times as long.
const MAX_ANSWER: usize = 1 << 20;
/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often a request is made when it could have had success.
const TRIES: u32 = 4;
/// The pause before the second try; it doubles for each one after it.
const PAUSE: Duration = Duration::from_millis(250);

/// One of the two services.
struct Service {
    /// As signatures and endpoints call it.
    name: &'static str,
    /// The variable with an endpoint of the user's own.
    endpoint: &'static str,
    /// What is to be done, as policies call it.
    action: &'static str,
    /// The same as the service calls it.
    target: &'static str,
}

const SECRETS_MANAGER: Service = Service {
    name: "secretsmanager",
    endpoint: "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    action: "secretsmanager:GetSecretValue",
    target: "secretsmanager.GetSecretValue",
};

const PARAMETER_STORE: Service = Service {
    name: "ssm",
    endpoint: "AWS_ENDPOINT_URL_SSM",
    action: "ssm:GetParameter",
    target: "AmazonSSM.GetParameter",
};

/// The value of the secret `id` (a name or an ARN) in Secrets Manager, as it is now.
///
/// With `key`, the secret is an object in JSON, and the value that text member of it.
///
/// # Errors
/// [`Trouble`] when there is no answer, no such secret, or no text in it.
pub async fn secret(
    config: &SdkConfig,
    id: &str,
    key: Option<&str>,
    now: SystemTime,
) -> Result<Zeroizing<String>, Trouble> {
    let service = &SECRETS_MANAGER;
    let question = json!({ "SecretId": id });
    let mut answer = ask(config, service, id, &question, now).await?;
    let value = take(&mut answer, "/SecretString")
        .ok_or_else(|| service.refused(format!("`{id}` is no text")))?;
    let Some(key) = key else {
        return Ok(value);
    };
    let object = serde_json::from_str::<Value>(&value);
    let mut object = object.map_err(|_| service.refused(format!("`{id}` is not JSON")))?;
    let member = object.get_mut(key).and_then(taken);
    member.ok_or_else(|| service.refused(format!("`{id}` has no text called `{key}`")))
}

/// The value of the parameter `name` (or an ARN) in the Parameter Store, decrypted, as it is now.
///
/// # Errors
/// [`Trouble`] when there is no answer or no such parameter.
pub async fn parameter(
    config: &SdkConfig,
    name: &str,
    now: SystemTime,
) -> Result<Zeroizing<String>, Trouble> {
    let service = &PARAMETER_STORE;
    let question = json!({ "Name": name, "WithDecryption": true });
    let mut answer = ask(config, service, name, &question, now).await?;
    take(&mut answer, "/Parameter/Value")
        .ok_or_else(|| service.refused(format!("`{name}` has no value")))
}

fn take(answer: &mut Value, pointer: &str) -> Option<Zeroizing<String>> {
    answer.pointer_mut(pointer).and_then(taken)
}

fn taken(value: &mut Value) -> Option<Zeroizing<String>> {
    match value.take() {
        Value::String(text) => Some(Zeroizing::new(text)),
        _ => None,
    }
}

impl Service {
    fn trouble(&self, kind: Kind, message: impl Into<String>) -> Trouble {
        Trouble {
            action: self.action,
            kind,
            code: None,
            message: message.into(),
        }
    }

    fn refused(&self, message: String) -> Trouble {
        self.trouble(Kind::Refused, message)
    }

    /// Where the service is, in `region`.
    fn endpoint(&self, config: &SdkConfig, region: &str) -> String {
        let own = std::env::var(self.endpoint).ok();
        let own = own.filter(|own| !own.is_empty());
        if let Some(endpoint) = own.as_deref().or(config.endpoint_url()) {
            return endpoint.trim_end_matches('/').to_owned();
        }
        let fips = match config.use_fips() {
            Some(true) => "-fips",
            _ => "",
        };
        let domain = match (config.use_dual_stack(), region.starts_with("cn-")) {
            (Some(true), false) => "api.aws",
            (Some(true), true) => "api.amazonwebservices.com.cn",
            (_, false) => "amazonaws.com",
            (_, true) => "amazonaws.com.cn",
        };
        format!("https://{}{fips}.{region}.{domain}", self.name)
    }
}

/// Asks until there is an answer, or none is to be expected.
async fn ask(
    config: &SdkConfig,
    service: &Service,
    id: &str,
    question: &Value,
    now: SystemTime,
) -> Result<Value, Trouble> {
    let mut tried = 1;
    let mut pause = PAUSE;
    loop {
        let asking = ask_once(config, service, id, question, now + pause - PAUSE);
        let answered = tokio::time::timeout(PATIENCE, asking).await;
        let answered = answered.unwrap_or_else(|_| {
            Err(service.trouble(Kind::Unreachable, "there was no answer in time"))
        });
        match answered {
            Err(trouble) if trouble.kind.may_pass() && tried < TRIES => {
                tokio::time::sleep(pause).await;
                tried += 1;
                pause *= 2;
            }
            other => return other,
        }
    }
}

async fn ask_once(
    config: &SdkConfig,
    service: &Service,
    id: &str,
    question: &Value,
    now: SystemTime,
) -> Result<Value, Trouble> {
    let region = region_of(id).or_else(|| config.region().map(ToString::to_string));
    let region = region.ok_or_else(|| service.trouble(Kind::Region, "no region is set"))?;
    let body = Bytes::from(question.to_string());
    let request = request(service, &service.endpoint(config, &region), body)?;
    let who = credentials(config, service).await?;
    let request = signed(service, request, who, &region, now)?.map(Full::new);
    let connector = HttpsConnectorBuilder::new()
        .with_native_roots()
        .map_err(|error| service.trouble(Kind::Unreachable, error.to_string()))?
        .https_or_http()
        .enable_http1()
        .build();
    let client = Client::builder(TokioExecutor::new()).build::<_, Full<Bytes>>(connector);
    let answer = client.request(request).await;
    let answer = answer.map_err(|error| service.trouble(Kind::Unreachable, chain(&error)))?;
    let status = answer.status().as_u16();
    let date = answer.headers().get("date").cloned();
    let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
    let body = body.map_err(|error| service.trouble(Kind::Service, error.to_string()))?;
    let mut body = Vec::from(body.to_bytes());
    let said = serde_json::from_slice::<Value>(&body);
    body.zeroize();
    match (status, said) {
        (200, Ok(answer)) => Ok(answer),
        (status, said) => {
            let clock = date
                .as_ref()
                .and_then(|date| Skew::since(date.to_str().ok()?));
            Err(refusal(service, (status, clock), &said.unwrap_or_default()))
        }
    }
}

/// The region in an ARN.
fn region_of(id: &str) -> Option<String> {
    let mut parts = id.split(':');
    let arn = parts.next() == Some("arn");
    let region = parts.nth(2).filter(|region| arn && !region.is_empty());
    region.map(str::to_owned)
}

fn request(service: &Service, endpoint: &str, body: Bytes) -> Result<Request<Bytes>, Trouble> {
    Request::builder()
        .method(Method::POST)
        .uri(format!("{endpoint}/"))
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amz-target", service.target)
        .body(body)
        .map_err(|error| service.refused(format!("`{endpoint}` is no endpoint: {error}")))
}

async fn credentials(config: &SdkConfig, service: &Service) -> Result<Credentials, Trouble> {
    let none = |why: String| service.trouble(Kind::Credentials, why);
    let provider = config.credentials_provider();
    let provider = provider.ok_or_else(|| none("there are no credentials".into()))?;
    let found = provider.provide_credentials().await;
    found.map_err(|error| none(chain(&error)))
}

fn signed(
    service: &Service,
    mut request: Request<Bytes>,
    who: Credentials,
    region: &str,
    now: SystemTime,
) -> Result<Request<Bytes>, Trouble> {
    let unsigned = |error: &dyn std::error::Error| {
        service.refused(format!("the request cannot be signed: {}", chain(error)))
    };
    let identity = who.into();
    let how = SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service.name)
        .time(now)
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| unsigned(&error))?;
    let uri = request.uri().to_string();
    let headers = request.headers().iter();
    let headers = headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let signable = SignableRequest::new("POST", uri, headers, SignableBody::Bytes(request.body()));
    let signable = signable.map_err(|error| unsigned(&error))?;
    let (instructions, _) = sign(signable, &how.into())
        .map_err(|error| unsigned(&error))?
        .into_parts();
    instructions.apply_to_request_http1x(&mut request);
    Ok(request)
}

/// What a service says that does not give the value.
fn refusal(service: &Service, (status, clock): (u16, Option<Skew>), said: &Value) -> Trouble {
    let text = |names: [&str; 2]| {
        let found = names.iter().find_map(|name| said.get(name)?.as_str());
        found.map(str::to_owned)
    };
    // Some services put a namespace before the code, some a URL after it.
    let code = text(["__type", "code"]).map(|code| {
        let code = code.rsplit('#').next().unwrap_or_default();
        code.split(':').next().unwrap_or_default().to_owned()
    });
    let message = text(["message", "Message"]);
    let mut message = message.unwrap_or_else(|| format!("status {status}"));
    let kind = Kind::of_answer(code.as_deref().unwrap_or_default(), status, &message, clock);
    if let (Kind::Clock, Some(clock)) = (kind, clock.filter(|it| it.matters())) {
        message = format!("{message} ({clock})");
    }
    Trouble {
        action: service.action,
        kind,
        message,
        code,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_has_its_region() {
        let arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:api-AbCdEf";
        assert_eq!(region_of(arn).as_deref(), Some("eu-west-1"));
        assert_eq!(region_of("prod:a:b:c"), None);
        assert_eq!(region_of("prod/api"), None);
    }

    #[test]
    fn what_a_service_refuses_is_understood() {
        let said = json!({ "__type": "com.amazonaws.x#ParameterNotFound", "message": "no" });
        let trouble = refusal(&PARAMETER_STORE, (400, None), &said);
        assert_eq!(trouble.kind, Kind::Missing);
        assert_eq!(
            trouble.to_string(),
            "`ssm:GetParameter`: ParameterNotFound: no"
        );
        let said = json!({ "__type": "AccessDeniedException", "Message": "you may not" });
        let trouble = refusal(&SECRETS_MANAGER, (400, None), &said);
        assert_eq!(trouble.kind, Kind::Denied);
        assert!(trouble.hint().contains("secretsmanager:GetSecretValue"));
    }
}
