use super::*;
use crate::model::sketch;

fn example() -> FlowGraph {
    let mut definition = sketch::definition(
        "
        param parts: u32
        start > each shards: count ; docs Cuts the corpus. ; w shards: Vec<S>
        count > total ; docs Counts one shard. ; item S ; retry 2 100
        total join > fit ; docs Adds the counts up.
        fit > train & check
        train > both ; catch oops
        check > both
        both join > judge
        judge > by route: again = fit, stop = end max 5 ; w route: R
        end",
    );
    definition.docs = "Counts words.\n\nAnd more.".into();
    FlowGraph::new(&definition).unwrap()
}

#[test]
fn the_drawing_for_the_terminal() {
    println!("@@@T\n{}@@@", text(&example()));
}

#[test]
fn mermaid_of_the_example() {
    println!("@@@M\n{}@@@", mermaid(&example()));
}

#[test]
fn dot_of_the_example() {
    println!("@@@D\n{}@@@", dot(&example()));
}

#[test]
fn svg_of_the_example() {
    std::fs::write("/tmp/example.svg", svg(&example())).unwrap();
}
