use proptest::prelude::*;

use super::*;
use crate::model::failure::FailureKind;

const TOKEN: &str = "s3cr3t-t0k3n/of+ada";

fn redactor() -> Redactor {
    Redactor::new([("TOKEN", TOKEN), ("PIN", "4711")])
}

fn hidden(text: &str) -> String {
    let mut text = text.to_owned();
    redactor().text(&mut text);
    text
}

#[test]
fn names_take_the_places_of_values() {
    assert_eq!(hidden("nothing"), "nothing");
    assert_eq!(
        hidden(&format!("a {TOKEN} b 4711{TOKEN}")),
        "a secret:TOKEN b secret:PINsecret:TOKEN"
    );
    assert_eq!(hidden("t=s3cr3t-t0k3n%2Fof%2Bada&x"), "t=secret:TOKEN&x");
    // `Basic` over a name and the token: the group that both share keeps one digit of each.
    assert_eq!(
        hidden("Basic YWRhOnMzY3IzdC10MGszbi9vZithZGE="),
        "Basic YWRhOnsecret:TOKENE="
    );
}

#[test]
fn what_breaks_off_within_a_secret_is_hidden() {
    assert_eq!(
        hidden("at the end s3cr3t-t0k3n/of+ad"),
        "at the end secret:TOKEN"
    );
    assert_eq!(hidden("at the end s3cr"), "at the end s3cr");
}

#[test]
fn every_text_of_a_failure_is_searched() {
    let mut failure = Failure::new(FailureKind::Panic, TOKEN).with_hint(TOKEN);
    failure.causes = vec![TOKEN.to_owned()];
    failure.source = Some(TOKEN.to_owned());
    failure.backtrace = vec![TOKEN.to_owned()];
    redactor().failure(&mut failure);
    let text = format!("{failure:?}");
    assert!(!text.contains(TOKEN), "{text}");
    assert_eq!(text.matches("secret:TOKEN").count(), 5);
}

#[test]
fn without_secrets_everything_stays() {
    let none = Redactor::default();
    assert_eq!(none.bytes(b"s3cr3t"), &b"s3cr3t"[..]);
    assert_eq!(none.find(b"s3cr3t"), None);
    let chunk = chunk(Stream::Stdout, b"s3cr3t");
    assert_eq!(
        Printed::default().after(&none, vec![chunk.clone()]),
        [chunk]
    );
}

#[test]
fn short_values_are_hidden_and_not_refused() {
    assert_eq!(redactor().find(b"the year 4711"), None);
    assert_eq!(redactor().find(TOKEN.as_bytes()), Some("secret:TOKEN"));
}

fn chunk(stream: Stream, bytes: &[u8]) -> LogChunk {
    LogChunk {
        stream,
        bytes: Bytes::copy_from_slice(bytes),
    }
}

fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just(TOKEN.to_owned()),
        Just("4711".to_owned()),
        Just(TOKEN[..12].to_owned()),
        Just("s3cr3t%2Ft0k3n".to_owned()),
        "[a-z0-9/ ]{0,8}",
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn pieces_are_hidden_as_the_whole_is(text in texts(), cuts in proptest::collection::vec(0..200_usize, 0..6)) {
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let (redactor, mut printed, mut search) = (redactor(), Printed::default(), Search::default());
        let (mut shown, mut found) = (Vec::new(), None);
        for pair in cuts.windows(2) {
            let piece = &text.as_bytes()[pair[0]..pair[1]];
            shown.extend(printed.after(&redactor, vec![chunk(Stream::Log, piece)]));
            found = found.or(search.piece(&redactor, piece));
        }
        shown.extend(printed.rest(&redactor));
        let shown: Vec<u8> = shown.iter().flat_map(|chunk| chunk.bytes.to_vec()).collect();
        prop_assert_eq!(&shown[..], &redactor.bytes(text.as_bytes())[..]);
        prop_assert!(!String::from_utf8_lossy(&shown).contains(TOKEN));
        prop_assert_eq!(found, redactor.find(text.as_bytes()));
    }
}
