//! What is there is shown.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::bench::Env;

#[test]
fn runs_are_listed_newest_first() {
    let env = Env::with_runs();
    insta::assert_snapshot!(env.wrun(&["runs"]), @r"
    run          status       started (UTC)         took  tasks  tags
    wordcount/2  interrupted  2024-01-01 00:02:00   0 µs      0  nightly
    fit/1        failed       2024-01-01 00:01:00   0 µs      2  nightly
    wordcount/1  succeeded    2024-01-01 00:00:00  97 ms      5  nightly
    ");
    insta::assert_snapshot!(env.wrun(&["runs", "wordcount", "--limit", "1"]), @r"
    run          status       started (UTC)        took  tasks  tags
    wordcount/2  interrupted  2024-01-01 00:02:00  0 µs      0  nightly
    ");
    insta::assert_snapshot!(env.wrun(&["runs", "--status", "failed", "--json"]), @r#"{"version":1,"run":"fit/1","status":"failed","created_at":1704067260000000,"took_us":0,"tasks":2,"failed":1,"tags":["nightly"]}"#);
    insta::assert_snapshot!(env.wrun(&["runs", "--tag", "weekly"]), @r"
    --- stderr
    no runs
    ");
}

#[test]
fn show_tells_of_a_run_a_step_and_a_task() {
    let env = Env::with_runs();
    insta::assert_snapshot!(env.wrun(&["show", "wordcount/1"]), @r"
    run       wordcount/1 succeeded
    started   2024-01-01 00:00:00 UTC by ada
    took      97 ms
    tags      nightly
    code      snapshot 2d168e1ff209, module f42578c55d5c
    made by   wrun 0.1.0, engine f6d78b1a7da3, seed 7

    parameters
      parts  8

    step   tasks  failed  retried    took     cpu  peak memory
    start      1       0        0   12 ms  900 µs      1.0 MiB
    count      3       0        1   71 ms  3.6 ms      1.0 MiB
    total      1       0        0  5.0 ms  900 µs      1.0 MiB
    ");
    insta::assert_snapshot!(env.wrun(&["show", "fit"]), @r"
    run       fit/1 failed
    started   2024-01-01 00:01:00 UTC by ada
    took      0 µs
    tags      nightly
    code      snapshot 2d168e1ff209, module f42578c55d5c
    made by   wrun 0.1.0, engine f6d78b1a7da3, seed 7

    parameters
      parts  8

    step   tasks  failed  retried   took     cpu  peak memory
    start      1       0        0  12 ms  900 µs      1.0 MiB
    fit        1       1        0  30 ms  900 µs      1.0 MiB

    fit/1/fit/- failed: panic: index out of bounds
        at src/lib.rs:41:9

    go on with wrun resume fit/1
    ");
    insta::assert_snapshot!(env.wrun(&["show", "wordcount/1/count"]), @r"
    task  status     attempts   took     cpu  peak memory  why
    0     succeeded         1  20 ms  900 µs      1.0 MiB
    1     succeeded         2  70 ms  1.8 ms      1.0 MiB
    2     succeeded         1  10 ms  900 µs      1.0 MiB
    ");
    insta::assert_snapshot!(env.wrun(&["show", "wordcount/1/count/1"]), @r"
    task      wordcount/1/count/1
    attempt   failed: panic: index out of bounds
        at src/lib.rs:41:9
              2024-01-01 00:00:00 UTC, took 30 ms, cpu 900 µs, peak memory 1.0 MiB
    attempt 2 succeeded
              2024-01-01 00:00:00 UTC, took 40 ms, cpu 900 µs, peak memory 1.0 MiB

    no artifacts
    ");
    insta::assert_snapshot!(env.wrun(&["show", "wordcount/1/total"]), @r"
    task      wordcount/1/total/-
    attempt   succeeded
              2024-01-01 00:00:00 UTC, took 5.0 ms, cpu 900 µs, peak memory 1.0 MiB

    artifact  kind                         size  digest        value
    page      text/html                    12 B  c206cad85538  <p>hello</p>
    raw       application/octet-stream      4 B  be2575f4a438  4 B
    big       application/octet-stream  3.0 MiB  e8b7e60f5520  3.0 MiB of application/octet-stream
    ");
    insta::assert_snapshot!(env.wrun(&["show", "latest"]), @r"
    run       wordcount/2 interrupted
    started   2024-01-01 00:02:00 UTC by ada
    took      0 µs
    tags      nightly
    code      snapshot 2d168e1ff209, module f42578c55d5c
    made by   wrun 0.1.0, engine f6d78b1a7da3, seed 7

    parameters
      parts  8

    no task has ended

    go on with wrun attach wordcount/2
    ");
}

#[test]
fn show_has_all_of_it_for_machines() {
    let env = Env::with_runs();
    insta::assert_snapshot!(env.wrun(&["show", "fit/1", "--json"]), @r#"{"version":1,"run":"fit/1","created_at":1704067260000000,"user":"ada","wrun":"0.1.0","tags":["nightly"],"parameters":[{"name":"parts","media":"application/cbor","size":1,"digest":"2ef3e0dda5293bda965d0adcedfc7d387244ac736a6014a720c1d63fa0ede02f"}],"snapshot":"2d168e1ff20930e41ae0c8e9b0bfc97bba39b1afb272f6bf9b52bf30716e96a5","module":"f42578c55d5c75569566e601ea5072c5a6d791e617aae2d1674ea29cc70fb37a","engine":"f6d78b1a7da3148d8dba15d7bb7a630ea0f66ffd11642f8d2cacc7ed142e167e","seed":7,"limits":{"memory-mib":512,"timeout-ms":86400000,"stack-kib":1024,"table-elements":1000000,"handles":10000,"log-kib":16384,"output-mib":65536,"items":1000000,"answer-mib":1024,"answer-ms":300000,"reclaims":100},"grants":[],"clock":1704067260000000,"known_as":1,"status":"failed","took_us":0,"steps":[{"step":"start","tasks":1,"succeeded":1,"reused":0,"failed":0,"caught":0,"retried":0,"started_at":1704067200000000,"ended_at":1704067200012000,"took_us":12000,"wall_us":12000,"cpu_us":900,"peak_memory":1048576},{"step":"fit","tasks":1,"succeeded":0,"reused":0,"failed":1,"caught":0,"retried":0,"started_at":1704067200013000,"ended_at":1704067200043000,"took_us":30000,"wall_us":30000,"cpu_us":900,"peak_memory":1048576}],"failures":[{"task":"fit/-","status":"failed","attempts":1,"started_at":1704067200013000,"ended_at":1704067200043000,"wall_us":30000,"cpu_us":900,"peak_memory":1048576,"failure":{"kind":"panic","message":"index out of bounds","source":"src/lib.rs:41:9"}}]}"#);
    insta::assert_snapshot!(env.wrun(&["show", "wordcount/1/start", "--json"]), @r#"{"version":1,"run":"wordcount/1","task":"start/-","status":"succeeded","attempts":1,"started_at":1704067200000000,"ended_at":1704067200012000,"wall_us":12000,"cpu_us":900,"peak_memory":1048576,"artifacts":[{"name":"shards","media":"application/cbor","size":4,"digest":"ae95735439e543cd063b7692a40da8df2c0a94b8d81dc190166bbeddaa8a01f4"}],"records":[{"attempt":0,"outcome":"items","items":3,"artifacts":[{"name":"shards","media":"application/cbor","size":4,"digest":"ae95735439e543cd063b7692a40da8df2c0a94b8d81dc190166bbeddaa8a01f4"}],"logs":[{"stream":"stdout","text":"cutting \u001b[2Jup\n"},{"stream":"log","text":"warn: odd\n"}],"engine":"f6d78b1a7da3148d8dba15d7bb7a630ea0f66ffd11642f8d2cacc7ed142e167e","inputs":"0000000000000000000000000000000000000000000000000000000000000000","usage":{"started_at":1704067200000000,"wall_us":12000,"cpu_us":900,"peak_memory":1048576}}]}"#);
}

#[test]
fn logs_are_led_by_their_task_and_made_safe() {
    let env = Env::with_runs();
    insta::assert_snapshot!(env.wrun(&["logs", "wordcount/1"]), @r"
    start/- | cutting \u{1b}[2Jup
    start/- | warn: odd
    count/0 | one shard
    ");
    insta::assert_snapshot!(env.wrun(&["logs", "wordcount/1/start/-", "--stderr", "--timestamps"]), @r"2024-01-01 00:00:00 warn: odd");
    insta::assert_snapshot!(env.wrun(&["logs", "wordcount/1/count", "--json", "-f"]), @r#"{"version":1,"task":"count/0","attempt":0,"at":1704067200033000,"stream":"stdout","text":"one shard\n"}"#);
    assert_eq!(
        env.wrun(&["logs", "wordcount/1/count/0", "--attempt", "2"])
            .out,
        ""
    );
}

#[test]
fn get_shows_values_and_writes_reports_and_files() {
    let env = Env::with_runs();
    insta::assert_snapshot!(env.wrun(&["get", "wordcount/1/start/shards"]), @r"[1, 2, 3]");
    insta::assert_snapshot!(env.wrun(&["get", "wordcount/1/count/0", "--json"]), @r#"{"version":1,"path":"wordcount/1/count/0/counts","name":"counts","media":"application/cbor","size":7,"digest":"5f46357e3b34f6458a0599508b3953c5a179bde48e83ea59a1f0ca0168299e3c","value":{"a":1,"b":true}}"#);
    insta::assert_snapshot!(env.wrun(&["get", "wordcount/1/parts"]), @r"8");
    insta::assert_snapshot!(env.wrun(&["get", "wordcount/1/total/page"]), @r"[dir]/.wrun/reports/wordcount-1-total-page.html");
    let page = env.path().join(".wrun/reports/wordcount-1-total-page.html");
    assert_eq!(std::fs::read_to_string(page).unwrap(), "<p>hello</p>");
    insta::assert_snapshot!(env.wrun(&["get", "wordcount/1/total/big", "-o", "big.bin"]), @r"
    --- stderr
    wrote 3.0 MiB to `big.bin`
    ");
    assert_eq!(
        std::fs::metadata(env.path().join("big.bin")).unwrap().len(),
        3 << 20
    );
    let raw = env
        .command(&["get", "wordcount/1/total/raw"])
        .output()
        .unwrap();
    assert_eq!(raw.stdout, [0, 159, 146, 150]);
    insta::assert_snapshot!(env.wrun(&["get", "wordcount/1/total/raw", "--json"]), @r#"{"version":1,"path":"wordcount/1/total/-/raw","name":"raw","media":"application/octet-stream","size":4,"digest":"be2575f4a438c24156113aa099c5b1da95cc48bfa39a6515bbbb4fb00aef6c1c","base64":"AJ+Slg=="}"#);
}

#[test]
fn tags_come_and_go() {
    let env = Env::with_runs();
    insta::assert_snapshot!(env.wrun(&["tag", "wordcount/1", "--add", "good", "--remove", "nightly"]), @r"good");
    insta::assert_snapshot!(env.wrun(&["tag", "wordcount/1", "--json"]), @r#"{"version":1,"run":"wordcount/1","tags":["good"]}"#);
    insta::assert_snapshot!(env.wrun(&["runs", "--tag", "good"]), @r"
    run          status     started (UTC)         took  tasks  tags
    wordcount/1  succeeded  2024-01-01 00:00:00  97 ms      5  good
    ");
}

#[test]
fn completion_offers_what_is_there() {
    let env = Env::with_runs();
    let offers = |words: &[&str]| {
        let last = words.len() - 1;
        let mut command = env.command(&["--"]);
        command
            .args(words)
            .env("COMPLETE", "bash")
            .env("_CLAP_COMPLETE_INDEX", last.to_string());
        command
            .env("_CLAP_IFS", "\n")
            .env("_CLAP_COMPLETE_COMP_TYPE", "9")
            .env("_CLAP_COMPLETE_SPACE", "true");
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    insta::assert_snapshot!(offers(&["wrun", "show", ""]), @r"
    latest
    fit/
    wordcount/
    --all
    --help
    --datastore
    --json
    --quiet
    --color
    ");
    insta::assert_snapshot!(offers(&["wrun", "show", "wordcount/"]), @r"
    wordcount/latest
    wordcount/2
    wordcount/1
    ");
    insta::assert_snapshot!(offers(&["wrun", "get", "wordcount/1/"]), @r"
    wordcount/1/start/
    wordcount/1/count/
    wordcount/1/total/
    wordcount/1/parts
    ");
    insta::assert_snapshot!(offers(&["wrun", "get", "fit/"]), @r"
    fit/latest/
    fit/1/
    ");
    insta::assert_snapshot!(offers(&["wrun", "get", "wordcount/1/total/"]), @r"
    wordcount/1/total/-/
    wordcount/1/total/page
    wordcount/1/total/raw
    wordcount/1/total/big
    ");
    insta::assert_snapshot!(offers(&["wrun", "logs", "wordcount/1/co"]), @r"wordcount/1/count");
}

#[test]
fn nothing_to_show_is_said() {
    let env = Env::with_runs();
    insta::assert_snapshot!(env.wrun(&["logs", "fit/1"]), @r"
    --- stderr
    nothing was printed
    ");
    insta::assert_snapshot!(env.wrun(&["tag", "wordcount/1", "--remove", "nightly", "--remove", "weekly"]), @r"
    --- stderr
    run wordcount/1 had no tag `weekly`
    run wordcount/1 has no tags
    ");
    insta::assert_snapshot!(env.wrun(&["tag", "wordcount/1", "--quiet"]), @"");
}

#[test]
fn the_manual_has_a_page_for_every_command_and_lists_the_exit_codes() {
    let env = Env::empty();
    let page = env.wrun(&["man"]);
    assert!(
        page.out
            .contains(".SH \"EXIT STATUS\"\n.TP\n0\nall went well\n"),
        "{page}"
    );
    assert!(page.out.contains("wrun\\-get(1)"), "{page}");
    assert!(
        env.wrun(&["man", "get"])
            .out
            .contains("wrun\\-get \\- Get an artifact")
    );
    let wrong = env.wrun(&["man", "gte"]).err;
    assert!(
        wrong.starts_with("error: there is no command `gte`\n"),
        "{wrong}"
    );
    assert!(wrong.ends_with("hint: did you mean `get`?\n"), "{wrong}");
    let wrote = env.wrun(&["man", "--dir", "pages"]).err;
    assert!(wrote.ends_with("pages to `pages`\n"), "{wrote}");
    assert!(env.path().join("pages/wrun-run.1").is_file());
}

#[test]
#[cfg(unix)]
fn a_report_opens_in_the_viewer_of_the_machine() {
    use std::os::unix::fs::PermissionsExt;
    let env = Env::with_runs();
    let open = ["get", "wordcount/1/total/page", "--open"];
    insta::assert_snapshot!(env.wrun(&open), @r"
    [dir]/.wrun/reports/wordcount-1-total-page.html
    --- stderr
    error: could not start `xdg-open`
      caused by: No such file or directory (os error 2)
      hint: open `[dir]/.wrun/reports/wordcount-1-total-page.html` yourself
    --- exit code 6
    ");

    let opener = env.path().join("xdg-open");
    let opened = env.path().join("opened");
    let script = format!(
        "#!/bin/sh\necho \"$1\" > {0}.new && mv {0}.new {0}\n",
        opened.display()
    );
    std::fs::write(&opener, script).unwrap();
    std::fs::set_permissions(&opener, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path =
        std::env::join_paths([env.path(), Path::new("/usr/bin"), Path::new("/bin")]).unwrap();
    let output = env.command(&open).env("PATH", path).output().unwrap();
    assert!(output.status.success());
    let started = Instant::now();
    while !opened.exists() {
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "nothing was opened"
        );
        std::thread::yield_now();
    }
    assert_eq!(std::fs::read(&opened).unwrap(), output.stdout);
}
