//! Requests over HTTP: granted, made, recorded, and replayed when nobody answers any more.

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
    let path = asked.line.split(' ').nth(1).unwrap();
    match path {
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
