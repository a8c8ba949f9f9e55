//! Secrets out of Secrets Manager and the Parameter Store.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use super::Server;
use super::moto::{Moto, access};
use super::world::{Said, World, module};

const TOKEN: &str = "s3cr3t/t0k3n+of-ada";

/// Has the server do something that only its owner asks for.
fn told(moto: &Moto, service: &str, target: &str, question: &Value) {
    let (mut stream, body) = (
        TcpStream::connect(("127.0.0.1", moto.port())).unwrap(),
        question.to_string(),
    );
    let scope = format!("x/20260101/us-east-1/{service}/aws4_request");
    write!(
        stream,
        "POST / HTTP/1.1\r\nhost: {service}.us-east-1.amazonaws.com\r\nconnection: close\r\n\
         content-type: application/x-amz-json-1.1\r\nx-amz-target: {target}\r\n\
         authorization: AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

fn server() -> Option<Server> {
    let moto = super::empty_server()?;
    let put = |name: &str, value: &str| {
        let question = json!({ "Name": name, "SecretString": value });
        told(
            &moto,
            "secretsmanager",
            "secretsmanager.CreateSecret",
            &question,
        );
    };
    put("wrun/plain", TOKEN);
    put(
        "wrun/object",
        &json!({ "token": TOKEN, "port": 7 }).to_string(),
    );
    let question = json!({ "Name": "/wrun/token", "Value": TOKEN, "Type": "SecureString" });
    told(&moto, "ssm", "AmazonSSM.PutParameter", &question);
    Some(moto)
}

/// Runs the flow that counts the bytes of its secret.
fn run(world: &World, endpoint: &str, source: &str) -> Said {
    let module = module("leaks");
    let grant = format!("secret:TOKEN={source}");
    let run = [
        "run",
        "--module",
        &module,
        "--way",
        "count",
        "--service",
        "-",
    ];
    let granted = ["--allow", "http=http://127.0.0.1:9", "--allow", &grant];
    let mut command = world.command(&[&run[..], &granted].concat());
    command.env("AWS_ENDPOINT_URL", endpoint).envs(access());
    command.output().unwrap().into()
}

#[test]
fn both_services_give_values() {
    let Some(moto) = server() else { return };
    let world = World::new();
    let sources = [
        "aws-sm:wrun/plain",
        "aws-sm:wrun/object#token",
        "aws-ssm:/wrun/token",
    ];
    for (number, source) in (1..).zip(sources) {
        let said = run(&world, &moto.endpoint(), source).good();
        let granted = format!("granted secret:TOKEN={source}\n");
        assert!(said.stderr.contains(&granted), "{}", said.stderr);
        let bytes = world.value(&format!("leaks/{number}/start/said"));
        assert_eq!(bytes, format!("{} bytes", TOKEN.len()), "{source}");
    }
    // The same secret, wherever its value was: the header keeps one digest of it.
    let why = world.wrun(&["why", "leaks/3/start"]).good().stdout;
    assert!(!why.contains("granted `secret:TOKEN` is not"), "{why}");
}

#[test]
fn a_service_is_asked_once_for_each_secret_of_a_run() {
    let Some(moto) = server() else { return };
    let world = World::new();
    let asked = || moto.requests().get("POST").copied().unwrap_or(0);
    let before = asked();
    run(&world, &moto.endpoint(), "aws-sm:wrun/plain").good();
    assert_eq!(asked() - before, 1);
    // Two variables with one value, for a run and its resumption: one request for each run.
    world.write(
        "wrun.toml",
        "grants = [\"secret:OTHER=aws-ssm:/wrun/token\", \"secret:MORE=aws-ssm:/wrun/token\"]\n",
    );
    let before = asked();
    run(&world, &moto.endpoint(), "aws-sm:wrun/object#token").good();
    assert_eq!(asked() - before, 2);
}

#[test]
fn a_command_about_one_step_asks_for_the_secrets_of_that_step_and_once() {
    let Some(moto) = server() else { return };
    let world = World::new();
    world.write(
        "wrun.toml",
        "[steps.start]\ngrants = [\"secret:TOKEN=aws-sm:wrun/plain\"]\n\
         [steps.end]\ngrants = [\"secret:OTHER=aws-ssm:/wrun/token\"]\n",
    );
    let module = module("linear");
    let asked = |arguments: &[&str]| {
        let posts = || moto.requests().get("POST").copied().unwrap_or(0);
        let before = posts();
        let mut command = world.command(arguments);
        command
            .env("AWS_ENDPOINT_URL", moto.endpoint())
            .envs(access());
        let said = Said::from(command.output().unwrap()).good();
        (posts() - before, said.stdout)
    };
    let code = ["--module", &module];
    assert_eq!(asked(&[&["run"][..], &code].concat()).0, 2);
    for step in ["linear/1/start", "linear/1/end"] {
        let (times, said) = asked(&[&["spin", step][..], &code].concat());
        assert_eq!(times, 1, "{step}");
        assert!(said.contains("the result is the recorded one"), "{said}");
        assert_eq!(asked(&["replay", step]).0, 1, "{step}");
    }
    // What was taken over is replayed as its run, which has the same secrets, was executed.
    asked(&[&["resume", "linear/1", "--from", "end"][..], &code].concat());
    assert_eq!(asked(&["replay", "linear/2"]).0, 2);
}

#[test]
fn what_is_not_there_is_said_with_what_to_do() {
    let Some(moto) = server() else { return };
    let world = World::new();
    let mut said = String::new();
    for source in [
        "aws-sm:wrun/none",
        "aws-sm:wrun/object#none",
        "aws-sm:wrun/plain#x",
        "aws-ssm:/none",
    ] {
        said += &world.text(&run(&world, &moto.endpoint(), source));
        said += "\n";
    }
    insta::assert_snapshot!(said, @r"
    error: `secret:TOKEN=aws-sm:wrun/none` is granted, and `aws-sm:wrun/none` cannot be read
      caused by: `secretsmanager:GetSecretValue`: ResourceNotFoundException: Secrets Manager can't find the specified secret.
      hint: create it, or correct its name
    exit code 2
    error: `secret:TOKEN=aws-sm:wrun/object#none` is granted, and `aws-sm:wrun/object#none` cannot be read
      caused by: `secretsmanager:GetSecretValue`: `wrun/object` has no text called `none`
      hint: correct the name, or what is kept under it
    exit code 2
    error: `secret:TOKEN=aws-sm:wrun/plain#x` is granted, and `aws-sm:wrun/plain#x` cannot be read
      caused by: `secretsmanager:GetSecretValue`: `wrun/plain` is not JSON
      hint: correct the name, or what is kept under it
    exit code 2
    error: `secret:TOKEN=aws-ssm:/none` is granted, and `aws-ssm:/none` cannot be read
      caused by: `ssm:GetParameter`: ParameterNotFound: Parameter /none not found.
      hint: create it, or correct its name
    exit code 2
    ");
    // Nobody is there: said after some tries.
    let silent = run(&world, "http://127.0.0.1:9", "aws-ssm:/wrun/token");
    assert!(
        silent
            .stderr
            .contains("`aws-ssm:/wrun/token` cannot be read"),
        "{}",
        silent.stderr
    );
    assert_eq!(silent.code, 2);
}
