//! What is said when a bucket cannot be used, before any task is executed.

use std::process::Command;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

use super::moto::access;
use super::wire::{Fault, Plan, Wire};
use super::world::{Said, World};

/// A command on a bucket at `endpoint`, with these credentials.
fn command(world: &World, endpoint: &str, variables: &[(&str, &str)]) -> Command {
    let mut command = world.command(&[]);
    command
        .env("WRUN_DATASTORE", "s3://bucket/team")
        .env("AWS_ENDPOINT_URL", endpoint)
        .envs(variables.iter().copied());
    command
}

fn said(endpoint: &str, variables: &[(&str, &str)]) -> String {
    let world = World::new();
    let said: Said = command(&world, endpoint, variables)
        .arg("runs")
        .output()
        .unwrap()
        .into();
    world.text(&said)
}

/// What is said when the first request is answered like this.
fn answered(answer: Fault) -> String {
    let plan: Plan = Arc::new(move |_, _| Some(answer.clone()));
    let wire = Wire::to(1, plan);
    said(&wire.endpoint(), &access())
}

#[test]
fn without_credentials_it_says_how_they_are_given() {
    let text = said(
        "http://127.0.0.1:1",
        &[
            ("AWS_REGION", "us-east-1"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ],
    );
    insta::assert_snapshot!(text, @r"
    error: could not read `s3://bucket/team/wrun-datastore`
      caused by: `s3:GetObject`: the credential provider was not enabled: no credentials found in chain. Attempted:
          Environment: the credential provider was not enabled: environment variable not set
          Profile: the credential provider was not enabled
          WebIdentityToken: the credential provider was not enabled: $AWS_WEB_IDENTITY_TOKEN_FILE was not set
          EcsContainer: the credential provider was not enabled: ECS provider not configured
          Ec2InstanceMetadata: the credential provider was not enabled: IMDS disabled by AWS_EC2_METADATA_DISABLED env var set to `true`
      hint: give credentials as for every tool of AWS: `aws sso login`, a profile in `AWS_PROFILE`, or `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`
    exit code 6
    ");
}

#[test]
fn the_doctor_says_the_same() {
    let Some(moto) = super::empty_server() else {
        return;
    };
    let world = World::new();
    let doctor = || {
        let mut command = command(&world, &moto.endpoint(), &access());
        let said: Said = command.args(["doctor"]).output().unwrap().into();
        let lines = said
            .stdout
            .lines()
            .skip_while(|line| !line.contains(" datastore "));
        let lines: Vec<_> = lines.take(2).map(str::trim_end).collect();
        lines.join("\n")
    };
    insta::assert_snapshot!(doctor(), @r"
    broken  datastore   could not read `s3://bucket/team/wrun-datastore`: `s3:GetObject`: NoSuchBucket: The specified bucket does not exist
                        hint: correct the name, or make the bucket: `aws s3 mb s3://bucket`
    ");
    moto.bucket("bucket");
    assert!(doctor().contains("s3://bucket/team (made by the first run)"));
}

#[test]
fn without_a_region_it_names_the_variable() {
    let variables = &access()[..2];
    let mut variables = variables.to_vec();
    variables.push(("AWS_EC2_METADATA_DISABLED", "true"));
    insta::assert_snapshot!(said("http://127.0.0.1:1", &variables), @r"
    error: could not read `s3://bucket/team/wrun-datastore`
      caused by: `s3:GetObject`: A region must be set when sending requests to S3.
      hint: set `AWS_REGION` to the region of the resource
    exit code 6
    ");
}

#[test]
fn where_nobody_answers_it_names_the_endpoint() {
    let text = said("http://127.0.0.1:1", &access());
    insta::assert_snapshot!(text, @r"
    error: could not read `s3://bucket/team/wrun-datastore`
      caused by: `s3:GetObject`: client error (Connect): tcp connect error: Connection refused (os error 111) (tried 4 times)
      hint: look at the network, at `AWS_ENDPOINT_URL`, and at the region
    exit code 6
    ");
}

#[test]
fn a_bucket_elsewhere_is_named_with_its_region() {
    let body = "<Error><Code>PermanentRedirect</Code><Message>The bucket you are attempting to access must be addressed using the specified endpoint.</Message></Error>";
    let answer = Fault::Answer(301, "x-amz-bucket-region: eu-west-1\r\n", body.to_owned());
    insta::assert_snapshot!(answered(answer), @r"
    error: could not read `s3://bucket/team/wrun-datastore`
      caused by: `s3:GetObject`: PermanentRedirect: The bucket you are attempting to access must be addressed using the specified endpoint. (the bucket is in `eu-west-1`)
      hint: set `AWS_REGION` to the region of the resource
    exit code 6
    ");
}

#[test]
fn a_permission_that_is_missing_is_named() {
    insta::assert_snapshot!(answered(Fault::error(403, "AccessDenied")), @r"
    error: could not read `s3://bucket/team/wrun-datastore`
      caused by: `s3:GetObject`: AccessDenied: told to fail
      hint: allow `s3:GetObject` on `arn:aws:s3:::bucket/*` and `s3:ListBucket` on `arn:aws:s3:::bucket` in the policy of these credentials
    exit code 6
    ");
}

#[test]
fn credentials_that_are_no_longer_good_are_named() {
    insta::assert_snapshot!(answered(Fault::error(400, "ExpiredToken")), @r"
    error: could not read `s3://bucket/team/wrun-datastore`
      caused by: `s3:GetObject`: ExpiredToken: told to fail
      hint: give credentials as for every tool of AWS: `aws sso login`, a profile in `AWS_PROFILE`, or `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`
    exit code 6
    ");
}

/// What S3 says at an hour from now to whoever signs with the time of this machine.
fn an_hour_off(ahead: bool) -> Fault {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    // A few seconds more, so that rounding gives the same however long an answer takes.
    let hour = if ahead { 3_610 } else { -3_590 };
    let date = DateTime::from_secs(now.as_secs() as i64 + hour);
    let date = date.fmt(Format::HttpDate).unwrap();
    let body = "<Error><Code>RequestTimeTooSkewed</Code><Message>The difference between the request time and the current time is too large.</Message></Error>";
    let header = format!("Date: {date}\r\n").leak();
    Fault::Answer(403, header, body.to_owned())
}

#[test]
fn a_clock_that_is_wrong_is_named_with_how_much() {
    insta::assert_snapshot!(answered(an_hour_off(true)), @r"
    error: could not read `s3://bucket/team/wrun-datastore`
      caused by: `s3:GetObject`: RequestTimeTooSkewed: The difference between the request time and the current time is too large. (the clock of this machine is 60 minutes behind that of AWS)
      hint: set the clock of this machine, e.g. `timedatectl set-ntp true`: AWS refuses what was signed minutes ago or ahead of time
    exit code 6
    ");
    let early = answered(an_hour_off(false));
    assert!(early.contains("60 minutes ahead of that of AWS"), "{early}");
    // Without a date in the answer it is still the clock.
    let text = answered(Fault::error(403, "RequestTimeTooSkewed"));
    assert!(
        text.contains("hint: set the clock of this machine"),
        "{text}"
    );
}

/// A run of five steps whose datastore is behind `wire`.
fn five(world: &World, wire: &Wire) -> Said {
    let module = super::world::module("bench_five");
    let mut run = command(world, &wire.endpoint(), &access());
    let said = run.args(["run", "--module", &module]).output();
    said.unwrap().into()
}

#[test]
fn a_run_and_the_doctor_name_the_clock() {
    let answer = an_hour_off(true);
    let plan: Plan = Arc::new(move |_, _| Some(answer.clone()));
    let wire = Wire::to(1, plan);
    let world = World::new();
    let run = five(&world, &wire);
    insta::assert_snapshot!(world.text(&run), @r"
    error: could not read `s3://bucket/team/wrun-datastore`
      caused by: `s3:GetObject`: RequestTimeTooSkewed: The difference between the request time and the current time is too large. (the clock of this machine is 60 minutes behind that of AWS)
      hint: set the clock of this machine, e.g. `timedatectl set-ntp true`: AWS refuses what was signed minutes ago or ahead of time
    exit code 6
    ");
    let doctor: Said = command(&world, &wire.endpoint(), &access())
        .arg("doctor")
        .output()
        .unwrap()
        .into();
    let lines = doctor.stdout.lines();
    let lines = lines.skip_while(|line| !line.contains(" datastore "));
    let lines: Vec<_> = lines.take(2).map(str::trim_end).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    broken  datastore   could not read `s3://bucket/team/wrun-datastore`: `s3:GetObject`: RequestTimeTooSkewed: The difference between the request time and the current time is too large. (the clock of this machine is 60 minutes behind that of AWS)
                        hint: set the clock of this machine, e.g. `timedatectl set-ntp true`: AWS refuses what was signed minutes ago or ahead of time
    ");
}

#[test]
fn a_clock_that_goes_wrong_meanwhile_stops_no_run() {
    let Some(moto) = super::server() else { return };
    let answer = an_hour_off(true);
    // Every fifth request, once the first has been answered: a machine that was asleep.
    let plan: Plan = Arc::new(move |number, _| (number % 5 == 4).then(|| answer.clone()));
    let wire = Wire::to(moto.port(), plan);
    let world = World::new();
    five(&world, &wire).good();
    assert!(wire.faults() > 1);
}

#[test]
fn a_run_that_may_read_and_not_write_says_so_before_it_begins() {
    let Some(moto) = super::server() else { return };
    let plan: Plan = Arc::new(|_, line| {
        let put = line.starts_with("PUT ");
        put.then(|| Fault::error(403, "AccessDenied"))
    });
    let wire = Wire::to(moto.port(), plan);
    let world = World::new();
    let run = five(&world, &wire);
    insta::assert_snapshot!(world.text(&run), @r"
    error: could not write `s3://bucket/team/wrun-datastore`
      caused by: `s3:PutObject`: AccessDenied: told to fail
      hint: allow `s3:PutObject` on `arn:aws:s3:::bucket/*` in the policy of these credentials
    exit code 6
    ");
    let (_, listed) = moto.request("GET", "/bucket?list-type=2");
    assert!(!listed.contains("<Key>"), "{listed}");
}

#[test]
fn a_bucket_that_is_missing_and_one_without_a_datastore_are_told_apart() {
    let Some(moto) = super::empty_server() else {
        return;
    };
    insta::assert_snapshot!(said(&moto.endpoint(), &access()), @r"
    error: could not read `s3://bucket/team/wrun-datastore`
      caused by: `s3:GetObject`: NoSuchBucket: The specified bucket does not exist
      hint: correct the name, or make the bucket: `aws s3 mb s3://bucket`
    exit code 6
    ");
    moto.bucket("bucket");
    insta::assert_snapshot!(said(&moto.endpoint(), &access()), @r"
    error: there is no datastore at `s3://bucket/team`
      hint: `wrun run` in a flow's directory makes one; `--datastore URL` looks elsewhere
    exit code 4
    ");
    assert_eq!(moto.request("PUT", "/bucket/team/somebody's%20file").0, 200);
    insta::assert_snapshot!(said(&moto.endpoint(), &access()), @r"
    error: `s3://bucket/team` is not a datastore: it has no `wrun-datastore`, and is not empty; give an empty or a new place
      hint: `--datastore URL` or `WRUN_DATASTORE` names another
    exit code 2
    ");
}

#[test]
fn a_server_that_overwrites_what_must_stay_is_refused() {
    let Some(moto) = super::server() else { return };
    // The wire answers like a server that knows no conditions: whatever is written is written.
    let plan: Plan = Arc::new(|_, line| {
        let put = line.starts_with("PUT ");
        put.then(|| Fault::Answer(200, "ETag: \"x\"\r\n", String::new()))
    });
    let wire = Wire::to(moto.port(), plan);
    let world = World::new();
    let module = super::world::module("bench_five");
    let mut command = world.command(&["run", "--module", &module]);
    command
        .env("WRUN_DATASTORE", "s3://bucket/team")
        .env("AWS_ENDPOINT_URL", wire.endpoint())
        .envs(access());
    let said: Said = command.output().unwrap().into();
    insta::assert_snapshot!(world.text(&said), @r"
    error: `s3://bucket/team` cannot hold a datastore: its server ignores `If-None-Match`, so that two drivers of a run would both go on
      hint: use a server that knows conditional writes, as S3 does since 2024
    exit code 6
    ");
}
