//! The examples of RFC 8949, and properties.

use std::borrow::Cow;

use proptest::prelude::*;

use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap())
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// RFC 8949, appendix A, table 6: those in deterministic form, with their text.
const STRICT: &[(&str, &str)] = &[
    ("00", "0"),
    ("01", "1"),
    ("0a", "10"),
    ("17", "23"),
    ("1818", "24"),
    ("1819", "25"),
    ("1864", "100"),
    ("1903e8", "1000"),
    ("1a000f4240", "1000000"),
    ("1b000000e8d4a51000", "1000000000000"),
    ("1bffffffffffffffff", "18446744073709551615"),
    ("c249010000000000000000", "18446744073709551616"),
    ("3bffffffffffffffff", "-18446744073709551616"),
    ("c349010000000000000000", "-18446744073709551617"),
    ("20", "-1"),
    ("29", "-10"),
    ("3863", "-100"),
    ("3903e7", "-1000"),
    ("f90000", "0.0"),
    ("f98000", "-0.0"),
    ("f93c00", "1.0"),
    ("fb3ff199999999999a", "1.1"),
    ("f93e00", "1.5"),
    ("f97bff", "65504.0"),
    ("fa47c35000", "100000.0"),
    ("fa7f7fffff", "3.4028234663852886e38"),
    ("fb7e37e43c8800759c", "1e300"),
    ("f90001", "5.960464477539063e-8"),
    ("f90400", "6.103515625e-5"),
    ("f9c400", "-4.0"),
    ("fbc010666666666666", "-4.1"),
    ("f97c00", "Infinity"),
    ("f97e00", "NaN"),
    ("f9fc00", "-Infinity"),
    ("f4", "false"),
    ("f5", "true"),
    ("f6", "null"),
    ("f7", "undefined"),
    ("f0", "simple(16)"),
    ("f8ff", "simple(255)"),
    (
        "c074323031332d30332d32315432303a30343a30305a",
        "0(\"2013-03-21T20:04:00Z\")",
    ),
    ("c11a514b67b0", "1(1363896240)"),
    ("c1fb41d452d9ec200000", "1(1363896240.5)"),
    ("d74401020304", "23(h'01020304')"),
    ("d818456449455446", "24(h'6449455446')"),
    (
        "d82076687474703a2f2f7777772e6578616d706c652e636f6d",
        "32(\"http://www.example.com\")",
    ),
    ("40", "h''"),
    ("4401020304", "h'01020304'"),
    ("60", "\"\""),
    ("6161", "\"a\""),
    ("6449455446", "\"IETF\""),
    ("62225c", "\"\\\"\\\\\""),
    ("62c3bc", "\"\u{fc}\""),
    ("63e6b0b4", "\"\u{6c34}\""),
    ("64f0908591", "\"\u{10151}\""),
    ("80", "[]"),
    ("83010203", "[1, 2, 3]"),
    ("8301820203820405", "[1, [2, 3], [4, 5]]"),
    (
        "98190102030405060708090a0b0c0d0e0f101112131415161718181819",
        "[\n  1,\n  2,\n  3,\n  4,\n  5,\n  6,\n  7,\n  8,\n  9,\n  10,\n  11,\n  12,\n  13,\n  14,\n  15,\n  16,\n  17,\n  18,\n  19,\n  20,\n  21,\n  22,\n  23,\n  24,\n  25\n]",
    ),
    ("a0", "{}"),
    ("a201020304", "{1: 2, 3: 4}"),
    ("a26161016162820203", "{\"a\": 1, \"b\": [2, 3]}"),
    ("826161a161626163", "[\"a\", {\"b\": \"c\"}]"),
    (
        "a56161614161626142616361436164614461656145",
        "{\"a\": \"A\", \"b\": \"B\", \"c\": \"C\", \"d\": \"D\", \"e\": \"E\"}",
    ),
];

/// RFC 8949, appendix A, table 6, and others that are valid: with their deterministic form.
const LOOSE: &[(&str, &str)] = &[
    ("fa7f800000", "f97c00"),
    ("fa7fc00000", "f97e00"),
    ("faff800000", "f9fc00"),
    ("fb7ff0000000000000", "f97c00"),
    ("fb7ff8000000000000", "f97e00"),
    ("fbfff0000000000000", "f9fc00"),
    ("f97e01", "f97e00"),
    ("fbfff8000000000001", "f97e00"),
    ("fb3ff0000000000000", "f93c00"),
    ("fb0000000000000000", "f90000"),
    ("fb8000000000000000", "f98000"),
    ("fa33800000", "f90001"),
    ("fb36a0000000000000", "fa00000001"),
    ("5f42010243030405ff", "450102030405"),
    ("7f657374726561646d696e67ff", "6973747265616d696e67"),
    ("9fff", "80"),
    ("9f018202039f0405ffff", "8301820203820405"),
    ("9f01820203820405ff", "8301820203820405"),
    ("83018202039f0405ff", "8301820203820405"),
    ("83019f0203ff820405", "8301820203820405"),
    (
        "9f0102030405060708090a0b0c0d0e0f101112131415161718181819ff",
        "98190102030405060708090a0b0c0d0e0f101112131415161718181819",
    ),
    ("bf61610161629f0203ffff", "a26161016162820203"),
    ("826161bf61626163ff", "826161a161626163"),
    ("bf6346756ef563416d7421ff", "a263416d74216346756ef5"),
    ("1800", "00"),
    ("1900ff", "18ff"),
    ("1b00000000ffffffff", "1affffffff"),
    ("3800", "20"),
    ("5801ff", "41ff"),
    ("790001 61", "6161"),
    ("980101", "8101"),
    ("b8010102", "a10102"),
    ("d80100", "c100"),
    ("a203040102", "a201020304"),
    ("a2626161016162 02", "a2616202626161 01"),
    ("c240", "00"),
    ("c3420001", "21"),
    ("c24a00010000000000000000", "c249010000000000000000"),
    ("c248ffffffffffffffff", "1bffffffffffffffff"),
    ("c25f4101480000000000000000ff", "c249010000000000000000"),
];

#[test]
fn deterministic_values_are_kept_without_a_copy_and_shown() {
    for (value, text) in STRICT {
        let value = bytes(value);
        assert!(matches!(normalise(&value), Ok(Cow::Borrowed(_))), "{text}");
        assert_eq!(to_text(&value).unwrap(), *text);
        assert_eq!(rewrite::rewrite(&value).unwrap(), value, "{text}");
    }
}

#[test]
fn other_values_get_the_deterministic_form() {
    for (loose, strict) in LOOSE {
        let (loose, strict) = (loose.replace(' ', ""), strict.replace(' ', ""));
        let given = bytes(&loose);
        let made = normalise(&given).unwrap();
        assert!(matches!(made, Cow::Owned(_)), "{loose}");
        assert_eq!(hex(&made), strict, "{loose}");
        assert!(matches!(normalise(&made), Ok(Cow::Borrowed(_))), "{strict}");
    }
}

#[test]
fn what_is_not_one_value_is_refused() {
    let wrong = |hex: &str| normalise(&bytes(hex)).unwrap_err();
    for cut in [
        "",
        "18",
        "1b00",
        "41",
        "61",
        "81",
        "a1",
        "a101",
        "c1",
        "f9",
        "5f",
        "9f",
        "bf",
        "5f41",
        "9bffffffffffffffff",
        "5bffffffffffffffff",
    ] {
        assert!(matches!(wrong(cut), CborError::Truncated { .. }), "{cut}");
    }
    for malformed in [
        "1c",
        "1f",
        "3e",
        "df",
        "ff",
        "f800",
        "f81f",
        "fc",
        "5f01ff",
        "5f6161ff",
        "5f5f4101ffff",
        "bf01ff",
        "c26161",
        "c2c24101",
    ] {
        assert!(
            matches!(wrong(malformed), CborError::Malformed { .. }),
            "{malformed}"
        );
    }
    assert_eq!(wrong("0000"), CborError::Trailing { at: 1, extra: 1 });
    for text in ["61ff", "7f61ffff", "62c328", "7f61c361bcff"] {
        assert!(matches!(wrong(text), CborError::Utf8 { .. }), "{text}");
    }
    for map in [
        "a201000100",
        "a30100020001 00",
        "a21801000100",
        "bf61610061610 0ff",
        "81a2010001f6",
    ] {
        let map = map.replace(' ', "");
        assert!(
            matches!(wrong(&map), CborError::DuplicateKey { .. }),
            "{map}"
        );
    }
}

#[test]
fn depth_is_bounded() {
    for open in ["81", "c1", "9f", "a100"] {
        let mut value = bytes(&open.repeat(MAX_DEPTH));
        value.push(0);
        if open == "9f" {
            value.extend([0xFF; MAX_DEPTH]);
        }
        assert!(normalise(&value).is_ok(), "{open}");
        let deep = bytes(&open.repeat(100_000));
        assert!(
            matches!(normalise(&deep), Err(CborError::TooDeep { .. })),
            "{open}"
        );
    }
}

#[test]
fn elements_of_a_list_are_found() {
    let list = bytes("8301820203820405");
    assert_eq!(list_offsets(&list).unwrap(), [1, 2, 5, 8]);
    assert_eq!(list_offsets(&bytes("9f0120ff")).unwrap(), [1, 2, 3]);
    assert_eq!(list_offsets(&bytes("80")).unwrap(), [1]);
    assert_eq!(list_offsets(&bytes("a0")), Err(CborError::NotAList));
    assert!(list_offsets(&bytes("9bffffffffffffffff00")).is_err());
}

#[test]
fn nothing_that_moves_a_cursor_gets_out() {
    let mut value = vec![0x78, 0];
    value.extend_from_slice("\u{1b}[2J\u{7}\u{202e}x\u{200b}\u{9b}31m\n".as_bytes());
    value[1] = (value.len() - 2) as u8;
    assert_eq!(
        to_text(&value).unwrap(),
        r#""\u{1b}[2J\u{7}\u{202e}x\u{200b}\u{9b}31m\n""#
    );
}

#[test]
fn long_values_are_broken_into_lines() {
    let value = from_json(&serde_json::json!({
        "name": "a rather long name, so that one line is not enough for all of this",
        "list": [1, 2, [3, 4]], "none": null,
    }));
    assert_eq!(
        to_text(&value).unwrap(),
        r#"{
  "list": [1, 2, [3, 4]],
  "name": "a rather long name, so that one line is not enough for all of this",
  "none": null
}"#
    );
}

#[test]
fn json_shows_what_json_has() {
    let json = |hex: &str| to_json(&bytes(hex)).unwrap().to_string();
    assert_eq!(json("a26161016162820203"), r#"{"a":1,"b":[2,3]}"#);
    assert_eq!(
        json("84f97e00f97c00f9fc00f7"),
        r#"["NaN","Infinity","-Infinity",null]"#
    );
    assert_eq!(json("4401020304"), r#""AQIDBA""#);
    assert_eq!(json("42fbff"), r#""-_8""#);
    assert_eq!(json("a1010 2".replace(' ', "").as_str()), r#"{"1":2}"#);
    assert_eq!(json("3bffffffffffffffff"), r#""-18446744073709551616""#);
    assert_eq!(json("c11a514b67b0"), "1363896240");
}

#[test]
fn numbers_of_128_bits_survive() {
    for number in [
        i128::MAX,
        i128::MIN,
        1 << 70,
        -(1 << 70),
        i128::from(u64::MAX),
        0,
        -1,
    ] {
        let mut encoded = Vec::new();
        ciborium::into_writer(&number, &mut encoded).unwrap();
        let made = normalise(&encoded).unwrap();
        assert_eq!(ciborium::from_reader::<i128, _>(&made[..]).unwrap(), number);
        assert_eq!(to_text(&made).unwrap(), number.to_string());
    }
}

fn json_values() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<f32>().prop_map(|f| Value::from(f64::from(f))),
        ".{0,30}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 8, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            proptest::collection::btree_map(".{0,8}", inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn json_comes_back(value in json_values()) {
        let made = from_json(&value);
        prop_assert!(matches!(normalise(&made), Ok(Cow::Borrowed(_))));
        prop_assert_eq!(to_json(&made).unwrap(), value);
    }

    /// The order in which a guest's map gives its entries does not reach the digest.
    #[test]
    fn the_order_of_entries_does_not_matter(
        (map, shuffled) in proptest::collection::btree_map(".{0,6}", any::<i32>(), 0..20)
            .prop_flat_map(|map| {
                let entries: Vec<_> = map.clone().into_iter().collect();
                (Just(map), Just(entries).prop_shuffle())
            })
    ) {
        let loose = ciborium::Value::Map(
            shuffled.into_iter().map(|(k, v)| (k.into(), v.into())).collect(),
        );
        let mut encoded = Vec::new();
        ciborium::into_writer(&loose, &mut encoded).unwrap();
        let strict = from_json(&serde_json::to_value(&map).unwrap());
        let made = normalise(&encoded).unwrap().into_owned();
        prop_assert_eq!(made, strict);
    }

    #[test]
    fn whatever_comes_in_is_normalised_once_or_refused(garbage in proptest::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(once) = normalise(&garbage) {
            prop_assert!(matches!(normalise(&once), Ok(Cow::Borrowed(_))));
            prop_assert!(to_json(&once).is_ok() && to_text(&once).is_ok());
            // Both passes agree on what deterministic means.
            prop_assert_eq!(rewrite::rewrite(&garbage).unwrap(), once.into_owned());
        }
    }

    #[test]
    fn every_half_and_single_is_exact(bits in any::<u32>()) {
        let mut half = vec![0xF9];
        half.extend_from_slice(&(bits as u16).to_be_bytes());
        let again = normalise(&half).unwrap().into_owned();
        prop_assert!(again == half || again == [0xF9, 0x7E, 0]);
        let single = f32::from_bits(bits);
        let mut out = Vec::new();
        head::write_float(f64::from(single), &mut out);
        let back: f64 = ciborium::from_reader(&out[..]).unwrap();
        prop_assert!(back == f64::from(single) || back.is_nan() && single.is_nan());
        prop_assert!(out.len() <= 5);
    }
}
