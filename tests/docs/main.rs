//! The documentation: every block of code in it builds or runs, every transcript is what the
//! program says, and the reference of the command line is what the program accepts.
//!
//! A line of Markdown before a block says what is done with it:
//!
//! - `<!-- run -->`: its commands succeed. What stands below a command is what it prints, a line `…`
//!   stands for any lines; where nothing stands, what it prints is not looked at.
//! - `<!-- run: fails -->`: the same, but its last command fails.
//! - `<!-- file: NAME -->`: it is written to this file, for the commands that follow.
//! - `<!-- compile -->`: it is the source of a flow that builds, has no problem and runs.
//! - `<!-- of: FILE -->`: it stands in this file of the repository, word for word, further in or not.
//! - `<!-- shown -->`: nothing; a part of something, or not for a test.
//! - `<!-- do: COMMAND -->`, before one of these: runs first, unseen by the reader.
//!
//! A block that holds Rust or a command of `wrun` must have such a line.
//!
//! `UPDATE=1 cargo test --test docs` writes `docs/cli.md` anew.

#![allow(clippy::unwrap_used, reason = "a test may end at once")]

mod compile;
mod page;
mod reference;
mod shapes;
mod transcript;
mod world;

use std::path::{Path, PathBuf};

use page::Page;
use world::World;

/// The top of this repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files with these endings below `directory`, which is below the root, sorted.
fn files(directory: &str, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut todo = vec![root().join(directory)];
    while let Some(directory) = todo.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                todo.push(path);
            } else if path
                .extension()
                .is_some_and(|it| endings.iter().any(|ending| it == *ending))
            {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The pages below `docs`, the tutorial first: they are one book, read from its beginning.
fn book() -> Vec<Page> {
    let tutorial = root().join("docs/tutorial.md");
    let others = files("docs", &["md"])
        .into_iter()
        .filter(|it| *it != tutorial);
    std::iter::once(tutorial.clone())
        .chain(others)
        .map(|path| Page::read(&path))
        .collect()
}

/// The pages that stand at the top of something.
fn readmes() -> Vec<Page> {
    let top = ["README.md", "guest-sdk/README.md"].map(|path| root().join(path));
    let paths = top.into_iter().chain(files("examples", &["md"]));
    paths.map(|path| Page::read(&path)).collect()
}

#[test]
fn every_block_of_code_is_tested_or_says_that_it_is_not() {
    let silent: Vec<_> = book()
        .into_iter()
        .chain(readmes())
        .flat_map(|page| page.blocks)
        .filter(|block| block.marker.is_none() && block.needs_marker())
        .map(|block| block.at)
        .collect();
    assert!(
        silent.is_empty(),
        "say what is done with the blocks at {silent:#?}"
    );
}

/// The lines without the spaces that all of them begin with.
fn flush(text: &str) -> String {
    let depth = |line: &str| line.len() - line.trim_start().len();
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let least = lines.clone().map(depth).min().unwrap_or(0);
    lines.map(|line| format!("{}\n", &line[least..])).collect()
}

/// Whether the lines of `part` follow each other in `whole`, all further in by the same.
fn stands_in(part: &str, whole: &str) -> bool {
    let part = flush(part);
    let lines: Vec<_> = whole
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let mut windows = lines.windows(part.lines().count());
    !part.is_empty() && windows.any(|window| flush(&window.join("\n")) == part)
}

#[test]
fn what_is_quoted_stands_where_it_is_said_to_be() {
    let blocks = book().into_iter().flat_map(|page| page.blocks);
    for block in blocks {
        if let Some(page::Marker::Of(file)) = &block.marker {
            let whole = std::fs::read_to_string(root().join(file)).unwrap();
            assert!(
                stands_in(&block.text, &whole),
                "{} is not in {file}",
                block.at
            );
        }
    }
}

#[test]
fn every_permission_of_the_template_is_explained() {
    let read = |file: &str| std::fs::read_to_string(root().join(file)).unwrap();
    let (template, guide) = (read("docs/aws/wrun.cfn.yaml"), read("docs/guide/aws.md"));
    let ids = template.lines().filter(|line| line.contains("- Sid: "));
    let mut count = 0;
    for id in ids {
        assert!(
            guide.contains(id.trim()),
            "docs/guide/aws.md says nothing of `{}`",
            id.trim()
        );
        count += 1;
    }
    assert!(count > 10, "only {count} statements in the template");
}

/// The words that follow `wrun` in texts between backticks, or where a line of a transcript begins.
fn named_commands(text: &str) -> Vec<String> {
    let starts = ["`wrun ", "\n$ wrun ", "\"wrun "];
    let places = starts.iter().flat_map(|start| {
        text.match_indices(start)
            .map(move |(at, _)| &text[at + start.len()..])
    });
    let word = |rest: &str| -> String {
        let is_letter = |c: &char| c.is_ascii_lowercase() || *c == '-';
        rest.chars().take_while(is_letter).collect()
    };
    places
        .map(word)
        .filter(|word| word.starts_with(char::is_alphabetic))
        .collect()
}

#[test]
fn no_text_names_a_command_that_does_not_exist() {
    let mut tree = wrun::cli::tree();
    tree.build();
    let mut known: Vec<_> = tree
        .get_subcommands()
        .map(clap::Command::get_name)
        .collect();
    // What cells are started with, and words that begin no command line.
    known.extend(["cell", "engine", "itself"]);
    let places = [
        "src",
        "docs",
        "examples",
        "guest-sdk/src",
        "guest-sdk/macros/src",
    ];
    let files = places
        .iter()
        .flat_map(|place| files(place, &["rs", "md", "txt"]));
    let mut count = 0;
    for file in files.chain([root().join("README.md")]) {
        let text = std::fs::read_to_string(&file).unwrap();
        for name in named_commands(&text) {
            assert!(
                known.contains(&name.as_str()),
                "{}: `wrun {name}`",
                file.display()
            );
            count += 1;
        }
    }
    assert!(count > 100, "only {count} are found");
}

#[test]
fn the_tutorial_and_the_guide_are_true() {
    let mut world = World::new("book");
    let wrong: String = book().iter().map(|page| page.run(&mut world)).collect();
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn the_readmes_are_true() {
    let mut wrong = String::new();
    for page in readmes() {
        let mut world = World::new("readmes");
        world.directory = root().to_owned();
        wrong += &page.run(&mut world);
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn the_readme_of_a_new_flow_is_true() {
    let mut world = World::new("new");
    world.succeeds("wrun new first");
    world.directory = world.directory.join("first");
    let page = Page::read(&world.directory.join("README.md"));
    let commands: Vec<_> = page
        .blocks
        .iter()
        .flat_map(|block| block.commands())
        .collect();
    assert!(commands.len() > 4, "{commands:?}");
    for command in commands {
        world.succeeds(&command.line);
    }
}

#[test]
fn the_flows_in_the_documentation_build_and_run() {
    let blocks: Vec<_> = book()
        .into_iter()
        .chain(readmes())
        .flat_map(|page| page.blocks)
        .filter(|block| block.marker == Some(page::Marker::Compile))
        .collect();
    assert!(blocks.len() > 8, "only {} blocks", blocks.len());
    compile::check(&blocks);
}

#[test]
fn the_reference_of_the_command_line_is_what_the_program_says() {
    let path = root().join("docs/cli.md");
    let text = reference::text();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == text,
        "docs/cli.md is out of date; `UPDATE=1 cargo test --test docs` writes it anew"
    );
}
