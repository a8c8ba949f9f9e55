//! What whoever runs a flow could be talked into granting, in every spelling: each is refused when it is said.

use wrun::model::grant::Grant;

#[test]
fn a_grant_has_one_spelling_and_hides_nothing() {
    let mut taken = Vec::new();
    for text in GRANTS {
        if let Ok(grant) = text.parse::<Grant>() {
            taken.push(format!("{text} was taken for {grant}"));
        }
    }
    assert!(taken.is_empty(), "{}", taken.join("\n"));
    eprintln!("{} grants", GRANTS.len());
}

const GRANTS: &[&str] = &[
    "http=http://2852039166",
    "http=http://0xa9fea9fe",
    "http=http://0251.0376.0251.0376",
    "http=http://169.254.43518",
    "http=http://169.254.169.254.",
    "http=http://127.1",
    "http=http://0",
    "http=http://example.com.",
    "http=http://example.com@169.254.169.254",
    "http=http://169.254.169.254#example.com",
    "http=http://example.com/path",
    "http=http://example.com?query",
    "http=http://example.com\\@x",
    "http=http://[fe80::1%25eth0]",
    "http=http://[::1",
    "http=http://::1",
    "http=http://exa mple.com",
    "http=http://example.com:0",
    "http=http://example.com:65536",
    "http=http://example.com:+80",
    "http=http://*.example.com",
    "http=http://*",
    "http=*",
    "http=",
    "http=ftp://example.com",
    "http=file:///etc/passwd",
    "http=unix:///var/run/docker.sock",
    "http=http://b\u{fc}cher.example",
    "http=http://\u{2460}69.254.169.254",
    "http=http://example\u{3002}com",
    "http=http://example.com\r\nx: y",
    "read:=/etc",
    "read:../x=/etc",
    "read:a/b=/etc",
    "read:tmp=/etc",
    "read:.=/etc",
    "read:a\0b=/etc",
    "read:corpus=",
    "env:=x",
    "env:A B=x",
    "env:A=x\0y",
    "secret:",
    "secret:A=x",
    "scratch=",
    "scratch=0",
    "scratch=-1MiB",
    "scratch=99999999999999999999GiB",
    "scratch=5GiB",
    "network",
    "all",
    "*",
    "",
];
