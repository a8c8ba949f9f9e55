//! What the running task may read and write, and what it has written.

use bytes::Bytes;

use super::reading::Reading;
use super::writing::Writing;
use crate::model::artifact::MediaType;
use crate::model::failure::Limit;
use crate::model::name::ArtifactName;
use crate::sandbox::call::{Body, Branches, Given, Put, Request, Source};
use crate::sandbox::world::agent::Agent;
use crate::sandbox::world::handles::Handles;
use crate::sandbox::world::stop::Stop;

/// The largest value that travels with the answer.
pub const INLINE_PUT: usize = 256 << 10;
/// The most bytes of values that travel with one answer.
pub const INLINE_PUTS: usize = 2 << 20;

/// The running task.
#[derive(Debug)]
pub struct Task {
    request: Request,
    readers: Handles<Reading>,
    writers: Handles<Writing>,
    next_writer: u32,
    /// For each of the branches' names, the values that came last, and the branch of the first.
    window: Vec<(u32, Vec<Option<Given>>)>,
    puts: Vec<Put>,
    inline: usize,
    written: u64,
    knows_itself: bool,
    knows_branches: bool,
}

impl Task {
    /// A task that has done nothing yet.
    pub fn new(request: Request) -> Self {
        let names = request
            .branches
            .as_ref()
            .map_or(0, |branches| branches.names.len());
        Self {
            request,
            readers: Handles::default(),
            writers: Handles::default(),
            next_writer: 0,
            window: vec![(0, Vec::new()); names],
            puts: Vec::new(),
            inline: 0,
            written: 0,
            knows_itself: false,
            knows_branches: false,
        }
    }

    /// Notes that the task learns its own name.
    pub fn tell_itself(&mut self) {
        self.knows_itself = true;
    }

    /// Whether the task has learned the name of a branch.
    pub fn knows_branches(&self) -> bool {
        self.knows_branches
    }

    /// Whether the task has learned its own name.
    pub fn knows_itself(&self) -> bool {
        self.knows_itself
    }

    /// What was asked of the task.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Gives back what was asked.
    pub fn into_request(self) -> Request {
        self.request
    }

    /// What the task wrote.
    pub fn into_puts(self) -> Vec<Put> {
        self.puts
    }

    fn memory(&self) -> u64 {
        u64::from(self.request.limits.memory_mib) << 20
    }

    /// The whole value of an artifact.
    pub fn get(&mut self, agent: &mut dyn Agent, name: &str) -> Result<Option<Vec<u8>>, Stop> {
        let Some(reading) = self.readable(name)? else {
            return Ok(None);
        };
        reading.whole(agent, name, self.memory()).map(Some)
    }

    /// Opens an artifact and gives the reader's number.
    pub fn open(&mut self, name: &str) -> Result<Option<u32>, Stop> {
        let reading = self.readable(name)?;
        Ok(reading.map(|reading| self.readers.add(reading)))
    }

    fn readable(&self, name: &str) -> Result<Option<Reading>, Stop> {
        let mut reads = (0..).zip(&self.request.reads);
        let Some((position, read)) = reads.find(|(_, read)| read.name.as_str() == name) else {
            return Err(undeclared("reads", name, &self.request));
        };
        Ok(read
            .value
            .as_ref()
            .map(|given| Reading::new(Source::Read(position), given)))
    }

    /// The foreach element.
    pub fn item(&self) -> Result<Vec<u8>, Stop> {
        match &self.request.item {
            Some(item) => Ok(item.to_vec()),
            None => {
                let step = &self.request.step;
                let message = format!("the step `{step}` reads its foreach element, but has none");
                Err(Stop::contract(message)
                    .hint("declare it: mark the argument with `#[item]`, in a step that follows a foreach"))
            }
        }
    }

    fn branches(&self) -> Result<&Branches, Stop> {
        self.request.branches.as_ref().ok_or_else(|| {
            let step = &self.request.step;
            Stop::contract(format!(
                "the step `{step}` reads branches, but is not a join"
            ))
            .hint("declare it as a join: `#[step(join, …)]`")
        })
    }

    /// How many branches there are.
    pub fn branch_count(&self) -> Result<u32, Stop> {
        Ok(self.branches()?.count)
    }

    fn branch_index(&self, index: u32) -> Result<(), Stop> {
        let count = self.branches()?.count;
        if index < count {
            return Ok(());
        }
        let step = &self.request.step;
        Err(Stop::contract(format!(
            "the step `{step}` asked for branch {index}, but there are {count}, counted from 0"
        )))
    }

    /// The task at the end of a branch.
    pub fn branch_task(&mut self, agent: &mut dyn Agent, index: u32) -> Result<String, Stop> {
        self.branch_index(index)?;
        self.knows_branches = true;
        agent.branch_task(index).map_err(Stop::agent_gone)
    }

    /// The whole value of an artifact of a branch.
    pub fn branch_get(
        &mut self,
        agent: &mut dyn Agent,
        index: u32,
        name: &str,
    ) -> Result<Option<Vec<u8>>, Stop> {
        let memory = self.memory();
        let Some(reading) = self.branch(agent, index, name)? else {
            return Ok(None);
        };
        reading.whole(agent, name, memory).map(Some)
    }

    /// Opens an artifact of a branch and gives the reader's number.
    pub fn branch_open(
        &mut self,
        agent: &mut dyn Agent,
        index: u32,
        name: &str,
    ) -> Result<Option<u32>, Stop> {
        let reading = self.branch(agent, index, name)?;
        Ok(reading.map(|reading| self.readers.add(reading)))
    }

    /// Finds the artifact `name` of a branch; asks for it and those after it if it is not here.
    fn branch(
        &mut self,
        agent: &mut dyn Agent,
        index: u32,
        name: &str,
    ) -> Result<Option<Reading>, Stop> {
        self.branch_index(index)?;
        let names = &self.branches()?.names;
        let Some(position) = names.iter().position(|known| known.as_str() == name) else {
            return Err(undeclared("reads of its branches", name, &self.request));
        };
        let (first, values) = &mut self.window[position];
        let here = |first: u32, len: usize| index >= first && ((index - first) as usize) < len;
        if !here(*first, values.len()) {
            *values = agent
                .branches(position as u32, index)
                .map_err(Stop::agent_gone)?;
            *first = index;
        }
        let given = values
            .get((index - *first) as usize)
            .and_then(Option::as_ref);
        let source = Source::Branch {
            branch: index,
            name: position as u32,
        };
        Ok(given.map(|given| Reading::new(source, given)))
    }

    /// The reader of this number.
    pub fn reader(&mut self, number: u32) -> Result<&Reading, Stop> {
        self.readers.get(number).map(|reading| &*reading)
    }

    /// Forgets a reader.
    pub fn close_reader(&mut self, number: u32) {
        self.readers.remove(number);
    }

    /// Opens a writer and gives its number.
    pub fn open_writer(&mut self, media: MediaType) -> u32 {
        let number = self.next_writer;
        self.next_writer += 1;
        self.writers.add(Writing::new(number, media))
    }

    /// Appends to a writer.
    pub fn write(&mut self, agent: &mut dyn Agent, number: u32, bytes: &[u8]) -> Result<(), Stop> {
        self.count(bytes.len())?;
        self.writers.get(number)?.write(agent, bytes)
    }

    /// Forgets a writer and what was written to it.
    pub fn close_writer(&mut self, number: u32) {
        self.writers.remove(number);
    }

    /// Ends a writer and names what it wrote.
    pub fn save(&mut self, agent: &mut dyn Agent, name: &str, number: u32) -> Result<(), Stop> {
        let name = self.writable(name)?;
        let Some(writing) = self.writers.remove(number) else {
            return self.writers.get(number).map(|_| ());
        };
        let media = writing.media.clone();
        let body = writing.finish(agent, self.room())?;
        self.add(name, media, body);
        Ok(())
    }

    /// Writes a whole value.
    pub fn put(
        &mut self,
        agent: &mut dyn Agent,
        name: &str,
        media: MediaType,
        bytes: &[u8],
    ) -> Result<(), Stop> {
        let name = self.writable(name)?;
        self.count(bytes.len())?;
        let body = if bytes.len() <= self.room() {
            Body::Bytes(Bytes::copy_from_slice(bytes))
        } else {
            let number = self.next_writer;
            self.next_writer += 1;
            let mut writing = Writing::new(number, media.clone());
            writing.write(agent, bytes)?;
            writing.finish(agent, 0)?
        };
        self.add(name, media, body);
        Ok(())
    }

    /// Gives a value that was read another name.
    pub fn pass(&mut self, name: &str, reader: u32) -> Result<(), Stop> {
        let name = self.writable(name)?;
        let reading = self.readers.get(reader)?.clone();
        self.add(name, reading.media.clone(), Body::Passed(reading.source()));
        Ok(())
    }

    /// The most that may still travel with the answer as one value.
    fn room(&self) -> usize {
        INLINE_PUT.min(INLINE_PUTS - self.inline)
    }

    fn add(&mut self, name: ArtifactName, media: MediaType, body: Body) {
        if let Body::Bytes(bytes) = &body {
            self.inline += bytes.len();
        }
        self.puts.push(Put { name, media, body });
    }

    fn writable(&self, name: &str) -> Result<ArtifactName, Stop> {
        let Some(known) = self
            .request
            .writes
            .iter()
            .find(|known| known.as_str() == name)
        else {
            return Err(undeclared("writes", name, &self.request));
        };
        if self.puts.iter().any(|put| put.name == *known) {
            let step = &self.request.step;
            return Err(
                Stop::contract(format!("the step `{step}` wrote `{name}` twice"))
                    .hint("an artifact has one value: write it once, at the end"),
            );
        }
        Ok(known.clone())
    }

    fn count(&mut self, bytes: usize) -> Result<(), Stop> {
        self.written = self.written.saturating_add(bytes as u64);
        let limit = self.request.limits.output_mib;
        if self.written <= limit.saturating_mul(1 << 20) {
            return Ok(());
        }
        Err(Stop::limit(
            Limit::Output,
            format!("the step wrote more than {limit} MiB of artifacts"),
        )
        .hint("write less, or raise `limits.output` in `wrun.toml`"))
    }
}

fn undeclared(does: &str, name: &str, request: &Request) -> Stop {
    let step = &request.step;
    let name = name.escape_debug();
    let add = match does {
        "writes" => format!("add `{name}` to the struct that the step `{step}` returns"),
        "reads" => format!("add `{name}` to the arguments of the step `{step}`"),
        _ => format!("add `{name}` to the struct of the step's `Inputs`"),
    };
    Stop::contract(format!(
        "the step `{step}` asked for `{name}`, which is not among its {does}"
    ))
    .hint(add)
}
