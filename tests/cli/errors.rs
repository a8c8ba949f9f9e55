//! What is not there, or cannot be, is said with what to type next and an exit code.

use crate::bench::Env;

#[test]
fn what_is_not_there_is_named_with_what_is() {
    let env = Env::with_runs();
    insta::assert_snapshot!(env.wrun(&["show", "wordcuont/1"]), @r"
    --- stderr
    error: flow `wordcuont` has no runs
      caused by: there are runs of `fit`, `wordcount`
      hint: did you mean `wordcount`?
    --- exit code 4
    ");
    insta::assert_snapshot!(env.wrun(&["show", "wordcount/9"]), @r"
    --- stderr
    error: run `wordcount/9` does not exist
      caused by: the newest run of the flow is `wordcount/2`
      hint: `wrun runs wordcount` lists them
    --- exit code 4
    ");
    insta::assert_snapshot!(env.wrun(&["show", "7"]), @r"
    --- stderr
    error: run `7` of which flow?
      caused by: there are `fit`, `wordcount`
      hint: name it, as in `fit/7`
    --- exit code 2
    ");
    insta::assert_snapshot!(env.wrun(&["logs", "wordcount/1/cuont"]), @r"
    --- stderr
    error: run `wordcount/1` has no task of step `cuont`
      caused by: it has tasks of `start`, `count`, `total`
      hint: did you mean `count`?
    --- exit code 4
    ");
    insta::assert_snapshot!(env.wrun(&["show", "wordcount/1/count/9"]), @r"
    --- stderr
    error: step `count` of run `wordcount/1` has no task `9`
      caused by: it has `0`, `1`, `2`
    --- exit code 4
    ");
    insta::assert_snapshot!(env.wrun(&["get", "wordcount/1/count"]), @r"
    --- stderr
    error: step `count` of run `wordcount/1` has 3 tasks
      caused by: it has `0`, `1`, `2`
      hint: name one of them, as in `wordcount/1/count/0`
    --- exit code 2
    ");
    insta::assert_snapshot!(env.wrun(&["get", "wordcount/1/total"]), @r"
    --- stderr
    error: task `wordcount/1/total/-` has 3 artifacts
      caused by: they are `page`, `raw`, `big`
      hint: name one, as in `wordcount/1/total/-/page`
    --- exit code 2
    ");
    insta::assert_snapshot!(env.wrun(&["get", "wordcount/1/total/pgae"]), @r"
    --- stderr
    error: task `wordcount/1/total/-` has no artifact `pgae`
      caused by: it wrote `page`, `raw`, `big`
      hint: did you mean `page`?
    --- exit code 4
    ");
    insta::assert_snapshot!(env.wrun(&["get", "fit/1/fit/model"]), @r"
    --- stderr
    error: task `fit/1/fit/-` has no artifact `model`
      caused by: it failed, and what fails writes nothing
      hint: `wrun show fit/1/fit/-` says why
    --- exit code 4
    ");
    insta::assert_snapshot!(env.wrun(&["get", "fit"]), @r"
    --- stderr
    error: which artifact of run `fit/1`?
      caused by: it has tasks of `start`, `fit`
      hint: name it, as in `wrun get fit/1/STEP/ARTIFACT`
      hint: `wrun show fit/1/STEP` lists the artifacts of a step
    --- exit code 2
    ");
}

#[test]
fn without_a_datastore_the_way_to_one_is_shown() {
    let env = Env::empty();
    insta::assert_snapshot!(env.wrun(&["runs"]), @r"
    --- stderr
    error: there is no datastore at `[dir]/.wrun`
      hint: `wrun run` in a flow's directory makes one; `--datastore URL` looks elsewhere
    --- exit code 4
    ");
    insta::assert_snapshot!(env.wrun(&["runs", "--json"]), @r#"
    --- stderr
    {"version":1,"error":{"kind":"not_found","exit_code":4,"message":"there is no datastore at `[dir]/.wrun`","causes":[],"hints":["`wrun run` in a flow's directory makes one; `--datastore URL` looks elsewhere"]}}
    --- exit code 4
    "#);
    insta::assert_snapshot!(env.wrun(&["runs", "--datastore", "gs://x"]), @r"
    --- stderr
    error: `gs://x` has a scheme that is not known; a directory, `file://` and `s3://` are
      hint: `--datastore` takes a directory or `s3://bucket/prefix`
    --- exit code 2
    ");
}

#[test]
fn a_wrong_command_line_is_a_usage_error() {
    let env = Env::empty();
    insta::assert_snapshot!(env.wrun(&["shwo"]), @r"
    --- stderr
    error: unrecognized subcommand 'shwo'

      tip: a similar subcommand exists: 'show'

    Usage: wrun [OPTIONS] <COMMAND>

    For more information, try '--help'.
    --- exit code 2
    ");
    insta::assert_snapshot!(env.wrun(&["show", "--josn", "--json"]), @r#"
    --- stderr
    {"version":1,"error":{"kind":"usage","exit_code":2,"message":"unexpected argument '--josn' found","causes":[],"hints":["a similar argument exists: '--json'"]}}
    --- exit code 2
    "#);
    insta::assert_snapshot!(env.wrun(&["show", "a//b"]), @r"
    --- stderr
    error: invalid value 'a//b' for '[RUN[/STEP[/TASK]]]': `a//b` names nothing: `flow/run/step/task/artifact` is expected, or a beginning of it

    For more information, try '--help'.
    --- exit code 2
    ");
    insta::assert_snapshot!(env.wrun(&["tag", "--add", "9"]), @r"
    --- stderr
    error: invalid value '9' for '--add <TAG>': tag `9` has the character '9'; letters, digits, `_` and `-` are allowed, and a letter comes first

    For more information, try '--help'.
    --- exit code 2
    ");
}

#[test]
fn what_is_no_flow_is_said_to_be_none() {
    let env = Env::empty();
    std::fs::write(env.path().join("notes.txt"), "not a module").unwrap();
    let text = env.wrun(&["check", "--module", "notes.txt"]);
    assert!(
        text.code == 7 && text.err.contains("the module is not WebAssembly"),
        "{text}"
    );
    let missing = env.wrun(&["check", "--module", "none.wasm"]);
    assert!(
        missing.code == 4 && missing.err.contains("could not read the module"),
        "{missing}"
    );
    let nowhere = env.wrun(&["check", "nowhere"]);
    assert!(
        nowhere.code == 4 && nowhere.err.contains("`wrun new my-flow`"),
        "{nowhere}"
    );
}

#[test]
fn help_lists_the_exit_codes() {
    let env = Env::empty();
    insta::assert_snapshot!(env.wrun(&["exit-codes"]), @r"
    code  name          meaning
       0  ok            all went well
       1  run_failed    the run ended badly: a task failed for good
       2  usage         the command line is wrong: an unknown flag, a value of the wrong type, a missing one
       3  build_failed  the flow could not be built
       4  not_found     what was asked for does not exist
       5  damaged       something at rest is damaged, or newer than this version of wrun
       6  unavailable   the datastore, a file or a tool that is needed cannot be used
       7  invalid_flow  the module is not a flow, or the flow has errors
       8  internal      wrun itself is at fault
       9  different     what was executed again, or compared, is not the same, or has no end
     130  cancelled     the run was cancelled
    ");
    assert!(env.wrun(&["help", "exit-codes"]).out.contains("run_failed"));
}

#[test]
fn manual_and_completions_are_printed() {
    let env = Env::empty();
    assert!(env.wrun(&["man"]).out.contains(".TH wrun 1"));
    assert_eq!(env.wrun(&["man", "--dir", "pages"]).code, 0);
    let page = std::fs::read_to_string(env.path().join("pages/wrun-show.1")).unwrap();
    assert!(page.contains("Show what a run, a step or a task did"));
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let done = env.wrun(&["completions", shell]);
        assert!(
            done.code == 0 && done.out.contains("COMPLETE"),
            "{shell}: {done}"
        );
    }
}
