//! A stack of `docs/aws/wrun.cfn.yaml` in moto: what the documentation tells its readers to make.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use super::moto::Moto;

/// A stack that is there, by the values that it gives.
pub struct Stack {
    outputs: BTreeMap<String, String>,
}

impl Stack {
    /// Makes the stack, with what every parameter is by default.
    pub fn create(moto: &Moto) -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/aws/wrun.cfn.yaml");
        let template = std::fs::read_to_string(file).unwrap();
        // AWS makes this role by itself, moto asks for it.
        let role = "Type: MANAGED\n      ServiceRole: !GetAtt JobRole.Arn\n";
        let template = template.replace("Type: MANAGED\n", role);
        let form = [
            ("Action", "CreateStack"),
            ("StackName", "wrun"),
            ("Capabilities.member.1", "CAPABILITY_IAM"),
            ("TemplateBody", &template),
        ];
        ask(moto, &form);
        let said = ask(moto, &[("Action", "DescribeStacks"), ("StackName", "wrun")]);
        let outputs = said.split("<OutputKey>").skip(1).map(|rest| {
            let key = rest.split('<').next().unwrap();
            let value = rest.split_once("<OutputValue>").unwrap().1;
            (key.to_owned(), value.split('<').next().unwrap().to_owned())
        });
        Self {
            outputs: outputs.collect(),
        }
    }

    /// A value that the stack gives.
    pub fn output(&self, name: &str) -> &str {
        let found = self.outputs.get(name);
        found.unwrap_or_else(|| panic!("no `{name}` in {:?}", self.outputs))
    }
}

/// One request to CloudFormation.
fn ask(moto: &Moto, form: &[(&str, &str)]) -> String {
    let pairs = form
        .iter()
        .map(|(name, value)| format!("{name}={}", escaped(value)));
    let body = pairs.collect::<Vec<_>>().join("&") + "&Version=2010-05-15";
    // moto knows by the scope of the signature which service is meant, and does not look at the rest.
    let head = format!(
        "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/cloudformation/aws4_request, \
         SignedHeaders=host, Signature=0\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(("127.0.0.1", moto.port())).unwrap();
    stream.write_all((head + &body).as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    answer
}

fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let escape = |byte: u8| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}
