//! Requests over HTTP: granted, made, recorded, and replayed when nobody answers any more.

mod broken;

use wrun::cli::exit;
use wrun::model::digest::Digest;
use wrun::task::trace::{Asked as Question, Found};

use super::certificates::Certificates;
use super::grants::{blob, forge};
use super::server::{Asked, Server, answer};
use super::*;

/// Runs the flow that asks for `urls`, granted `origins`.
fn ask(world: &World, origins: &[&str], urls: &[&str], more: &[&str]) -> Said {
    let grants: Vec<String> = origins.iter().map(|it| format!("http={it}")).collect();
    let mut arguments = vec!["run", "--module"];
    let module = module("fetches");
    arguments.push(&module);
    for grant in &grants {
        arguments.extend(["--allow", grant]);
    }
    arguments.extend(more);
    for url in urls {
        arguments.extend(["--urls", url]);
    }
    world.wrun(&arguments)
}

fn texts(asked: &Asked) -> Vec<u8> {
    let target = asked.line.split(' ').nth(1).unwrap();
    match target.split('?').next().unwrap() {
        "/small" => answer("200 OK", &["content-type: text/plain"], b"hello"),
        "/large" => answer("200 OK", &[], &vec![b'x'; 3 << 20]),
        "/echo" => answer("200 OK", &[], &asked.body),
        "/away" => answer("302 Found", &["location: http://10.0.0.1/"], b""),
        _ => answer("404 Not Found", &[], b"nothing"),
    }
}

#[test]
fn answers_are_recorded_and_replayed_when_nobody_answers_any_more() {
    let (world, server) = (World::new(), Server::start(texts));
    let (origin, address) = (server.origin(), server.address());
    let urls = ["/small", "/large", "/none", "/away"].map(|path| format!("{origin}{path}"));
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let said = ask(&world, &[&origin], &urls, &[]).good();
    let granted = format!("granted http={origin}\n");
    assert!(said.stderr.contains(&granted), "{}", said.stderr);
    let expected = serde_json::json!([
        "200 text/plain - 5 bytes",
        "200 - - 3145728 bytes",
        "404 - - 7 bytes",
        "302 - http://10.0.0.1/ 0 bytes",
    ]);
    assert_eq!(world.value("fetches/1/start/lines"), expected);
    assert_eq!(world.json(&["show", "fetches/1"])["class"], "recorded");
    let lines: Vec<String> = server.asked().into_iter().map(|it| it.line).collect();
    assert_eq!(lines[0], "GET /small HTTP/1.1");
    assert_eq!(lines.len(), 4);

    drop(server);
    let said = world.wrun(&["replay", "fetches/1"]).good();
    assert!(said.stdout.contains("identical"), "{}", said.stdout);
    // Nor does it matter what is answered now.
    let other = Server::start_at(address, |_| answer("200 OK", &[], b"something else"));
    world.wrun(&["replay", "fetches/1"]).good();
    assert_eq!(other.asked().len(), 0);
}

#[test]
fn what_a_step_says_is_what_is_sent_and_the_rest_is_ours() {
    let (world, server) = (World::new(), Server::start(texts));
    let url = format!("{}/echo?a=1#part", server.origin());
    let more = [
        "--method",
        "POST",
        "--body",
        "the body",
        "--header",
        "x-Token: abc",
    ];
    ask(&world, &[&server.origin()], &[&url], &more).good();
    let asked = server.asked().remove(0);
    assert_eq!(asked.body, b"the body");
    let text = format!("{}\n{}", asked.line, asked.header.join("\n"));
    let text = text.replace(&server.address().to_string(), "[server]");
    insta::assert_snapshot!(text, @r"
    POST /echo?a=1 HTTP/1.1
    host: [server]
    user-agent: wrun-sdk/0.1.0
    x-token: abc
    content-length: 8
    ");
}

#[test]
fn whom_a_step_was_not_granted_it_cannot_ask() {
    let (world, server) = (World::new(), Server::start(texts));
    let port = server.address().port();
    let said = ask(&world, &[], &["http://example.com/"], &["--quiet"]);
    let mut all = world.text(&said) + "\n\n";
    let check = world
        .wrun(&["check", "--module", &module("fetches")])
        .good();
    assert!(
        check.stdout.contains("\nmissing  http=https://HOST"),
        "{}",
        check.stdout
    );
    assert_eq!(world.wrun(&["runs"]).good().stdout, "");
    let origin = server.origin();
    for url in [
        "https://example.com/v1".to_owned(),
        format!("https://127.0.0.1:{port}/"),
        "http://127.0.0.1/".to_owned(),
        format!("http://127.1:{port}/"),
        format!("http://2130706433:{port}/"),
        format!("http://0x7f.0.0.1:{port}/"),
        format!("http://ada@127.0.0.1:{port}/"),
        "file:///etc/passwd".to_owned(),
    ] {
        let said = ask(&world, &[&origin], &[&url], &["--quiet"]);
        all += &world.text(&said);
        all += "\n\n";
    }
    let all = all.replace(&port.to_string(), "[port]");
    insta::assert_snapshot!(all, @r#"
    error: the flow asks over HTTP, and no step was granted whom to ask
      caused by: its module imports `wasi:http/outgoing-handler`
      hint: `--allow http=https://HOST` grants it to all steps, `grants = ["http=https://HOST"]` below `[steps.STEP]` in `wrun.toml` to one
    exit code 2

    fetches/1/start/- failed: fatal error: `GET https://example.com/v1` has no answer: it was denied: nobody has granted it
        hint: `https://example.com` was not granted: `--allow http=https://example.com` grants it to all steps, `grants = ["http=https://example.com"]` below `[steps.STEP]` in `wrun.toml` to one
    exit code 1

    fetches/2/start/- failed: fatal error: `GET https://127.0.0.1:[port]/` has no answer: it was denied: nobody has granted it
        hint: `https://127.0.0.1:[port]` was not granted: `--allow http=https://127.0.0.1:[port]` grants it to all steps, `grants = ["http=https://127.0.0.1:[port]"]` below `[steps.STEP]` in `wrun.toml` to one
    exit code 1

    fetches/3/start/- failed: fatal error: `GET http://127.0.0.1/` has no answer: it was denied: nobody has granted it
        hint: `http://127.0.0.1` was not granted: `--allow http=http://127.0.0.1` grants it to all steps, `grants = ["http=http://127.0.0.1"]` below `[steps.STEP]` in `wrun.toml` to one
    exit code 1

    fetches/4/start/- failed: error: `GET http://127.1:[port]/` has no answer: its URL names no host that can be asked
        hint: `127.1:[port]` is no host: a name in ASCII, e.g. `api.example.com`, or an address, e.g. `127.0.0.1` or `[::1]`
    exit code 1

    fetches/5/start/- failed: error: `GET http://2130706433:[port]/` has no answer: its URL names no host that can be asked
        hint: `2130706433:[port]` is no host: a name in ASCII, e.g. `api.example.com`, or an address, e.g. `127.0.0.1` or `[::1]`
    exit code 1

    fetches/6/start/- failed: error: `GET http://0x7f.0.0.1:[port]/` has no answer: its URL names no host that can be asked
        hint: `0x7f.0.0.1:[port]` is no host: a name in ASCII, e.g. `api.example.com`, or an address, e.g. `127.0.0.1` or `[::1]`
    exit code 1

    fetches/7/start/- failed: error: `GET http://ada@127.0.0.1:[port]/` has no answer: its URL names no host that can be asked
        hint: `ada@127.0.0.1:[port]` is more than a host and a port
    exit code 1

    fetches/8/start/- failed: error: `GET file:///etc/passwd` has no answer: nobody asks over `file`
    exit code 1
    "#);
    assert_eq!(server.asked().len(), 0);
}

#[test]
fn a_name_that_leads_into_the_own_network_is_not_asked_even_when_it_was_granted() {
    let (world, server) = (World::new(), Server::start(texts));
    let origin = format!("http://localhost:{}", server.address().port());
    let said = ask(
        &world,
        &[&origin],
        &[&format!("{origin}/small")],
        &["--quiet"],
    );
    let said = said.fails(
        exit::RUN_FAILED,
        &["is not an address of the public network"],
    );
    let port = server.address().port().to_string();
    let text = world
        .text(&said)
        .replace(&port, "[port]")
        .replace("[::1]", "127.0.0.1");
    insta::assert_snapshot!(text.replace("::1", "127.0.0.1"), @r"
    fetches/1/start/- failed: error: `GET http://localhost:[port]/small` has no answer: it was prohibited: the host is not on the public network
        hint: `localhost` is at 127.0.0.1, which is not an address of the public network: grant the address itself, `--allow http=http://127.0.0.1:[port]`, and ask for it by that
    exit code 1
    ");
    assert_eq!(server.asked().len(), 0);
    world.wrun(&["replay", "fetches/1"]).good();
}

#[test]
fn a_redirection_is_an_answer_and_leads_nowhere() {
    let (world, server) = (World::new(), Server::start(texts));
    let other = Server::start(texts);
    let to = format!("location: {}/small", other.origin());
    let away = Server::start(move |_| answer("307 Temporary Redirect", &[&to], b""));
    let url = format!("{}/", away.origin());
    ask(&world, &[&away.origin(), &server.origin()], &[&url], &[]).good();
    let line = world.value("fetches/1/start/lines")[0].clone();
    assert_eq!(line, format!("307 - {}/small 0 bytes", other.origin()));
    assert_eq!((away.asked().len(), other.asked().len()), (1, 0));
}

#[test]
fn what_was_asked_over_http_is_asked_anew_with_cache_and_not_by_a_spin() {
    let (world, server) = (World::new(), Server::start(texts));
    let (origin, url) = (server.origin(), format!("{}/small", server.origin()));
    ask(&world, &[&origin], &[&url], &[]).good();
    ask(&world, &[&origin], &[&url], &["--cache"]).good();
    assert_eq!(server.asked().len(), 2);
    let reused =
        |step: &str| world.json(&["show", &format!("fetches/2/{step}/-")])["reused_from"].clone();
    assert!(reused("start").is_null());
    assert_eq!(reused("end"), "fetches/1");

    let module = module("fetches");
    let spin = ["spin", "fetches/1/start", "--module", &module];
    let grant = format!("http={origin}");
    world.wrun(&spin).fails(
        exit::USAGE,
        &["was granted what is not granted here", &grant],
    );
    let said = world
        .wrun(&[&spin[..], &["--allow", &grant]].concat())
        .good();
    assert!(
        said.stdout.contains("the result is the recorded one"),
        "{}",
        said.stdout
    );
    assert_eq!(server.asked().len(), 2);
}

#[test]
fn a_grant_for_one_step_is_for_that_step() {
    let (world, server) = (World::new(), Server::start(texts));
    let (origin, url) = (server.origin(), format!("{}/small", server.origin()));
    world.write(
        "wrun.toml",
        format!("[steps.end]\ngrants = [\"http={origin}\"]\n"),
    );
    ask(&world, &[], &[&url], &["--quiet"]).fails(exit::RUN_FAILED, &["was not granted"]);
    world.write(
        "wrun.toml",
        format!("[steps.start]\ngrants = [\"http={origin}\"]\n"),
    );
    ask(&world, &[], &[&url], &["--quiet"]).good();
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn an_encrypted_connection_is_made_to_whom_an_authority_vouches_for() {
    let Some(certificates) = Certificates::make() else {
        return;
    };
    let world = World::new();
    let server = Server::start_encrypted(&certificates, texts);
    let origin = server.origin().replace("http:", "https:");
    let (grant, url) = (format!("http={origin}"), format!("{origin}/large"));
    let module = module("fetches");
    let arguments = [
        "run", "--quiet", "--module", &module, "--allow", &grant, "--urls", &url,
    ];
    let with = |authority: &str| -> Said {
        let mut command = world.command(&arguments);
        command.env("SSL_CERT_FILE", certificates.file(authority));
        command.output().unwrap().into()
    };
    with("authority.pem").good();
    let expected = serde_json::json!(["200 - - 3145728 bytes"]);
    assert_eq!(world.value("fetches/1/start/lines"), expected);
    // The server vouches for itself, and that is not enough.
    let said = with("server.pem");
    let text = world
        .text(&said)
        .replace(&server.address().to_string(), "[server]");
    insta::assert_snapshot!(text, @r"
    fetches/2/start/- failed: error: `GET https://[server]/large` has no answer: the connection could not be trusted
        caused by: the connection is not encrypted: invalid peer certificate: UnknownIssuer
    exit code 1
    ");
    assert_eq!(server.asked().len(), 1);
    drop(server);
    world.wrun(&["replay", "fetches/1"]).good();
}

#[test]
fn a_secret_is_sent_and_written_nowhere() {
    let (world, server) = (World::new(), Server::start(texts));
    let token = "s3cr3t/t0k3n-of-ada";
    let origin = server.origin();
    let grant = format!("http={origin}");
    let module = module("secretly");
    let with = |token: &str, arguments: &[&str]| -> Said {
        let mut command = world.command(arguments);
        command.env("TOKEN", token).output().unwrap().into()
    };
    let run = [
        "run",
        "--module",
        &module,
        "--allow",
        &grant,
        "--allow",
        "secret:TOKEN",
        "--service",
        &origin,
    ];
    with(token, &run).good();
    let asked = server.asked().remove(0);
    assert!(
        asked
            .header
            .contains(&format!("authorization: Bearer {token}")),
        "{asked:?}"
    );
    assert_eq!(asked.line, "GET /small?key=s3cr3t%2Ft0k3n-of-ada HTTP/1.1");
    for file in super::grants::files(&world.store()) {
        let bytes = std::fs::read(&file).unwrap();
        for value in [token, "s3cr3t%2Ft0k3n"] {
            let found = bytes
                .windows(value.len())
                .any(|part| part == value.as_bytes());
            assert!(!found, "the secret is in {}", file.display());
        }
    }
    drop(server);
    with(token, &["replay", "secretly/1"]).good();
}

#[test]
fn a_trace_that_was_altered_is_found() {
    let (world, server) = (World::new(), Server::start(texts));
    let urls = ["/small", "/large", "/echo"].map(|path| format!("{}{path}", server.origin()));
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    ask(&world, &[&server.origin()], &urls, &[]).good();
    drop(server);
    // A body that lies apart.
    let file = blob(&world, &Digest::of(&vec![b'x'; 3 << 20]).to_string());
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[..whole.len() - 1]).unwrap();
    let said = world.wrun(&["replay", "fetches/1"]);
    assert_ne!(said.code, 0);
    assert!(
        said.stderr
            .contains("the trace of the attempt cannot be read"),
        "{}",
        said.stderr
    );
    std::fs::write(&file, &whole).unwrap();
    world.wrun(&["replay", "fetches/1"]).good();

    type Change = fn(&mut Vec<(Question, Found)>);
    let changes: [Change; 6] = [
        |sights| {
            sights.pop();
        },
        |sights| sights.swap(0, 2),
        |sights| match &mut sights[0].1 {
            Found::Answer { status, .. } => *status = 500,
            other => panic!("{other:?}"),
        },
        |sights| match &mut sights[0].1 {
            Found::Answer { body, .. } => body.bytes = Some("hallo".into()),
            other => panic!("{other:?}"),
        },
        |sights| match &mut sights[0].1 {
            Found::Answer { fields, .. } => fields.clear(),
            other => panic!("{other:?}"),
        },
        |sights| sights[1].1 = Found::List(Vec::new()),
    ];
    let mut all = String::new();
    for (number, change) in (2..).zip(changes) {
        forge(&world, "fetches/1", "start/-", change);
        let said = world.wrun(&["replay", &format!("fetches/{number}")]);
        assert_ne!(said.code, 0, "{}", said.stdout);
        all += &(said.stdout + &said.stderr + "\n");
    }
    let address = urls[0]
        .trim_start_matches("http://")
        .trim_end_matches("/small");
    insta::assert_snapshot!(all.replace(address, "[server]"), @r#"
    different: 1 difference in 2 tasks, 3 artifacts
      fetches/2/start/-: outcome
        recorded  succeeded
        replayed  failed (broken contract): it asked `GET http://[server]/echo`, where it asked for nothing more when it was recorded

    different: 1 difference in 2 tasks, 3 artifacts
      fetches/3/start/-: outcome
        recorded  succeeded
        replayed  failed (broken contract): it asked `GET http://[server]/small`, where it asked `GET http://[server]/echo` when it was recorded

    different: 1 difference in 2 tasks, 3 artifacts
      fetches/4/start/-: artifact `lines` at `[0]`
        recorded  "200 text/plain - 5 bytes"
        replayed  "500 text/plain - 5 bytes"

    error: task `start/-` could not be executed again: the trace of the attempt cannot be read: what it asked `GET http://[server]/small`: its bytes are not those of `ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f`
      hint: nothing is proven or disproven; `wrun doctor` checks the machine

    different: 1 difference in 2 tasks, 3 artifacts
      fetches/6/start/-: artifact `lines` at `[0]`
        recorded  "200 text/plain - 5 bytes"
        replayed  "200 - - 5 bytes"

    error: task `start/-` could not be executed again: the trace of the attempt cannot be read: it answers something else than it was asked
      hint: nothing is proven or disproven; `wrun doctor` checks the machine
    "#);
}

#[test]
fn the_example_asks_a_service_and_is_replayed_without_it() {
    let world = World::new();
    let server = weather::serve([127, 0, 0, 1].into());
    let grant = format!("http={}", server.origin());
    world
        .run("fetch", &["--allow", &grant, "--service", &server.origin()])
        .good();
    let means = serde_json::json!([["Wien", 5.75], ["Graz", 5.25], ["Linz", 3.25]]);
    assert_eq!(world.value("fetch/1/compare/means"), means);
    assert_eq!(server.asked().len(), 4);
    drop(server);
    let said = world.wrun(&["replay", "fetch/1"]).good();
    assert!(
        said.stdout.contains("identical: 5 tasks"),
        "{}",
        said.stdout
    );
}
