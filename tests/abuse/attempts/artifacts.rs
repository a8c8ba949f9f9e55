//! Artifacts of others, handles that are none, and values that are none.

use wrun::model::failure::FailureKind::*;

use super::{Must::*, Row, try_all};

#[test]
fn only_what_is_declared_is_read_and_written() {
    try_all(ROWS);
}

const ROWS: &[Row] = &[
    (
        "gets an artifact of another step",
        "get hidden",
        Fail(
            Contract,
            "the step `attempt` asked for `hidden`, which is not among its reads",
        ),
    ),
    (
        "gets an artifact of its own that it only writes",
        "get said",
        Fail(
            Contract,
            "the step `attempt` asked for `said`, which is not among its reads",
        ),
    ),
    (
        "gets an artifact that is a parameter",
        "get attempts",
        Fail(
            Contract,
            "the step `attempt` asked for `attempts`, which is not among its reads",
        ),
    ),
    (
        "gets an artifact of a foreach",
        "get items",
        Fail(
            Contract,
            "the step `attempt` asked for `items`, which is not among its reads",
        ),
    ),
    (
        "gets an artifact of another branch",
        "get sum",
        Fail(
            Contract,
            "the step `attempt` asked for `sum`, which is not among its reads",
        ),
    ),
    (
        "gets an artifact by a path",
        "get ../start/hidden",
        Fail(
            Contract,
            "the step `attempt` asked for `../start/hidden`, which is not among its reads",
        ),
    ),
    (
        "gets an artifact by the path of a task",
        "get abuses/1/start/hidden",
        Fail(
            Contract,
            "the step `attempt` asked for `abuses/1/start/hidden`, which is not among its reads",
        ),
    ),
    (
        "gets an artifact by a digest",
        "get <64*0>",
        Fail(Contract, "which is not among its reads"),
    ),
    (
        "gets an artifact by an absolute path",
        "get /etc/passwd",
        Fail(
            Contract,
            "the step `attempt` asked for `/etc/passwd`, which is not among its reads",
        ),
    ),
    (
        "gets an artifact without a name",
        "get ",
        Fail(
            Contract,
            "the step `attempt` asked for ``, which is not among its reads",
        ),
    ),
    (
        "gets an artifact with a long name",
        "get <100000*n>",
        Fail(Contract, "which is not among its reads"),
    ),
    (
        "gets an artifact with NUL",
        "get hidden%00",
        Fail(
            Contract,
            "the step `attempt` asked for `hidden\\0`, which is not among its reads",
        ),
    ),
    (
        "gets an artifact with a look-alike",
        "get h%d1%96dden",
        Fail(
            Contract,
            "the step `attempt` asked for `hіdden`, which is not among its reads",
        ),
    ),
    (
        "opens an artifact of another step",
        "open hidden",
        Fail(
            Contract,
            "the step `attempt` asked for `hidden`, which is not among its reads",
        ),
    ),
    (
        "opens an artifact of its own that it only writes",
        "open said",
        Fail(
            Contract,
            "the step `attempt` asked for `said`, which is not among its reads",
        ),
    ),
    (
        "opens an artifact that is a parameter",
        "open attempts",
        Fail(
            Contract,
            "the step `attempt` asked for `attempts`, which is not among its reads",
        ),
    ),
    (
        "opens an artifact of a foreach",
        "open items",
        Fail(
            Contract,
            "the step `attempt` asked for `items`, which is not among its reads",
        ),
    ),
    (
        "opens an artifact of another branch",
        "open sum",
        Fail(
            Contract,
            "the step `attempt` asked for `sum`, which is not among its reads",
        ),
    ),
    (
        "opens an artifact by a path",
        "open ../start/hidden",
        Fail(
            Contract,
            "the step `attempt` asked for `../start/hidden`, which is not among its reads",
        ),
    ),
    (
        "opens an artifact by the path of a task",
        "open abuses/1/start/hidden",
        Fail(
            Contract,
            "the step `attempt` asked for `abuses/1/start/hidden`, which is not among its reads",
        ),
    ),
    (
        "opens an artifact by a digest",
        "open <64*0>",
        Fail(Contract, "which is not among its reads"),
    ),
    (
        "opens an artifact by an absolute path",
        "open /etc/passwd",
        Fail(
            Contract,
            "the step `attempt` asked for `/etc/passwd`, which is not among its reads",
        ),
    ),
    (
        "opens an artifact without a name",
        "open ",
        Fail(
            Contract,
            "the step `attempt` asked for ``, which is not among its reads",
        ),
    ),
    (
        "opens an artifact with a long name",
        "open <100000*n>",
        Fail(Contract, "which is not among its reads"),
    ),
    (
        "opens an artifact with NUL",
        "open hidden%00",
        Fail(
            Contract,
            "the step `attempt` asked for `hidden\\0`, which is not among its reads",
        ),
    ),
    (
        "opens an artifact with a look-alike",
        "open h%d1%96dden",
        Fail(
            Contract,
            "the step `attempt` asked for `hіdden`, which is not among its reads",
        ),
    ),
    (
        "puts an artifact that it does not declare",
        "put other",
        Fail(
            Contract,
            "the step `attempt` asked for `other`, which is not among its writes",
        ),
    ),
    (
        "puts an artifact of another step",
        "put hidden",
        Fail(
            Contract,
            "the step `attempt` asked for `hidden`, which is not among its writes",
        ),
    ),
    (
        "puts an artifact of another branch",
        "put sum",
        Fail(
            Contract,
            "the step `attempt` asked for `sum`, which is not among its writes",
        ),
    ),
    (
        "puts an artifact that holds its failure",
        "put failed",
        Fail(
            Contract,
            "the step `attempt` asked for `failed`, which is not among its writes",
        ),
    ),
    (
        "puts an artifact by a path",
        "put ../../x",
        Fail(
            Contract,
            "the step `attempt` asked for `../../x`, which is not among its writes",
        ),
    ),
    (
        "puts an artifact without a name",
        "put ",
        Fail(
            Contract,
            "the step `attempt` asked for ``, which is not among its writes",
        ),
    ),
    (
        "puts an artifact with a long name",
        "put <100000*n>",
        Fail(Contract, "which is not among its writes"),
    ),
    (
        "saves an artifact that it does not declare",
        "save other",
        Fail(
            Contract,
            "the step `attempt` asked for `other`, which is not among its writes",
        ),
    ),
    (
        "saves an artifact of another step",
        "save hidden",
        Fail(
            Contract,
            "the step `attempt` asked for `hidden`, which is not among its writes",
        ),
    ),
    (
        "saves an artifact of another branch",
        "save sum",
        Fail(
            Contract,
            "the step `attempt` asked for `sum`, which is not among its writes",
        ),
    ),
    (
        "saves an artifact that holds its failure",
        "save failed",
        Fail(
            Contract,
            "the step `attempt` asked for `failed`, which is not among its writes",
        ),
    ),
    (
        "saves an artifact by a path",
        "save ../../x",
        Fail(
            Contract,
            "the step `attempt` asked for `../../x`, which is not among its writes",
        ),
    ),
    (
        "saves an artifact without a name",
        "save ",
        Fail(
            Contract,
            "the step `attempt` asked for ``, which is not among its writes",
        ),
    ),
    (
        "saves an artifact with a long name",
        "save <100000*n>",
        Fail(Contract, "which is not among its writes"),
    ),
    (
        "writes twice",
        "put-twice",
        Fail(Contract, "the step `attempt` wrote `said` twice"),
    ),
    (
        "writes a media type with a line",
        "media text/plain%0d%0ax: y",
        Fail(Contract, "`text/plain\\r\\nx: y` is not a media type"),
    ),
    (
        "opens a writer of a media type with a line",
        "writer-media text/plain%0d%0ax: y",
        Fail(Contract, "`text/plain\\r\\nx: y` is not a media type"),
    ),
    (
        "writes a media type that is empty",
        "media ",
        Fail(Contract, "`` is not a media type"),
    ),
    (
        "opens a writer of a media type that is empty",
        "writer-media ",
        Fail(Contract, "`` is not a media type"),
    ),
    (
        "writes a media type of 100 kB",
        "media <100000*t>/x",
        Fail(
            Contract,
            "`tttttttttttttttttttttttttttttttttttttttt` is not a media type",
        ),
    ),
    (
        "opens a writer of a media type of 100 kB",
        "writer-media <100000*t>/x",
        Fail(
            Contract,
            "`tttttttttttttttttttttttttttttttttttttttt` is not a media type",
        ),
    ),
    (
        "writes a media type with an escape",
        "media %1b[2J",
        Fail(Contract, "`\\u{1b}[2J` is not a media type"),
    ),
    (
        "opens a writer of a media type with an escape",
        "writer-media %1b[2J",
        Fail(Contract, "`\\u{1b}[2J` is not a media type"),
    ),
    (
        "writes CBOR that is cut off",
        "value 82",
        Fail(Contract, "is not CBOR"),
    ),
    (
        "writes CBOR with a length of 16 EiB",
        "value 5bffffffffffffffff",
        Fail(Contract, "is not CBOR"),
    ),
    (
        "writes CBOR with a list of 16 EiB",
        "value 9bffffffffffffffff",
        Fail(Contract, "is not CBOR"),
    ),
    (
        "writes CBOR with a map of 16 EiB",
        "value bbffffffffffffffff",
        Fail(Contract, "is not CBOR"),
    ),
    (
        "writes CBOR that never ends",
        "value 9f",
        Fail(Contract, "is not CBOR"),
    ),
    (
        "writes CBOR with a reserved head",
        "value 1c",
        Fail(Contract, "is not CBOR"),
    ),
    (
        "writes CBOR with a break",
        "value ff",
        Fail(Contract, "is not CBOR"),
    ),
    (
        "writes CBOR with text that is none",
        "value 62c328",
        Fail(Contract, "is not CBOR"),
    ),
    (
        "writes CBOR with more behind it",
        "value 0000",
        Fail(Contract, "is not CBOR"),
    ),
    (
        "writes CBOR that is empty",
        "value ",
        Fail(Contract, "is not CBOR"),
    ),
    (
        "writes CBOR nested 200 deep",
        "deep-value 200",
        Fail(Contract, "is not CBOR"),
    ),
    (
        "writes CBOR nested 5000 deep",
        "deep-value 5000",
        Fail(Contract, "is not CBOR"),
    ),
    (
        "writes CBOR nested 1000000 deep",
        "deep-value 1000000",
        Fail(Contract, "is not CBOR"),
    ),
    (
        "counts the branches though it joins nothing",
        "inputs",
        Fail(
            Contract,
            "the step `attempt` reads branches, but is not a join",
        ),
    ),
    (
        "reads of a branch though it joins nothing",
        "input 0|said",
        Fail(
            Contract,
            "the step `attempt` reads branches, but is not a join",
        ),
    ),
    (
        "reads of branch 4294967295 though it joins nothing",
        "input 4294967295|said",
        Fail(
            Contract,
            "the step `attempt` reads branches, but is not a join",
        ),
    ),
    (
        "opens of a branch though it joins nothing",
        "input-open 0|hidden",
        Fail(
            Contract,
            "the step `attempt` reads branches, but is not a join",
        ),
    ),
    (
        "asks for the name of a branch though it joins nothing",
        "input-task 0",
        Fail(
            Contract,
            "the step `attempt` reads branches, but is not a join",
        ),
    ),
    (
        "uses a number as a reader",
        "forged-reader 77",
        Fail(Trap, "unknown handle index 77"),
    ),
    (
        "uses nothing as a reader",
        "forged-reader 0",
        Fail(Trap, "unknown handle index 0"),
    ),
    (
        "uses a negative number as a reader",
        "forged-reader -1",
        Fail(Trap, "unknown handle index 4294967295"),
    ),
    (
        "uses a number as a writer",
        "forged-writer 77",
        Fail(Trap, "unknown handle index 77"),
    ),
    (
        "uses a writer as a reader",
        "writer-as-reader",
        Fail(
            Trap,
            "handle index 1 used with the wrong type, expected guest-defi",
        ),
    ),
    (
        "uses a writer that was saved",
        "writer-after-save",
        Fail(Trap, "unknown handle index 1"),
    ),
    (
        "uses a writer that was dropped",
        "writer-dropped-twice",
        Fail(Trap, "unknown handle index 1"),
    ),
    (
        "uses a number to be dropped",
        "forged-drop 99",
        Fail(Trap, "unknown handle index 99"),
    ),
    (
        "writes from behind its memory",
        "wild-pointer 2147483000",
        Fail(Trap, "list pointer/length out of bounds of memory"),
    ),
    (
        "writes from a negative address",
        "wild-pointer -8",
        Fail(Trap, "list pointer/length out of bounds of memory"),
    ),
    (
        "names an artifact in what is no text",
        "no-text",
        Fail(Trap, "invalid utf-8 sequence of 1 bytes from index 0"),
    ),
];
