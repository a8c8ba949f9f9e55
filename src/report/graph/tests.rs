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
    insta::assert_snapshot!(text(&example()), @r#"
    sketch  Counts words.
      --parts <u32>

    ● start        Cuts the corpus.
    ├─ each of shards
    │  ● count     [2 retries] Counts one shard.
    ◉ total        [joins start] Adds the counts up.
    ├─ loop of fit
    │  ● fit
    │  ├─ branch 1 of 2
    │  │  ● train  [catches oops]
    │  ├─ branch 2 of 2
    │  │  ● check
    │  ◉ both      [joins fit]
    │  ◇ judge     [again → fit, stop → end; at most 5 turns]
    ● end
    "#);
}

#[test]
fn mermaid_of_the_example() {
    insta::assert_snapshot!(mermaid(&example()), @r#"
    flowchart TD
        s0["start<br/><small>Cuts the corpus.</small>"]
        s1["count<br/><small>Counts one shard.</small>"]
        s2(["total<br/><small>Adds the counts up.</small>"])
        s3["fit"]
        s4["train"]
        s5["check"]
        s6(["both"])
        s7{"judge"}
        s8["end"]
        s0 -->|"each of shards"| s1
        s1 --> s2
        s2 --> s3
        s3 --> s4
        s3 --> s5
        s4 --> s6
        s5 --> s6
        s6 --> s7
        s7 -.->|"again"| s3
        s7 -->|"stop"| s8
    "#);
}

#[test]
fn dot_of_the_example() {
    insta::assert_snapshot!(dot(&example()), @r#"
    digraph "sketch" {
        node [shape=box, style=rounded, fontname="sans-serif"];
        edge [fontname="sans-serif", fontsize=10];
        s0 [label="start\nCuts the corpus."];
        s1 [label="count\nCounts one shard."];
        s2 [label="total\nAdds the counts up.", shape=ellipse, style=""];
        s3 [label="fit"];
        s4 [label="train"];
        s5 [label="check"];
        s6 [label="both", shape=ellipse, style=""];
        s7 [label="judge", shape=diamond, style=""];
        s8 [label="end"];
        s0 -> s1 [label="each of shards"];
        s1 -> s2;
        s2 -> s3;
        s3 -> s4;
        s3 -> s5;
        s4 -> s6;
        s5 -> s6;
        s6 -> s7;
        s7 -> s3 [label="again", style=dashed, constraint=false];
        s7 -> s8 [label="stop"];
    }
    "#);
}

/// A flow of one step whose author means harm.
fn hostile() -> FlowGraph {
    let mut definition = sketch::definition("only");
    let evil = "</text><script>alert(1)</script>\u{1b}[2J \"]; x -> y [\\\" %%{init}%% `&amp;\u{202e}\u{ffff}";
    definition.docs = evil.into();
    definition.steps[0].docs = evil.into();
    FlowGraph::new(&definition).unwrap()
}

#[test]
fn what_an_author_wrote_is_only_ever_text() {
    let graph = hostile();
    for picture in [text(&graph), mermaid(&graph), dot(&graph), svg(&graph)] {
        assert!(
            !picture.contains('\u{1b}') && !picture.contains('\u{202e}'),
            "{picture}"
        );
    }
    let drawn = svg(&graph);
    assert!(drawn.contains("&lt;/text&gt;&lt;script&gt;"), "{drawn}");
    assert!(
        !drawn.contains("<script") && !drawn.contains('\u{ffff}'),
        "{drawn}"
    );
    insta::assert_snapshot!(mermaid(&graph), @r#"
    flowchart TD
        s0["only<br/><small>#60;#47;text#62;#60;script#62;alert#40;1#41;#60;#47;script#62;#91;2J #34;#93;#59; x -#62; y #91;#92;#34; #37;#37;#123;init#125;#37;#8230;</small>"]
    "#);
    assert!(
        dot(&graph).contains(r#"[2J \"]; x -> y [\\\" %%"#),
        "{}",
        dot(&graph)
    );
}

#[test]
fn long_docs_are_shortened() {
    let mut definition = sketch::definition("only");
    definition.steps[0].docs = "word ".repeat(100_000);
    let graph = FlowGraph::new(&definition).unwrap();
    for picture in [text(&graph), mermaid(&graph), dot(&graph), svg(&graph)] {
        assert!(picture.contains('…') || picture.contains("#8230;"));
        assert!(picture.len() < 4000);
    }
}

/// The boxes of an SVG picture: left, top, width, height.
fn boxes(svg: &str) -> Vec<[i64; 4]> {
    let number = |line: &str, key: &str| {
        let rest = line.split_once(&format!(" {key}=\"")).unwrap().1;
        rest.split_once('"').unwrap().0.parse().unwrap()
    };
    let lines = svg
        .lines()
        .filter(|line| line.starts_with("<rect class=\"box"));
    lines
        .map(|line| ["x", "y", "width", "height"].map(|key| number(line, key)))
        .collect()
}

#[test]
fn boxes_of_a_picture_stand_apart_and_inside_it() {
    let mut definition = sketch::definition(
        "
        s > a & b & c & d
        a > by r: x = e, y = f, z = j1 ; w r: R
        b > e2
        c > e2b
        d > j
        e > j1
        f > j1
        j1 > j
        e2 > j
        e2b > j
        j join > end
        end",
    );
    definition.steps[3].docs = "A step with quite a lot to say about itself.".into();
    let svg = svg(&FlowGraph::new(&definition).unwrap());
    let boxes = boxes(&svg);
    assert_eq!(boxes.len(), definition.steps.len());
    let size = svg
        .split_once("viewBox=\"0 0 ")
        .unwrap()
        .1
        .split_once('"')
        .unwrap()
        .0;
    let (width, height) = size.split_once(' ').unwrap();
    let (width, height): (i64, i64) = (width.parse().unwrap(), height.parse().unwrap());
    for (i, [x, y, w, h]) in boxes.iter().enumerate() {
        assert!(
            *x >= 0 && *y >= 0 && x + w <= width && y + h <= height,
            "box {i} is inside"
        );
        for [x2, y2, w2, h2] in &boxes[i + 1..] {
            let apart = x + w <= *x2 || x2 + w2 <= *x || y + h <= *y2 || y2 + h2 <= *y;
            assert!(apart, "box {i} is covered: {boxes:?}");
        }
    }
}

#[test]
fn a_picture_stands_alone_and_is_the_same_every_time() {
    let picture = svg(&example());
    assert_eq!(picture, svg(&example()));
    assert_eq!(
        picture.matches("<svg").count(),
        picture.matches("</svg>").count()
    );
    assert_eq!(
        picture.matches("<text").count(),
        picture.matches("</text>").count()
    );
    let fetched = ["href", "url(http", "@import", "<image", "<script"];
    assert!(fetched.iter().all(|word| !picture.contains(word)));
    assert!(picture.contains("prefers-color-scheme:dark"));
    assert_eq!(
        picture.matches("class=\"line turn\"").count(),
        1,
        "one edge leads back"
    );
}

#[test]
fn large_flows_have_pictures() {
    let mut sketched = String::from("s > ");
    let width = 1000;
    sketched += &(0..width)
        .map(|i| format!("b{i}"))
        .collect::<Vec<_>>()
        .join(" & ");
    for i in 0..width {
        sketched += &format!("\nb{i} > c{i}\nc{i} > j");
    }
    sketched += "\nj join";
    let wide = sketch::graph(&sketched);
    let long: String = (0..2000)
        .map(|i| format!("s{i} > by r: x = s{}, y = end ; w r: R\n", i + 1))
        .collect();
    let long = sketch::graph(&(long + "s2000 > end\nend"));
    for graph in [wide, long] {
        let steps = graph.steps().len();
        assert!(text(&graph).lines().count() >= steps);
        assert!(mermaid(&graph).lines().count() > 2 * steps - 2);
        assert!(dot(&graph).lines().count() > 2 * steps - 2);
        assert!(boxes(&svg(&graph)).len() == steps);
    }
}
