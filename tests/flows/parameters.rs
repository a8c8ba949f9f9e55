//! Parameters of every type, right and wrong.

use super::*;

fn line(world: &World, arguments: &[&str]) -> String {
    world.run("typed", arguments).good();
    let line = world.value("typed/latest/only/line");
    line.as_str().unwrap().to_owned()
}

#[test]
fn defaults_stand_in_for_what_is_not_given() {
    let world = World::new();
    let expected = r#"false 1 -1 2 -2 0.5 0.25 plain red [1, 2] ["a"] None None"#;
    assert_eq!(line(&world, &[]), expected);
    // Parameters are artifacts of the run.
    assert_eq!(world.value("typed/1/numbers"), serde_json::json!([1, 2]));
    world
        .wrun(&["get", "typed/1/only/length"])
        .fails(wrun::cli::exit::NOT_FOUND, &["no artifact `length`"]);
}

#[test]
fn every_type_takes_its_values() {
    let world = World::new();
    let data: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 251) as u8).collect();
    world.write("data.bin", &data);
    world.write("page.txt", "first ü\nsecond\n");
    world.write("any.json", r#"{"a": [1, null]}"#);
    let scalars = [
        "--yes",
        "--tiny",
        "255",
        "--deep=-128",
        "--wide",
        "18446744073709551615",
        "--wide-deep=-9223372036854775808",
        "--half",
        "1e3",
        "--quarter=-0.125",
        "--limit",
        "9",
    ];
    let others = [
        "--text",
        "a b ü",
        "--colour",
        "green",
        "--numbers",
        "-3",
        "--numbers",
        "4",
        "--words",
        "x",
        "--any",
        "@any.json",
        "--file",
        "data.bin",
        "--page",
        "page.txt",
    ];
    let expected = r#"true 255 -128 18446744073709551615 -9223372036854775808 1000 -0.125 a b ü green [-3, 4] ["x"] Some("{\"a\":[1,null]}") Some(9)"#;
    assert_eq!(line(&world, &[&scalars[..], &others].concat()), expected);
    assert_eq!(world.value("typed/1/only/first"), "first ü");
    assert_eq!(world.value("typed/1/only/length"), 3_000_000);
    // Files are artifacts too, and keep their bytes.
    world.wrun(&["get", "typed/1/file", "-o", "copy"]).good();
    assert!(std::fs::read(world.path().join("copy")).unwrap() == data);
    let page = world.wrun(&["get", "typed/1/page"]).good().stdout;
    assert_eq!(page, "first ü\nsecond\n");
}

#[test]
fn the_edges_of_types_are_values_too() {
    let world = World::new();
    world.write("empty", "");
    let empty = [
        "--yes=false",
        "--text=",
        "--file",
        "empty",
        "--page",
        "empty",
    ];
    assert!(line(&world, &empty).contains("0.25  red"));
    assert_eq!(world.value("typed/1/only/length"), 0);
    let said = world.run("foreach", &["--width", "4294967296"]);
    insta::assert_snapshot!(world.text(&said), @r"
    error: parameter `width` cannot be `4294967296`: expected a whole number from 0 to 4294967295
      hint: the same with `--help` lists the parameters of the flow
    exit code 2
    ");
}

#[test]
fn all_wrong_parameters_are_named_at_once() {
    let world = World::new();
    world.write("page", [0xff, 0xfe]);
    let scalars = [
        "--yes",
        "maybe",
        "--tiny",
        "256",
        "--deep=-129",
        "--wide",
        "18446744073709551616",
        "--wide-deep",
        "1.5",
        "--half",
        "1e400",
        "--quarter",
        "NaNo",
        "--limit",
        "1",
        "--limit",
        "2",
    ];
    let others = [
        "--colour",
        "blue",
        "--numbers",
        "1",
        "--numbers",
        "two",
        "--any",
        "{",
        "--file",
        "gone.bin",
        "--page",
        "page",
        "--limt",
        "3",
        "stray",
    ];
    let said = world.run("typed", &[&scalars[..], &others].concat());
    insta::assert_snapshot!(world.text(&said), @r#"
    error: 15 things are wrong with the parameters of flow `typed`
      caused by: flow `typed` has no parameter `limt`
      caused by: `stray` is not a parameter: `--name value` is expected
      caused by: parameter `yes` cannot be `maybe`: expected `true` or `false`
      caused by: parameter `tiny` cannot be `256`: expected a whole number from 0 to 255
      caused by: parameter `deep` cannot be `-129`: expected a whole number from -128 to 127
      caused by: parameter `wide` cannot be `18446744073709551616`: expected a whole number from 0 to 18446744073709551615
      caused by: parameter `wide_deep` cannot be `1.5`: expected a whole number from -9223372036854775808 to 9223372036854775807
      caused by: parameter `half` cannot be `1e400`: expected a number that 32 bits can hold
      caused by: parameter `quarter` cannot be `NaNo`: expected a number, e.g. `0.5` or `1e-3`
      caused by: parameter `colour` cannot be `blue`: expected one of `red`, `green`
      caused by: parameter `numbers` cannot be `two`: expected a whole number from -2147483648 to 2147483647
      caused by: parameter `any` cannot be `{`: expected JSON (EOF while parsing an object at line 1 column 1)
      caused by: parameter `limit` is given 2 times
      caused by: parameter `file` cannot be `gone.bin`: expected the path of a file (No such file or directory (os error 2))
      caused by: parameter `page` cannot be `page`: expected the path of a file in UTF-8 (byte 0 of it is not)
      hint: did you mean `--limit`?
      hint: a text that begins with `-` is given as `--name=-text`
      hint: text in JSON has quotes, which the shell needs quoted: `'"text"'`; `@FILE` reads a file
      hint: the same with `--help` lists the parameters of the flow
    exit code 2
    "#);
    assert!(!world.store().exists(), "nothing was begun");
}

#[test]
fn what_is_required_is_asked_for_and_help_lists_what_there_is() {
    let world = World::new();
    let said = world.run("lies", &[]);
    insta::assert_snapshot!(world.text(&said), @r"
    error: 1 required parameter is missing: `--how`
      hint: the same with `--help` lists the parameters of the flow
    exit code 2
    ");
    let help = world.run("typed", &["--help"]).good().stdout;
    let (_, parameters) = help.split_once("Parameters of flow typed:\n").unwrap();
    insta::assert_snapshot!(parameters, @r#"
          --yes [<BOOL>]         A truth value [default: false]
          --tiny <NATURAL>       [default: 1]
          --deep <INTEGER>       [default: -1]
          --wide <NATURAL>       [default: 2]
          --wide_deep <INTEGER>  [default: -2]
          --half <NUMBER>        [default: 0.5]
          --quarter <NUMBER>     [default: 0.25]
          --text <TEXT>          [default: plain]
          --colour <TEXT>        A colour [one of: red, green] [default: red]
          --numbers <INTEGER>    [may be given many times] [default: [1,2]]
          --words <TEXT>         [may be given many times] [default: ["a"]]
          --any <JSON>           [optional]
          --limit <NATURAL>      [optional]
          --file <FILE>          Any file [optional]
          --page <TEXT-FILE>     A file of text [optional]

    Arguments:
      [PATH]  The flow's directory, or its `Cargo.toml`

    Options:
          --module <FILE.wasm>  Use this module instead of building one
          --with <EXECUTOR>     Where attempts are made: `local` or `batch`
      -j, --max-workers <N>     How many tasks run side by side; as many as there are cores when left
                                out
          --seed <SEED>         Where all chance comes from: a number, or `random` for another one each
                                time
          --tag <TAG>           Tag the run; can be given many times
          --allow <GRANT>       Let every step touch one thing more; can be given many times
          --cache               Take results of earlier runs where nothing that they depend on has
                                changed
      -h, --help                Print help, with the parameters of the flow

    Global options:
          --datastore <URL>  Use this datastore: a directory or a URL [env: WRUN_DATASTORE]
          --json             Write data as JSON, and errors too
      -q, --quiet            Say only what went wrong
          --color <WHEN>     When to use colours [default: auto]
    "#);
}
