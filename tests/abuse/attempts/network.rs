//! Hosts in every spelling, answers that are none, and requests that would be two.

use wrun::model::failure::FailureKind::*;

use super::{Must::*, Row, try_all};

#[test]
fn nobody_is_asked_who_was_not_granted() {
    try_all(ROWS);
}

const ROWS: &[Row] = &[
    (
        "asks the metadata of a cloud",
        "ask http://169.254.169.254|/latest",
        Say("ErrorCode::HttpRequestDenied"),
    ),
    (
        "asks it in decimal",
        "ask http://2852039166|/latest",
        Say("ErrorCode::HttpRequestUriInvalid"),
    ),
    (
        "asks it in hexadecimal",
        "ask http://0xa9fea9fe|/latest",
        Say("ErrorCode::HttpRequestUriInvalid"),
    ),
    (
        "asks it in octal",
        "ask http://0251.0376.0251.0376|/latest",
        Say("ErrorCode::HttpRequestUriInvalid"),
    ),
    (
        "asks it in a long octal",
        "ask http://0000251.0000376.0000251.0000376|/latest",
        Say("ErrorCode::HttpRequestUriInvalid"),
    ),
    (
        "asks it in a mixture",
        "ask http://0xa9.254.0251.254|/latest",
        Say("ErrorCode::HttpRequestUriInvalid"),
    ),
    (
        "asks it in three parts",
        "ask http://169.254.43518|/latest",
        Say("ErrorCode::HttpRequestUriInvalid"),
    ),
    (
        "asks it in two parts",
        "ask http://169.16689662|/latest",
        Say("ErrorCode::HttpRequestUriInvalid"),
    ),
    (
        "asks it with a trailing dot",
        "ask http://169.254.169.254.|/latest",
        Say("ErrorCode::HttpRequestUriInvalid"),
    ),
    (
        "asks it beyond 32 bits",
        "ask http://7147006462|/latest",
        Say("ErrorCode::HttpRequestUriInvalid"),
    ),
    (
        "asks it as IPv6",
        "ask http://[::ffff:169.254.169.254]|/latest",
        Say("ErrorCode::HttpRequestDenied"),
    ),
    (
        "asks it as IPv6 in hexadecimal",
        "ask http://[::ffff:a9fe:a9fe]|/latest",
        Say("ErrorCode::HttpRequestDenied"),
    ),
    (
        "asks it as compatible IPv6",
        "ask http://[::169.254.169.254]|/latest",
        Say("ErrorCode::HttpRequestDenied"),
    ),
    (
        "asks it by 6to4",
        "ask http://[2002:a9fe:a9fe::]|/latest",
        Say("ErrorCode::HttpRequestDenied"),
    ),
    (
        "asks it by NAT64",
        "ask http://[64:ff9b::169.254.169.254]|/latest",
        Say("ErrorCode::HttpRequestDenied"),
    ),
    (
        "asks it by Teredo",
        "ask http://[2001:0:a9fe:a9fe::]|/latest",
        Say("ErrorCode::HttpRequestDenied"),
    ),
    (
        "asks it by ISATAP",
        "ask http://[fe80::5efe:169.254.169.254]|/latest",
        Say("ErrorCode::HttpRequestDenied"),
    ),
    (
        "asks the metadata over IPv6",
        "ask http://[fd00:ec2::254]|/latest",
        Say("ErrorCode::HttpRequestDenied"),
    ),
    (
        "asks with a zone",
        "ask http://[fe80::1%25eth0]|/latest",
        Say("ErrorCode::HttpRequestUriInvalid"),
    ),
    (
        "asks with a zone as it is",
        "ask http://[fe80::1%lo]|/latest",
        Say("ErrorCode::HttpRequestUriInvalid"),
    ),
    (
        "asks a name for it",
        "ask http://metadata.google.internal|/latest",
        Say("ErrorCode::HttpRequestDenied"),
    ),
    (
        "asks another cloud",
        "ask http://100.100.100.200|/latest",
        Say("ErrorCode::HttpRequestDenied"),
    ),
    (
        "asks the tasks' credentials",
        "ask http://169.254.170.2|/latest",
        Say("ErrorCode::HttpRequestDenied"),
    ),
    (
        "asks another name for it",
        "ask http://instance-data|/latest",
        Say("ErrorCode::HttpRequestDenied"),
    ),
    (
        "asks circled digits",
        "ask http://%e2%91%a0%e2%91%a5%e2%91%a8.254.169.254|/latest",
        Say("ErrorCode::HttpRequestUriInvalid"),
    ),
    (
        "asks full-width digits",
        "ask http://%ef%bc%91%ef%bc%96%ef%bc%99.254.169.254|/latest",
        Say("ErrorCode::HttpRequestUriInvalid"),
    ),
    (
        "asks ideographic dots",
        "ask http://169%e3%80%82254%e3%80%82169%e3%80%82254|/latest",
        Say("ErrorCode::HttpRequestUriInvalid"),
    ),
    (
        "asks percent signs",
        "ask http://%2531%2536%2539.254.169.254|/latest",
        Say("ErrorCode::HttpRequestUriInvalid"),
    ),
    (
        "asks an address as a user",
        "ask http://example.com@169.254.169.254|/latest",
        Say("ErrorCode::HttpRequestUriInvalid"),
    ),
    (
        "asks a user as an address",
        "ask http://169.254.169.254@example.com|/latest",
        Say("ErrorCode::HttpRequestUriInvalid"),
    ),
    (
        "asks a fragment",
        "ask http://example.com#@169.254.169.254|/latest",
        Say("ErrorCode::HttpRequestUriInvalid"),
    ),
    (
        "asks a backslash",
        "ask http://example.com\\@169.254.169.254|/latest",
        Say("ErrorCode::HttpRequestUriInvalid"),
    ),
    (
        "asks a tab",
        "ask http://169.254.169%09.254|/latest",
        Say("ErrorCode::HttpRequestUriInvalid"),
    ),
    (
        "asks a blank",
        "ask http://169.254.169.254 |/latest",
        Say("ErrorCode::HttpRequestUriInvalid"),
    ),
    (
        "asks a NUL",
        "ask http://169.254.169.254%00.example.com|/latest",
        Say("ErrorCode::HttpRequestUriInvalid"),
    ),
    (
        "asks a port of nothing",
        "ask http://169.254.169.254:|/latest",
        Say("ErrorCode::HttpRequestUriInvalid"),
    ),
    (
        "asks a port of zero",
        "ask http://169.254.169.254:0|/latest",
        Say("ErrorCode::HttpRequestUriInvalid"),
    ),
    (
        "asks a port that is too large",
        "ask http://169.254.169.254:65616|/latest",
        Say("ErrorCode::HttpRequestUriInvalid"),
    ),
    (
        "asks a port with a sign",
        "ask http://169.254.169.254:+80|/latest",
        Say("ErrorCode::HttpRequestUriInvalid"),
    ),
    (
        "asks two ports",
        "ask http://169.254.169.254:80:80|/latest",
        Say("ErrorCode::HttpRequestUriInvalid"),
    ),
    (
        "asks this machine",
        "ask http://127.0.0.1|/latest",
        Say("ErrorCode::HttpRequestDenied"),
    ),
    (
        "asks this machine in short",
        "ask http://127.1|/latest",
        Say("ErrorCode::HttpRequestUriInvalid"),
    ),
    (
        "asks this machine as nothing",
        "ask http://0.0.0.0|/latest",
        Say("ErrorCode::HttpRequestDenied"),
    ),
    (
        "asks this machine as 0",
        "ask http://0|/latest",
        Say("ErrorCode::HttpRequestUriInvalid"),
    ),
    (
        "asks this machine over IPv6",
        "ask http://[::1]|/latest",
        Say("ErrorCode::HttpRequestDenied"),
    ),
    (
        "asks this machine as nothing over IPv6",
        "ask http://[::]|/latest",
        Say("ErrorCode::HttpRequestDenied"),
    ),
    (
        "asks this machine elsewhere",
        "ask http://127.255.255.254:$P|/latest",
        Say("ErrorCode::HttpRequestDenied"),
    ),
    (
        "asks this machine by its name",
        "ask http://localhost|/latest",
        Say("ErrorCode::HttpRequestDenied"),
    ),
    (
        "asks a name below it",
        "ask http://x.localhost:$P|/latest",
        Say("ErrorCode::HttpRequestDenied"),
    ),
    (
        "asks punycode",
        "ask http://xn--localhost-.example|/latest",
        Say("ErrorCode::HttpRequestDenied"),
    ),
    (
        "asks a name of many parts",
        "ask http://<200*a.>example|/latest",
        Say("ErrorCode::HttpRequestUriInvalid"),
    ),
    (
        "asks a name of one long part",
        "ask http://<64*a>.example|/latest",
        Say("ErrorCode::HttpRequestUriInvalid"),
    ),
    (
        "asks nobody",
        "ask http://|/latest",
        Say("ErrorCode::HttpRequestUriInvalid"),
    ),
    (
        "asks by another scheme",
        "ask https://127.0.0.1:$P|/",
        Say("ErrorCode::HttpRequestDenied"),
    ),
    (
        "asks another port",
        "ask http://127.0.0.1:1|/",
        Say("ErrorCode::HttpRequestDenied"),
    ),
    (
        "asks the granted name of this machine",
        "ask http://localhost:$P|/",
        Say("ErrorCode::DestinationIpProhibited"),
    ),
    (
        "asks the granted name in capitals",
        "ask http://LOCALHOST:$P|/",
        Say("ErrorCode::DestinationIpProhibited"),
    ),
    (
        "asks the granted one, so that others are refused and not all",
        "ask http://127.0.0.1:$P|/",
        Say("answer 200 None hello"),
    ),
    (
        "follows a redirection",
        "ask http://127.0.0.1:$P|/away",
        Say("answer 302 Some(\"http://169.254.169.254/latest\") "),
    ),
    (
        "is given a second answer in the first",
        "ask http://127.0.0.1:$P|/twice",
        Say("answer 200 None ok"),
    ),
    (
        "is given two lengths",
        "ask http://127.0.0.1:$P|/lengths",
        Say("ErrorCode::HttpProtocolError"),
    ),
    (
        "is given a length and chunks",
        "ask http://127.0.0.1:$P|/both",
        Say("answer 200 None abc"),
    ),
    (
        "is given a folded field",
        "ask http://127.0.0.1:$P|/folded",
        Say("ErrorCode::HttpProtocolError"),
    ),
    (
        "is given another protocol",
        "ask http://127.0.0.1:$P|/upgrade",
        Say("ErrorCode::HttpProtocolError"),
    ),
    (
        "is given a header of 100 KiB",
        "ask http://127.0.0.1:$P|/header",
        Say("ErrorCode::HttpResponseHeaderSectionSize(None)"),
    ),
    (
        "is given 500 fields",
        "ask http://127.0.0.1:$P|/fields",
        Say("ErrorCode::HttpResponseHeaderSectionSize(None)"),
    ),
    (
        "is given a chunk of 16 EiB",
        "ask http://127.0.0.1:$P|/chunk",
        Say("ErrorCode::HttpResponseIncomplete"),
    ),
    (
        "is given less than was promised",
        "ask http://127.0.0.1:$P|/short",
        Say("ErrorCode::HttpResponseIncomplete"),
    ),
    (
        "is given noise",
        "ask http://127.0.0.1:$P|/noise",
        Say("ErrorCode::HttpProtocolError"),
    ),
    (
        "is given more than the limit",
        "ask http://127.0.0.1:$P|/large",
        Say("ErrorCode::HttpResponseBodySize(Some(1048576))"),
    ),
    (
        "waits without end",
        "patience http://127.0.0.1:$P",
        Say("Ok(()) ErrorCode::HttpResponseTimeout"),
    ),
    (
        "sends a second request in the path",
        "ask http://127.0.0.1:$P|/ HTTP/1.1%0d%0ahost: x%0d%0a%0d%0aGET /",
        Say("no path"),
    ),
    (
        "sends a blank in the path",
        "ask http://127.0.0.1:$P|/a b",
        Say("no path"),
    ),
    (
        "sends a fragment",
        "ask http://127.0.0.1:$P|/a#b",
        Say("no path"),
    ),
    (
        "sends a path that is none",
        "ask http://127.0.0.1:$P|a",
        Say("no path"),
    ),
    (
        "sends an absolute path as a URL",
        "ask http://127.0.0.1:$P|http://169.254.169.254/",
        Say("no path"),
    ),
    (
        "sends NUL in the path",
        "ask http://127.0.0.1:$P|/a%00b",
        Say("no path"),
    ),
    (
        "sends an authority in the path",
        "ask http://127.0.0.1:$P|//169.254.169.254/",
        Say("answer 200 None hello"),
    ),
    (
        "sends the method of tunnels",
        "method http://127.0.0.1:$P|CONNECT",
        Say("no method"),
    ),
    (
        "sends a method with a blank",
        "method http://127.0.0.1:$P|GET /x",
        Say("no method"),
    ),
    (
        "sends a method with a line",
        "method http://127.0.0.1:$P|GET%0d%0aX",
        Say("no method"),
    ),
    (
        "sends no method",
        "method http://127.0.0.1:$P|",
        Say("no method"),
    ),
    (
        "sends a method of 10 kB",
        "method http://127.0.0.1:$P|<10000*A>",
        Say("no method"),
    ),
    ("asks by files", "scheme file", Say("Err(())")),
    ("asks by gopher", "scheme gopher", Say("Err(())")),
    (
        "sends another host",
        "field http://127.0.0.1:$P|host|169.254.169.254",
        Say("HeaderError::Forbidden"),
    ),
    (
        "sends another length",
        "field http://127.0.0.1:$P|content-length|0",
        Say("answer 200 None hello"),
    ),
    (
        "sends chunks",
        "field http://127.0.0.1:$P|transfer-encoding|chunked",
        Say("HeaderError::Forbidden"),
    ),
    (
        "sends its own connection",
        "field http://127.0.0.1:$P|connection|keep-alive",
        Say("HeaderError::Forbidden"),
    ),
    (
        "sends an upgrade",
        "field http://127.0.0.1:$P|upgrade|h2c",
        Say("HeaderError::Forbidden"),
    ),
    (
        "sends settings of another protocol",
        "field http://127.0.0.1:$P|http2-settings|x",
        Say("HeaderError::Forbidden"),
    ),
    (
        "sends a proxy's field",
        "field http://127.0.0.1:$P|proxy-connection|x",
        Say("HeaderError::Forbidden"),
    ),
    (
        "sends a proxy's password",
        "field http://127.0.0.1:$P|proxy-authorization|Basic eDp5",
        Say("HeaderError::Forbidden"),
    ),
    (
        "sends trailers",
        "field http://127.0.0.1:$P|te|trailers",
        Say("HeaderError::Forbidden"),
    ),
    (
        "sends what trailers there will be",
        "field http://127.0.0.1:$P|trailer|x",
        Say("HeaderError::Forbidden"),
    ),
    (
        "sends an expectation",
        "field http://127.0.0.1:$P|expect|100-continue",
        Say("HeaderError::Forbidden"),
    ),
    (
        "sends a line in a value",
        "field http://127.0.0.1:$P|x|a%0d%0ahost: b",
        Say("HeaderError::InvalidSyntax"),
    ),
    (
        "sends a return in a value",
        "field http://127.0.0.1:$P|x|a%0db",
        Say("HeaderError::InvalidSyntax"),
    ),
    (
        "sends a NUL in a value",
        "field http://127.0.0.1:$P|x|a%00b",
        Say("HeaderError::InvalidSyntax"),
    ),
    (
        "sends a blank in a name",
        "field http://127.0.0.1:$P|a b|c",
        Say("HeaderError::InvalidSyntax"),
    ),
    (
        "sends a colon in a name",
        "field http://127.0.0.1:$P|a:b|c",
        Say("HeaderError::InvalidSyntax"),
    ),
    (
        "sends a line in a name",
        "field http://127.0.0.1:$P|a%0d%0ab|c",
        Say("HeaderError::InvalidSyntax"),
    ),
    (
        "sends no name",
        "field http://127.0.0.1:$P||c",
        Say("HeaderError::InvalidSyntax"),
    ),
    (
        "sends an umlaut in a name",
        "field http://127.0.0.1:$P|%c3%bc|c",
        Say("HeaderError::InvalidSyntax"),
    ),
    (
        "sends a value of 100 KiB",
        "field http://127.0.0.1:$P|x|<100000*v>",
        Fail(
            Contract,
            "the step made a header of more than 128 fields or 64 KiB",
        ),
    ),
    (
        "sends 500 fields",
        "fields http://127.0.0.1:$P|500|v",
        Fail(
            Contract,
            "the step made a header of more than 128 fields or 64 KiB",
        ),
    ),
    (
        "sends fields of 1 MB",
        "fields http://127.0.0.1:$P|100|<10000*v>",
        Fail(
            Contract,
            "the step made a header of more than 128 fields or 64 KiB",
        ),
    ),
    (
        "sends more than it promises",
        "body http://127.0.0.1:$P|1|GET / HTTP/1.1",
        Say("ErrorCode::HttpRequestBodySize(Some(14))"),
    ),
    (
        "sends less than it promises",
        "body http://127.0.0.1:$P|1000|x",
        Say("ErrorCode::HttpRequestBodySize(Some(1))"),
    ),
    (
        "promises a length that is none",
        "body http://127.0.0.1:$P|-1|x",
        Say("answer 200 None hello"),
    ),
];
