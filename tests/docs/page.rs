//! A page of Markdown as its blocks of code, each with what is done with it.

use std::path::Path;

use crate::transcript;
use crate::world::World;

/// What is done with a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Marker {
    /// Its commands succeed.
    Run,
    /// Its last command fails, those before it succeed.
    RunFails,
    /// It is written to this file.
    File(String),
    /// It is the source of a flow.
    Compile,
    /// It stands in this file.
    Of(String),
    /// Nothing.
    Shown,
}

impl Marker {
    fn of(text: &str) -> Option<Self> {
        Some(match text {
            "run" => Self::Run,
            "run: fails" => Self::RunFails,
            "compile" => Self::Compile,
            "shown" => Self::Shown,
            other => match other.strip_prefix("of: ") {
                Some(file) => Self::Of(file.to_owned()),
                None => Self::File(other.strip_prefix("file: ")?.to_owned()),
            },
        })
    }
}

/// A command, and the lines that stand below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// What is typed.
    pub line: String,
    /// What it prints; empty when that is not said.
    pub prints: Vec<String>,
}

/// A block of code.
#[derive(Clone, Debug)]
pub struct Block {
    /// The file and the line in which it begins.
    pub at: String,
    /// The word behind the fence.
    pub language: String,
    /// What is done with it, if that is said.
    pub marker: Option<Marker>,
    /// Commands that run before.
    pub before: Vec<String>,
    /// What is in it.
    pub text: String,
}

impl Block {
    /// Whether it holds what a test could be wrong about.
    pub fn needs_marker(&self) -> bool {
        let is_wrun = |line: &str| line.trim_start_matches("$ ").starts_with("wrun ");
        self.language.starts_with("rust") || self.text.lines().any(is_wrun)
    }

    /// Its commands: the lines behind `$`, or all lines when there are none.
    pub fn commands(&self) -> Vec<Command> {
        let prompted = self.text.lines().any(|line| line.starts_with("$ "));
        let mut commands: Vec<Command> = Vec::new();
        for line in self.text.lines() {
            let typed = match prompted {
                true => line.strip_prefix("$ "),
                false => Some(line),
            };
            match (typed, commands.last_mut()) {
                (Some(line), _) => commands.push(Command {
                    line: line.to_owned(),
                    prints: Vec::new(),
                }),
                (None, Some(command)) => command.prints.push(line.to_owned()),
                (None, None) => panic!("{}: begins with what a command prints", self.at),
            }
        }
        commands
    }

    fn run(&self, world: &mut World) -> String {
        for command in &self.before {
            world.succeeds(command);
        }
        match &self.marker {
            Some(Marker::File(name)) => {
                std::fs::write(world.directory.join(name), &self.text).unwrap();
                String::new()
            }
            Some(Marker::Run) => self.run_commands(world, false),
            Some(Marker::RunFails) => self.run_commands(world, true),
            Some(Marker::Compile | Marker::Of(_) | Marker::Shown) | None => String::new(),
        }
    }

    fn run_commands(&self, world: &mut World, fails: bool) -> String {
        let commands = self.commands();
        let mut wrong = String::new();
        for (position, command) in commands.iter().enumerate() {
            let should_fail = fails && position + 1 == commands.len();
            let (good, printed) = world.types(&command.line);
            let as_it_should = if good == should_fail {
                Err(format!("ended {}", if good { "well" } else { "badly" }))
            } else {
                transcript::compare(&command.prints, &printed)
            };
            if let Err(what) = as_it_should {
                let line = &command.line;
                wrong += &format!("{}: `{line}` {what}; it printed\n{printed}\n", self.at);
            }
        }
        wrong
    }
}

/// A page.
#[derive(Clone, Debug)]
pub struct Page {
    /// Its blocks, in order.
    pub blocks: Vec<Block>,
}

impl Page {
    /// Reads a page.
    pub fn read(path: &Path) -> Self {
        let name = path.strip_prefix(crate::root()).unwrap_or(path).display();
        let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut blocks = Vec::new();
        let (mut marker, mut before) = (None, Vec::new());
        let mut lines = (1..).zip(text.lines());
        while let Some((number, line)) = lines.next() {
            let at = format!("{name}:{number}");
            if let Some(language) = line.strip_prefix("```") {
                let inside = lines.by_ref().map(|(_, line)| line);
                let inside = inside.take_while(|line| !line.starts_with("```"));
                blocks.push(Block {
                    at,
                    language: language.to_owned(),
                    marker: marker.take(),
                    before: std::mem::take(&mut before),
                    text: inside.map(|line| format!("{line}\n")).collect(),
                });
                continue;
            }
            let comment = line
                .strip_prefix("<!-- ")
                .and_then(|it| it.strip_suffix(" -->"));
            match comment.map(|it| (it, it.strip_prefix("do: "))) {
                Some((_, Some(command))) => before.push(command.to_owned()),
                Some((text, None)) => {
                    let known = Marker::of(text);
                    marker = Some(known.unwrap_or_else(|| panic!("{at}: `{text}` says nothing")));
                }
                None => assert!(
                    line.is_empty() || (marker.is_none() && before.is_empty()),
                    "{at}: no block follows what is said about one"
                ),
            }
        }
        Self { blocks }
    }

    /// Does with each block what is said about it, and tells what was wrong.
    pub fn run(&self, world: &mut World) -> String {
        self.blocks.iter().map(|block| block.run(world)).collect()
    }
}
