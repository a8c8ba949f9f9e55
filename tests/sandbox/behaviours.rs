//! One test for each behaviour of the guests.

use wrun::model::failure::{FailureKind, Limit};
use wrun::model::record::{LogChunk, Outcome, Stream};
use wrun::sandbox::Cell;
use wrun::sandbox::call::{Body, Profile, Request, Source};

use crate::harness::*;

/// Makes a test of each behaviour, and a list of all of them.
macro_rules! behaviours {
    ($($name:ident => $test:expr;)*) => {
        $(#[tokio::test] async fn $name() { $test.await })*

        /// In both directions: no behaviour without a test, no test without a behaviour.
        #[tokio::test]
        async fn every_behaviour_has_a_test() {
            let definition = modules().describe(&guests().await).await.expect("they describe themselves");
            let mut there: Vec<_> = definition.steps.iter().map(|step| step.name.as_str()).collect();
            let mut tested = vec![$(stringify!($name)),*];
            there.sort_unstable();
            tested.sort_unstable();
            assert_eq!(there, tested);
        }
    };
}

behaviours! {
    done => outcome("done", Outcome::Done);
    case => outcome("case", Outcome::Case("left".parse().expect("a case")));
    items => outcome("items", Outcome::Items(3));
    case_bad => async {
        let failure = failure_of("case_bad", FailureKind::Contract).await;
        assert!(failure.message.contains("`not a case!`"), "{failure:?}");
    };
    fail => async {
        let failure = failure_of("fail", FailureKind::Error).await;
        assert_eq!(failure.message, "it did not work");
        assert_eq!(failure.causes, ["the outer cause", "the first cause"]);
    };
    fail_fatal => async { failure_of("fail_fatal", FailureKind::Fatal).await; };
    unreachable => async {
        let failure = failure_of("unreachable", FailureKind::Trap).await;
        assert!(failure.message.contains("`unreachable`"), "{failure:?}");
        assert!(failure.backtrace.iter().any(|f| f.starts_with("guests::ends::unreachable")), "{failure:?}");
    };
    divide => async {
        assert_eq!(failure_of("divide", FailureKind::Trap).await.message, "integer divide by zero");
    };
    out_of_bounds => async {
        let failure = failure_of("out_of_bounds", FailureKind::Trap).await;
        assert_eq!(failure.message, "out of bounds memory access");
    };
    panic => async {
        let failure = failure_of("panic", FailureKind::Panic).await;
        assert_eq!(failure.message, "depth 7 is too deep");
        assert!(failure.source.as_deref().is_some_and(|s| s.contains("src/ends.rs:")), "{failure:?}");
        assert_eq!(&failure.backtrace[..2], ["guests::ends::inner", "guests::ends::panics_at"]);
        let machinery = |f: &String| ["std::", "core::", "__"].iter().any(|m| f.starts_with(m));
        assert!(!failure.backtrace.iter().any(machinery), "{failure:?}");
    };
    panic_marked => async {
        let (reply, host) = run(request("panic_marked")).await;
        let failure = reply.result.clone().expect_err("it panics");
        assert_eq!(failure.kind, FailureKind::Panic);
        assert_eq!(failure.message, "marked");
        assert_eq!(failure.source.as_deref(), Some("src/model.rs:12:3"));
        assert_eq!(printed(&reply, &host, Stream::Stderr), "before\n");
    };
    panic_quiet => async { failure_of("panic_quiet", FailureKind::Trap).await; };
    exit_zero => async {
        let failure = failure_of("exit_zero", FailureKind::Contract).await;
        assert!(failure.message.contains("`exit(0)`"), "{failure:?}");
    };
    exit_one => async {
        let failure = failure_of("exit_one", FailureKind::Error).await;
        assert!(failure.message.contains("exit code 1"), "{failure:?}");
    };
    puts_then_traps => async { failure_of("puts_then_traps", FailureKind::Trap).await; };

    spin => spin_is_ended_and_shows_what_it_printed();
    grow => async {
        let failure = failure_of("grow", FailureKind::Limit(Limit::Memory)).await;
        assert_eq!(failure.message, "the step needs more than its 64 MiB of memory");
        assert!(failure.hint.is_some());
    };
    grow_politely => async { assert_eq!(out(request("grow_politely")).await, "refused") };
    // A table with an entry for every function that is called by its address comes with the module.
    fill_table => async {
        let mut request = request("fill_table");
        request.limits.table_elements = 3;
        let failure = failure(request).await;
        assert_eq!(failure.kind, FailureKind::Limit(Limit::Tables), "{failure:?}");
        assert_eq!(failure.message, "the step needs more than 3 table elements");
        assert!(failure.hint.is_some_and(|hint| hint.contains("table-elements")));
    };
    recurse => async {
        for stack_kib in [256, 1024, 16 * 1024] {
            let mut request = request("recurse");
            request.limits.stack_kib = stack_kib;
            let failure = failure(request).await;
            assert_eq!(failure.kind, FailureKind::Limit(Limit::Stack), "{failure:?}");
            assert!(failure.message.contains(&format!("{stack_kib} KiB")), "{failure:?}");
        }
    };
    recurse_wide => async {
        let failure = failure_of("recurse_wide", FailureKind::Limit(Limit::Stack)).await;
        assert!(failure.message.contains("linked"), "{failure:?}");
    };
    many_handles => async {
        let failure = failure_of("many_handles", FailureKind::Limit(Limit::Handles)).await;
        assert!(failure.message.contains("10000"), "{failure:?}");
    };
    big_output => output_is_bounded("big_output");
    big_stream => output_is_bounded("big_stream");

    print_in_order => printing_keeps_its_order();
    flood_stdout => flood_is_ended("flood_stdout");
    flood_log => flood_is_ended("flood_log");
    print_slowly => async {
        let (reply, host) = run(request("print_slowly")).await;
        assert!(!host.logs.is_empty(), "what a long task printed was not sent before its end");
        assert_eq!(printed(&reply, &host, Stream::Stdout), "early\nlate 1\n");
    };
    print_marks => async {
        let (reply, host) = run(request("print_marks")).await;
        let expected = "a\u{1}wrun-panic\u{1}no json\n\u{1}wrun-other\nb\u{1}";
        assert_eq!(printed(&reply, &host, Stream::Stderr), expected);
    };
    progress => async {
        let (_, host) = run(request("progress")).await;
        assert_eq!(host.progress, [(3, 10, "rows".to_owned())]);
    };
    read_stdin => async { assert_eq!(out(request("read_stdin")).await, "Ok(0) \"\"") };

    read_clock => async {
        assert_eq!(out(request("read_clock")).await, "1700000000.000001s 1700000000.000003s 2µs true");
    };
    sleep => async { assert_eq!(out(request("sleep")).await, "3600.000002s") };
    wait_for_clock => async { assert_eq!(out(request("wait_for_clock")).await, "9999") };
    random => chance_follows_from_entropy();
    seed => async {
        let text = out(request("seed")).await;
        assert!(text.contains("flow: \"guests\", run: 42, step: \"seed\", task: \"3.1\""), "{text}");
        assert_eq!(text, out(request("seed")).await);
        let mut other = request("seed");
        other.entropy = [8; 32];
        assert_ne!(text, out(other).await);
    };
    hash_order => async {
        let mut other = request("hash_order");
        other.entropy = [8; 32];
        assert_eq!(out(request("hash_order")).await, out(other).await);
    };
    float_nan => nan_bits_are_canonical_where_asked();
    list_env => async {
        assert_eq!(out(request("list_env")).await, "[] [] Ok(\"/\")");
        let mut granted = request("list_env");
        let variables = [("LANG", "de_DE.UTF-8"), ("TZ", "Asia/Tokyo")];
        granted.granted.environment = variables.map(|(n, v)| (n.to_owned(), v.to_owned())).into();
        let expected = r#"[("LANG", "de_DE.UTF-8"), ("TZ", "Asia/Tokyo")] [] Ok("/")"#;
        assert_eq!(out(granted).await, expected);
    };
    open_file => async {
        denied("open_file").await;
        let (reply, _) = run(request("open_file_and_fail")).await;
        let failure = reply.result.expect_err("it fails");
        let text = format!("{failure:?}");
        assert!(failure.hint.is_some_and(|hint| hint.contains("--allow read:NAME=PATH")), "no hint: {text}");
    };
    open_file_and_fail => async { failure_of("open_file_and_fail", FailureKind::Error).await; };
    write_file => denied("write_file");
    list_directory => denied("list_directory");
    http_asks => an_answer_is_asked_for_and_read();
    http_denied => async {
        let (reply, host) = run(asking("http_denied")).await;
        let failure = reply.result.expect_err("it fails");
        assert_eq!(failure.causes, ["ErrorCode::HttpRequestDenied"]);
        let hint = failure.hint.expect("there is advice");
        assert!(hint.contains("`--allow http=http://other.example.com`"), "{hint}");
        assert!(host.fetched.is_empty());
    };
    http_fields => async {
        let (text, _) = twice(|| asking("http_fields")).await;
        insta::assert_snapshot!(text, @r#"[Err("HeaderError::Forbidden"), Err("HeaderError::InvalidSyntax"), Err("HeaderError::InvalidSyntax"), Ok(()), Ok(())] false [[49], [50]] [true, true, true, true, true, true] (Method::Get, Some(Scheme::Http), Some("Files.Example.com:8080"), Some("/"))"#);
    };
    http_gives_up => async {
        let (text, host) = twice(|| asking("http_gives_up")).await;
        insta::assert_snapshot!(text, @r"
        Err(ErrorCode::HttpProtocolError)
        Err(ErrorCode::HttpRequestBodySize(Some(3)))
        Err(ErrorCode::HttpRequestBodySize(Some(3)))
        Ok(())
        Ok(200)
        Err(ErrorCode::HttpRequestTrailerSectionSize(Some(0)))
        ");
        assert_eq!(host.fetched.len(), 1);
    };
    http_too_long => async {
        let (text, host) = twice(|| asking("http_too_long")).await;
        insta::assert_snapshot!(text, @"Some(ErrorCode::HttpRequestBodySize(Some(16777216))) true Err(ErrorCode::HttpProtocolError) Some(Ok(Err(ErrorCode::HttpProtocolError)))");
        assert!(host.fetched.is_empty());
    };
    http_waits_for_itself => async {
        let (reply, _) = run(asking("http_waits_for_itself")).await;
        let failure = reply.result.expect_err("it never ends");
        assert_eq!(failure.kind, FailureKind::Contract);
        assert!(failure.message.contains("it has not finished"), "{failure:?}");
    };
    http_hoards => async {
        let failure = failure_of("http_hoards", FailureKind::Contract).await;
        assert!(failure.message.contains("more than 1024 headers"), "{failure:?}");
    };
    http_serves => async {
        let failure = failure_of("http_serves", FailureKind::Contract).await;
        assert!(failure.message.contains("for servers"), "{failure:?}");
    };
    scratch_files => scratch_is_a_place_for_files();
    scratch_full => async {
        assert_eq!(twice(|| scratch("scratch_full", 1)).await.0, "104 I/O error (os error 29)");
        assert_eq!(twice(|| scratch("scratch_full", 2)).await.0, "209 I/O error (os error 29)");
    };
    scratch_overflow => async {
        let failure = failure(scratch("scratch_overflow", 1)).await;
        assert_eq!(failure.kind, FailureKind::Error);
        let hint = "`/tmp` has room for 1 MiB: `scratch=…MiB` grants more";
        assert_eq!(failure.hint.as_deref(), Some(hint));
    };
    scratch_fresh => async { assert_eq!(twice(|| scratch("scratch_fresh", 1)).await.0, "\"\"") };
    scratch_escape => async {
        let (text, _) = twice(|| scratch("scratch_escape", 1)).await;
        insta::assert_snapshot!(text, @"PermissionDenied NotFound NotFound NotFound");
    };
    read_directory => directories_are_read_and_listed();
    change_directory => async {
        let (text, _) = twice(|| corpus("change_directory")).await;
        insta::assert_snapshot!(text, @"[ReadOnlyFilesystem, ReadOnlyFilesystem, ReadOnlyFilesystem, ReadOnlyFilesystem, ReadOnlyFilesystem, CrossesDevices]");
    };
    read_in_pieces => async {
        let (text, _) = twice(|| corpus("read_in_pieces")).await;
        let at = |offset: usize, len| format!("{:?}", &pattern(offset as u64, len)[..]);
        let expected = [at(2_999_998, 2), at(0, 4), at(1_500_000, 4)].join(" ");
        assert_eq!(text, format!("{expected} {FILE}"));
    };
    start_thread => async { assert_eq!(out(request("start_thread")).await, "Err(Unsupported)") };

    copy => values_travel_both_ways();
    read_item => async { assert_eq!(out(item(request("read_item"), "element")).await, "element") };
    read_undeclared => undeclared("read_undeclared", "secret");
    open_undeclared => undeclared("open_undeclared", "secret");
    put_undeclared => undeclared("put_undeclared", "other");
    put_twice => undeclared("put_twice", "out");
    put_bad_media => undeclared("put_bad_media", "text/\\u{7}plain");
    pass => async {
        let (reply, _) = run(reads(request("pass"), Some(large(1 << 40)))).await;
        assert_eq!(reply.puts[0].body, Body::Passed(Source::Read(0)));
    };
    branches_undeclared => async {
        let failure = failure(joins(request("branches_undeclared"), 3)).await;
        assert_eq!(failure.kind, FailureKind::Contract);
        assert!(failure.message.contains("`secret`"), "{failure:?}");
    };
    branches_beyond => async {
        let failure = failure(joins(request("branches_beyond"), 3)).await;
        assert_eq!(failure.kind, FailureKind::Contract);
        assert!(failure.message.contains("branch 3"), "{failure:?}");
    };
    not_a_join => undeclared("not_a_join", "not_a_join");
    sum_branches => branches_come_in_few_round_trips();
    name_branches => async {
        let text = out(joins(request("name_branches"), 3)).await;
        assert_eq!(text, r#"["count/0", "count/1", "count/2"] 1000 [245, 246]"#);
    };
    read_everywhere => async {
        let text = out(reads(request("read_everywhere"), Some(large(20_000_003)))).await;
        assert_eq!(text, "application/test");
    };
    stream_copy => async {
        let size = 40_000_001;
        let (reply, host) = run(reads(request("stream_copy"), Some(large(size)))).await;
        assert_eq!(reply.result, Ok(Outcome::Done));
        assert_eq!(host.body(&reply, "out"), pattern(0, size));
        assert!(reply.peak_memory < 16 << 20, "memory grew with the artifact: {}", reply.peak_memory);
    };
    stream_read => async {
        let text = out(reads(request("stream_read"), Some(large(32 << 20)))).await;
        assert!(text.starts_with("33554432 "), "{text}");
    };
    stream_write => async {
        let (reply, host) = run(item(request("stream_write"), "24")).await;
        assert_eq!(host.body(&reply, "out").len(), 24 << 20);
    };
    small_writes => async {
        let text = out(request("small_writes")).await;
        assert!(text.lines().eq((0..300_000).map(|i| i.to_string())));
    };
    drop_writer => async { assert_eq!(out(request("drop_writer")).await, "nothing else") };
    get_large => async {
        let text = out(reads(request("get_large"), Some(large(10_000_000)))).await;
        assert_eq!(text, "10000000 None");
        let failure = failure(reads(request("get_large"), Some(large(1 << 33)))).await;
        assert_eq!(failure.kind, FailureKind::Limit(Limit::Memory));
        assert!(failure.message.contains("`in` has 8192 MiB"), "{failure:?}");
    };
}

async fn outcome(step: &str, expected: Outcome) {
    assert_eq!(run(request(step)).await.0.result, Ok(expected));
}

async fn undeclared(step: &str, name: &str) {
    let failure = failure_of(step, FailureKind::Contract).await;
    assert!(
        failure.message.contains(&format!("`{name}`")),
        "{failure:?}"
    );
    assert!(failure.hint.is_some(), "{failure:?}");
}

async fn denied(step: &str) {
    let text = out(request(step)).await;
    assert!(text.starts_with("Err("), "{text}");
}

async fn spin_is_ended_and_shows_what_it_printed() {
    let mut request = request("spin");
    request.limits.timeout_ms = 1_500;
    let mut host = Memory::of(&request);
    let mut cell = cell().await;
    let reply = cell.run(request, &mut host).await.expect("a reply");
    let failure = reply.result.clone().expect_err("it is ended");
    assert_eq!(failure.kind, FailureKind::Limit(Limit::Time));
    assert_eq!(failure.message, "the step took longer than 1500 ms");
    assert!(!cell.is_alive());
    assert_eq!(printed(&reply, &host, Stream::Stdout), "spinning\n");
}

async fn output_is_bounded(step: &str) {
    let mut request = request(step);
    request.limits.output_mib = 2;
    let failure = failure(request).await;
    assert_eq!(failure.kind, FailureKind::Limit(Limit::Output));
    assert_eq!(
        failure.message,
        "the step wrote more than 2 MiB of artifacts"
    );
}

async fn flood_is_ended(step: &str) {
    let mut request = request(step);
    request.limits.log_kib = 200;
    let (reply, host) = run(request).await;
    let failure = reply.result.clone().expect_err("it is ended");
    assert_eq!(failure.kind, FailureKind::Limit(Limit::Log));
    let all: usize = host
        .logs
        .iter()
        .chain(&reply.logs)
        .map(|chunk| chunk.bytes.len())
        .sum();
    assert!((150 << 10..=200 << 10).contains(&all), "{all}");
}

async fn printing_keeps_its_order() {
    let (reply, host) = run(request("print_in_order")).await;
    assert!(host.logs.is_empty(), "a short task has one message");
    let chunk = |stream, text: &'static str| LogChunk {
        stream,
        bytes: text.into(),
    };
    let expected = [
        chunk(Stream::Stdout, "one\n"),
        chunk(Stream::Stderr, "two\n"),
        chunk(Stream::Log, "warn three\n"),
        chunk(Stream::Stdout, "four\n"),
    ];
    assert_eq!(reply.logs, expected);
}

/// Two cells, and twice in one of them: all the same; other entropy, other numbers.
async fn chance_follows_from_entropy() {
    let mut one: Cell = cell().await;
    let mut texts = Vec::new();
    for _ in 0..2 {
        let mut host = Memory::default();
        let reply = one
            .run(request("random"), &mut host)
            .await
            .expect("a reply");
        texts.push(host.body(&reply, "out"));
    }
    texts.push(out(request("random")).await.into());
    assert!(texts.iter().all(|text| *text == texts[0]), "{texts:?}");
    let mut other = request("random");
    other.entropy = [8; 32];
    assert_ne!(out(other).await, texts[0]);
}

async fn nan_bits_are_canonical_where_asked() {
    let profile = Profile {
        portable_floats: true,
        ..Profile::default()
    };
    let mut cell = Cell::spawn(&launcher()).await.expect("a cell starts");
    cell.load(&guests_for(profile).await)
        .await
        .expect("the guests load");
    let mut request = request("float_nan");
    request.profile = profile;
    let mut host = Memory::default();
    let reply = cell.run(request, &mut host).await.expect("a reply");
    assert_eq!(host.body(&reply, "out"), "7ff8000000000000");
}

async fn values_travel_both_ways() {
    for size in [0, 1, 1000, 300_000, 5_000_000] {
        let bytes = pattern(0, size);
        let (reply, host) = run(reads(request("copy"), Some(given(bytes.clone())))).await;
        assert_eq!(host.body(&reply, "out"), bytes);
        let inline = matches!(reply.puts[0].body, Body::Bytes(_));
        assert_eq!(inline, size < 256 << 10, "{size}");
        assert_eq!(host.questions, 0);
    }
    assert_eq!(out(reads(request("copy"), None)).await, "nothing");
}

async fn branches_come_in_few_round_trips() {
    let count = 100_000;
    let (reply, host) = run(joins(request("sum_branches"), count)).await;
    let byte = |index| match branch(index) {
        Some(given) => u64::from(given.bytes.map_or(0, |bytes| bytes[0])),
        None => 0,
    };
    let sum: u64 = (0..count).map(byte).sum();
    assert_eq!(host.body(&reply, "out"), sum.to_string());
    assert!(host.questions < 20, "{} questions", host.questions);
}

/// The same whenever and wherever: a second attempt in the same cell finds what the first one found.
async fn twice(request: impl Fn() -> Request) -> (String, Memory) {
    let mut cell = cell().await;
    let mut results = Vec::new();
    for _ in 0..2 {
        let mut host = Memory::of(&request());
        let reply = cell.run(request(), &mut host).await.expect("a reply");
        assert_eq!(reply.result, Ok(Outcome::Done), "{reply:?}");
        let text = String::from_utf8(host.body(&reply, "out").to_vec()).expect("text");
        results.push((text, host));
    }
    let (first, (text, host)) = (results.remove(0), results.remove(0));
    assert_eq!(first.0, text);
    assert_eq!(first.1.looked, host.looked);
    (text, host)
}

async fn an_answer_is_asked_for_and_read() {
    let (text, host) = twice(|| asking("http_asks")).await;
    insta::assert_snapshot!(text, @r#"[true, true, true, true, true, true, true] [1] 200 [("content-type", [116, 101, 120, 116, 47, 112, 108, 97, 105, 110])] 2500000 bytes in 3 pieces"#);
    let [fetch] = &host.fetched[..] else {
        panic!("it asks once: {:?}", host.fetched);
    };
    assert_eq!(
        (fetch.method.as_str(), fetch.target.as_str()),
        ("POST", "/size/2500000?q")
    );
    assert_eq!(fetch.origin.as_str(), "http://files.example.com:8080");
    assert_eq!(fetch.fields, [("x-name".to_owned(), "value".into())]);
    assert_eq!(
        (&fetch.body[..], fetch.patience.answer),
        (&b"the body"[..], Some(5))
    );
}

async fn scratch_is_a_place_for_files() {
    let (text, host) = twice(|| scratch("scratch_files", 1)).await;
    insta::assert_snapshot!(text, @r#"
    /tmp/work /tmp/work/a /tmp/work/b /tmp/work/c /tmp/work/deep
    aaa more
    [98, 98, 0, 0, 101, 110, 100] 2
    ccc
    /tmp/work/a /tmp/work/b /tmp/work/deep /tmp/work/deep/moved /tmp/work/twin
    SystemTime { tv_sec: 0, tv_nsec: 0 } true
    Uncategorized
    AlreadyExists
    NotFound
    ""
    "#);
    assert_eq!(host.questions, 0, "scratch files are the cell's own");
}

async fn directories_are_read_and_listed() {
    let (text, host) = twice(|| corpus("read_directory")).await;
    insta::assert_snapshot!(text, @r"
    /corpus/a.txt /corpus/sub /corpus/sub/b.txt
    /corpus/a.txt 3000000 3000000 374995128 SystemTime { tv_sec: 0, tv_nsec: 0 }
    /corpus/sub/b.txt 3000000 3000000 374995128 SystemTime { tv_sec: 0, tv_nsec: 0 }
    /corpus/none NotFound
    /corpus/a.txt/x NotADirectory
    /other/a.txt NotFound
    ");
    insta::assert_snapshot!(host.looked.join("\n"), @r"
    Stat 0/
    List 0/
    Stat 0/a.txt
    Stat 0/sub
    List 0/sub
    Stat 0/sub/b.txt
    Open 0/a.txt
    Open 0/sub/b.txt
    Stat 0/none
    Stat 0/a.txt/x
    ");
}
