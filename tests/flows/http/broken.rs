//! Answers that are none: cut off, not HTTP, too large, or never coming to an end.

use super::*;

/// What the server of the next test answers.
fn broken(asked: &Asked) -> Vec<u8> {
    let path = asked.line.split(' ').nth(1).unwrap();
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    match path {
        "/short" => b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello".to_vec(),
        "/cut-chunk" => format!("{chunked}5\r\nhel").into_bytes(),
        "/no-last-chunk" => format!("{chunked}5\r\nhello\r\n").into_bytes(),
        "/bad-chunk" => format!("{chunked}zz\r\nhello\r\n0\r\n\r\n").into_bytes(),
        "/nothing" => Vec::new(),
        "/half-head" => b"HTTP/1.1 200 OK\r\ncontent-".to_vec(),
        "/not-http" => b"220 mail.example.com ESMTP\r\n".to_vec(),
        "/upgrade" => b"HTTP/1.1 101 Switching Protocols\r\nupgrade: chat\r\n\r\n".to_vec(),
        "/two-lengths" => {
            b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!".to_vec()
        }
        "/long-header" => {
            let long = format!("x-long: {}", "x".repeat(100 << 10));
            answer("200 OK", &[&long], b"")
        }
        "/many-fields" => {
            let lines: Vec<String> = (0..200).map(|n| format!("x-{n}: 1")).collect();
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            answer("200 OK", &lines, b"")
        }
        "/too-large" => answer("200 OK", &[], &vec![0; (1 << 20) + 1]),
        "/too-large-in-chunks" => {
            let mut all = chunked.as_bytes().to_vec();
            for _ in 0..20 {
                all.extend(format!("{:x}\r\n", 64 << 10).into_bytes());
                all.extend(vec![0; 64 << 10]);
                all.extend(b"\r\n");
            }
            all.extend(b"0\r\n\r\n");
            all
        }
        "/just-fits" => answer("200 OK", &[], &vec![0; 1 << 20]),
        "/silence" => Vec::new(),
        "/silence-in-it" => b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello".to_vec(),
        other => panic!("{other}"),
    }
}

const BROKEN: [&str; 14] = [
    "/short",
    "/cut-chunk",
    "/no-last-chunk",
    "/bad-chunk",
    "/nothing",
    "/half-head",
    "/not-http",
    "/upgrade",
    "/two-lengths",
    "/long-header",
    "/many-fields",
    "/too-large",
    "/too-large-in-chunks",
    "/just-fits",
];

#[test]
fn an_answer_that_is_none_says_why_each_in_its_way() {
    let (world, server) = (World::new(), Server::start(broken));
    world.write("wrun.toml", "limits.answer = \"1MiB\"");
    let mut all = String::new();
    for path in BROKEN {
        let url = format!("{}{path}", server.origin());
        let said = ask(&world, &[&server.origin()], &[&url], &["--quiet"]);
        all += &format!("{path}\n{}\n", world.text(&said));
    }
    let all = all.replace(&server.address().to_string(), "[server]");
    insta::assert_snapshot!(all, @r"
    /short
    fetches/1/start/- failed: error: `GET http://[server]/short` has no answer: the connection ended before the answer did
        caused by: the connection ended in the answer, after 5 bytes of its body
    exit code 1
    /cut-chunk
    fetches/2/start/- failed: error: `GET http://[server]/cut-chunk` has no answer: the connection ended before the answer did
        caused by: the connection ended in the answer, after 3 bytes of its body
    exit code 1
    /no-last-chunk
    fetches/3/start/- failed: error: `GET http://[server]/no-last-chunk` has no answer: the connection ended before the answer did
        caused by: the connection ended in the answer, after 5 bytes of its body
    exit code 1
    /bad-chunk
    fetches/4/start/- failed: error: `GET http://[server]/bad-chunk` has no answer: what was answered is not HTTP
        caused by: the body of the answer is not HTTP: error reading a body from connection: Invalid chunk size line: missing size digit
    exit code 1
    /nothing
    fetches/5/start/- failed: error: `GET http://[server]/nothing` has no answer: the connection ended before the answer did
        caused by: the connection ended before there was an answer: connection closed before message completed
    exit code 1
    /half-head
    fetches/6/start/- failed: error: `GET http://[server]/half-head` has no answer: the connection ended before the answer did
        caused by: the connection ended before there was an answer: connection closed before message completed
    exit code 1
    /not-http
    fetches/7/start/- failed: error: `GET http://[server]/not-http` has no answer: what was answered is not HTTP
        caused by: what was answered is not HTTP: invalid HTTP version parsed
    exit code 1
    /upgrade
    fetches/8/start/- failed: error: `GET http://[server]/upgrade` has no answer: what was answered is not HTTP
        caused by: it wants to speak another protocol, which nobody has asked for
    exit code 1
    /two-lengths
    fetches/9/start/- failed: error: `GET http://[server]/two-lengths` has no answer: what was answered is not HTTP
        caused by: what was answered is not HTTP: invalid content-length parsed
    exit code 1
    /long-header
    fetches/10/start/- failed: error: `GET http://[server]/long-header` has no answer: it is larger than is allowed
        caused by: the header of the answer has more than 128 fields or 64 KiB
    exit code 1
    /many-fields
    fetches/11/start/- failed: error: `GET http://[server]/many-fields` has no answer: it is larger than is allowed
        caused by: the header of the answer has more than 128 fields or 64 KiB
    exit code 1
    /too-large
    fetches/12/start/- failed: error: `GET http://[server]/too-large` has no answer: it is larger than is allowed (1048576 bytes)
        caused by: its body has more than 1 MiB (`limits.answer`)
    exit code 1
    /too-large-in-chunks
    fetches/13/start/- failed: error: `GET http://[server]/too-large-in-chunks` has no answer: it is larger than is allowed (1048576 bytes)
        caused by: its body has more than 1 MiB (`limits.answer`)
    exit code 1
    /just-fits
    exit code 0
    ");
    // Why there was none is recorded as well.
    drop(server);
    world.wrun(&["replay", "fetches/1"]).good();
    world.wrun(&["replay", "fetches/12"]).good();
}

#[test]
fn silence_has_an_end_that_of_the_settings_or_that_of_the_step() {
    let (world, server) = (World::new(), Server::start(broken));
    let mut all = String::new();
    world.write("wrun.toml", "limits.answer-time = \"300ms\"");
    for path in ["/silence", "/silence-in-it"] {
        let url = format!("{}{path}", server.origin());
        let said = ask(&world, &[&server.origin()], &[&url], &["--quiet"]);
        all += &format!("{path}\n{}\n", world.text(&said));
    }
    world.write("wrun.toml", "");
    for path in ["/silence", "/silence-in-it"] {
        let url = format!("{}{path}", server.origin());
        let more = ["--patience-ms", "200", "--quiet"];
        let said = ask(&world, &[&server.origin()], &[&url], &more);
        all += &format!("{path}\n{}\n", world.text(&said));
    }
    let all = all.replace(&server.address().to_string(), "[server]");
    insta::assert_snapshot!(all, @r"
    /silence
    fetches/1/start/- failed: error: `GET http://[server]/silence` has no answer: it did not come in time
        caused by: there was no answer in time: all of it may take 300ms (`limits.answer-time`)
    exit code 1
    /silence-in-it
    fetches/2/start/- failed: error: `GET http://[server]/silence-in-it` has no answer: it did not come in time
        caused by: the answer did not go on in time: all of it may take 300ms (`limits.answer-time`)
    exit code 1
    /silence
    fetches/3/start/- failed: error: `GET http://[server]/silence` has no answer: it did not come in time
        caused by: there was no answer within 200ms, as long as the step waits
    exit code 1
    /silence-in-it
    fetches/4/start/- failed: error: `GET http://[server]/silence-in-it` has no answer: it did not come in time
        caused by: the answer did not go on within 200ms, as long as the step waits
    exit code 1
    ");
}

#[test]
fn a_step_can_go_on_without_an_answer_and_a_replay_knows_that_there_was_none() {
    let (world, server) = (World::new(), Server::start(broken));
    let origin = server.origin();
    world.write("wrun.toml", "limits.answer = \"1MiB\"");
    let nobody = {
        let gone = Server::start(texts);
        gone.origin()
    };
    let urls = [
        format!("{nobody}/"),
        "https://example.com/".to_owned(),
        "https://nobody.invalid/".to_owned(),
        format!("{origin}/short"),
        format!("{origin}/not-http"),
        format!("{origin}/too-large"),
        format!("{}/", origin.replace("http:", "https:")),
    ];
    let encrypted = origin.replace("http:", "https:");
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let granted = [&origin, &nobody, "https://nobody.invalid", &encrypted];
    ask(&world, &granted, &urls, &["--tell", "true"]).good();
    let expected = serde_json::json!([
        "Refused",
        "Denied",
        "UnknownHost",
        "BrokenOff",
        "NotHttp",
        "TooLarge",
        "Untrusted",
    ]);
    assert_eq!(world.value("fetches/1/start/lines"), expected);
    drop(server);
    world.wrun(&["replay", "fetches/1"]).good();
}
