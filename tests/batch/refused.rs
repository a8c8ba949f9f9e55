//! What is said before anything is spent.

use std::sync::atomic::Ordering;

use super::cloud::Cloud;
use super::fake::Mood;

/// What is said of a run in Batch, when the settings are these and Batch is so.
fn said(settings: &str, mood: Mood) -> String {
    let cloud = Cloud::new();
    cloud.world.write("wrun.toml", settings);
    cloud.fake.state().mood = mood;
    let mut command = cloud.command(&["run", "--module", &super::world::module("foreach")]);
    command.args(["--with", "batch"]);
    for name in ["QUEUE", "IMAGE", "SHARED_DIRECTORY"] {
        command.env_remove(format!("WRUN_BATCH_{name}"));
    }
    let text = cloud.world.text(&command.output().unwrap().into());
    assert_eq!(cloud.world.wrun(&["runs"]).stdout, "", "nothing was begun");
    text
}

const GOOD: &str = "[batch]\nqueue = \"queue\"\nimage = \"wrun:test\"\nshared-directory = true\n";

#[test]
fn a_directory_that_containers_do_not_see() {
    let text = said(&GOOD.replace("true", "false"), Mood::default());
    insta::assert_snapshot!(text, @r"
    error: the datastore `[dir]/store` is a directory of this machine, which containers do not see
      hint: `--datastore s3://bucket/prefix` is seen by all; `batch.shared-directory = true` says that the directory is mounted in the containers under the same path
    exit code 2
    ");
}

#[test]
fn settings_that_are_missing() {
    let text = said("[batch]\nshared-directory = true\n", Mood::default());
    insta::assert_snapshot!(text, @r#"
    error: steps are to be executed by Batch, and `batch.queue` is not set
      hint: name it in `wrun.toml`, `batch.queue = "…"`, or in the variable `WRUN_BATCH_QUEUE`
    exit code 2
    "#);
    let text = said(&GOOD.replace("image", "job-role"), Mood::default());
    insta::assert_snapshot!(text, @r#"
    error: steps are to be executed by Batch, and `batch.image` is not set
      hint: name it in `wrun.toml`, `batch.image = "…"`, or in the variable `WRUN_BATCH_IMAGE`
    exit code 2
    "#);
}

#[test]
fn settings_that_batch_or_its_workers_would_not_take() {
    let text = said(&GOOD.replace("wrun:test", "wrun test"), Mood::default());
    insta::assert_snapshot!(text, @r"
    error: `wrun test` is not the name of an image
      hint: `batch.image` takes `registry/repository:tag`, as `wrun batch image` prints it
    exit code 2
    ");
    let with = |line: &str| said(&format!("{GOOD}{line}\n"), Mood::default());
    let text = with("environment = [\"WRUN_DATASTORE=s3://other/place\"]");
    insta::assert_snapshot!(text, @r"
    error: [dir]/wrun.toml:5: `batch.environment` names `WRUN_DATASTORE`, which workers have from wrun
    exit code 2
    ");
    let text = with("secrets = [\"AWS_BATCH_JOB_ID=arn:aws:ssm:a\"]");
    insta::assert_snapshot!(text, @r"
    error: [dir]/wrun.toml:5: `batch.secrets` names `AWS_BATCH_JOB_ID`, and Batch keeps `AWS_BATCH…` for itself
    exit code 2
    ");
    let cloud = Cloud::new();
    let environment = "environment = [\"MODE=fast\", \"API_TOKEN=hunter2\"]";
    cloud
        .world
        .write("wrun.toml", format!("{GOOD}{environment}\n"));
    let doctor = cloud.wrun(&["doctor"]).stdout;
    let shown = doctor
        .lines()
        .find(|line| line.starts_with("batch.environment"));
    assert!(
        shown.unwrap().contains("API_TOKEN=…, MODE=fast "),
        "{doctor}"
    );
    assert!(!doctor.contains("hunter2"), "{doctor}");
}

#[test]
fn a_queue_that_is_not_there() {
    let text = said(&GOOD.replace("\"queue\"", "\"other\""), Mood::default());
    insta::assert_snapshot!(text, @r"
    error: there is no job queue `other` in this region
      hint: `batch.queue` names the queue, `AWS_REGION` the region
    exit code 4
    ");
}

#[test]
fn a_queue_that_is_disabled() {
    let mood = Mood {
        queue_disabled: true,
        ..Mood::default()
    };
    insta::assert_snapshot!(said(GOOD, mood), @r"
    error: the job queue `queue` takes no jobs: it is disabled
      hint: enable it: `aws batch update-job-queue --job-queue queue --state ENABLED`
    exit code 6
    ");
}

/// The same with `[time]` where a time is.
fn timeless(text: &str) -> String {
    let words = text.split(' ');
    let is_time = |word: &&str| word.len() == 20 && word.ends_with('Z');
    let words: Vec<_> = words
        .map(|word| if is_time(&word) { "[time]" } else { word })
        .collect();
    words.join(" ")
}

#[test]
fn a_clock_that_is_an_hour_late_and_one_that_is_an_hour_early() {
    let cloud = Cloud::new();
    cloud.world.write("wrun.toml", GOOD);
    let clock = |ahead| cloud.fake.clock.ahead.store(ahead, Ordering::SeqCst);
    // A few seconds more, so that rounding gives the same however long an answer takes.
    clock(3_610);
    let run = timeless(&cloud.world.text(&cloud.run("foreach", &[])));
    insta::assert_snapshot!(run, @r"
    error: Batch could not be asked about the job queue `queue`
      caused by: `batch:DescribeJobQueues`: InvalidSignatureException: Signature expired: it is now earlier than [time] (the clock of this machine is 60 minutes behind that of AWS)
      hint: set the clock of this machine, e.g. `timedatectl set-ntp true`: AWS refuses what was signed minutes ago or ahead of time
    exit code 6
    ");
    let doctor = cloud.wrun(&["doctor"]).stdout;
    let lines = doctor.lines().skip_while(|line| !line.contains(" batch "));
    let lines: Vec<_> = lines.take(2).map(str::trim_end).collect();
    insta::assert_snapshot!(timeless(&lines.join("\n")), @r"
    odd     batch       Batch could not be asked about the job queue `queue`: `batch:DescribeJobQueues`: InvalidSignatureException: Signature expired: it is now earlier than [time] (the clock of this machine is 60 minutes behind that of AWS)
                        hint: set the clock of this machine, e.g. `timedatectl set-ntp true`: AWS refuses what was signed minutes ago or ahead of time
    ");
    clock(-3_590);
    let run = timeless(&cloud.world.text(&cloud.run("foreach", &[])));
    insta::assert_snapshot!(run, @r"
    error: Batch could not be asked about the job queue `queue`
      caused by: `batch:DescribeJobQueues`: InvalidSignatureException: Signature not yet current: it is still later than [time] (the clock of this machine is 60 minutes ahead of that of AWS)
      hint: set the clock of this machine, e.g. `timedatectl set-ntp true`: AWS refuses what was signed minutes ago or ahead of time
    exit code 6
    ");
    assert_eq!(cloud.world.wrun(&["runs"]).stdout, "", "nothing was begun");
    assert_eq!(cloud.fake.calls("submitjob"), 0);
}

#[test]
fn hosts_of_another_kind() {
    let fargate = format!("{GOOD}platform = \"fargate\"\n");
    insta::assert_snapshot!(said(&fargate, Mood::default()), @r"
    error: the job queue `queue` has no compute environment that executes jobs: `hosts` is of another kind than `fargate`
      hint: enable or mend one of them; `batch.platform` says of which kind it must be
    exit code 6
    ");
}

#[test]
fn a_request_that_is_denied() {
    let mood = Mood {
        denied: vec!["describejobqueues"],
        ..Mood::default()
    };
    insta::assert_snapshot!(said(GOOD, mood), @r"
    error: Batch could not be asked about the job queue `queue`
      caused by: `batch:DescribeJobQueues`: AccessDeniedException: User: ada is not authorized to perform: describejobqueues
      hint: allow `batch:DescribeJobQueues` in the policy of these credentials
    exit code 6
    ");
}

#[test]
fn a_directory_and_a_secret_that_are_not_in_a_container() {
    let text = said(
        &format!("grants = [\"read:data=.\"]\n{GOOD}"),
        Mood::default(),
    );
    insta::assert_snapshot!(text, @r#"
    error: step `start` is granted `read:data=[dir]`, which is not there in a container of Batch
      hint: give the files as a parameter of type `Files`, or execute the step here: `executor = "local"`
    exit code 2
    "#);
    let text = said(
        &format!("grants = [\"secret:HOME\"]\n{GOOD}"),
        Mood::default(),
    );
    insta::assert_snapshot!(text, @r#"
    error: step `start` is granted `secret:HOME`, which is not there in a container of Batch
      hint: `batch.secrets = ["HOME=ARN"]` gives containers its value
    exit code 2
    "#);
}

#[test]
fn an_executor_that_is_not_known() {
    let cloud = Cloud::new();
    let module = super::world::module("foreach");
    let said = cloud.wrun(&["run", "--module", &module, "--with", "cloud"]);
    insta::assert_snapshot!(cloud.world.text(&said), @r"
    error: invalid value 'cloud' for '--with <EXECUTOR>': `cloud` is no executor; `local` and `batch` are
    exit code 2
    ");
    cloud
        .world
        .write("wrun.toml", "[steps.square]\nexecutor = \"cloud\"\n");
    let said = cloud.wrun(&["run", "--module", &module]);
    insta::assert_snapshot!(cloud.world.text(&said), @r"
    error: [dir]/wrun.toml:2: `steps.square.executor` is `cloud`; it takes `local`, `batch`
    exit code 2
    ");
}

#[test]
fn credentials_that_are_not_there() {
    let cloud = Cloud::new();
    let module = super::world::module("foreach");
    let mut command = cloud.command(&["run", "--module", &module, "--with", "batch"]);
    command.env_remove("AWS_ACCESS_KEY_ID");
    let said = command.output().unwrap().into();
    insta::assert_snapshot!(cloud.world.text(&said), @r"
    error: Batch could not be asked about the job queue `queue`
      caused by: `batch:DescribeJobQueues`: the credential provider was not enabled: no credentials found in chain. Attempted:
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
fn a_job_that_is_not_there() {
    let cloud = Cloud::new();
    cloud.world.run("foreach", &["--quiet"]).good();
    let said = cloud.wrun(&["worker", "foreach/1/0123456789abcdef"]);
    insta::assert_snapshot!(cloud.world.text(&said), @r"
    error: job `foreach/1/0123456789abcdef` is not in the datastore
      hint: `WRUN_DATASTORE` of the container must be that of the driver
    exit code 4
    ");
    let mut command = cloud.command(&["worker", "foreach/1/0123456789abcdef"]);
    command.env("AWS_BATCH_JOB_ARRAY_INDEX", "seven");
    let said = command.output().unwrap().into();
    insta::assert_snapshot!(cloud.world.text(&said), @r"
    error: `AWS_BATCH_JOB_ARRAY_INDEX` ends with `seven`, which is no index
      hint: Batch sets it in the children of an array job; take it away elsewhere
    exit code 2
    ");
}
