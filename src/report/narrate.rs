//! What is said about single events, the same in a live picture and in plain lines: that the run
//! began, what tasks print, what fails, what is tried again, and that somebody asked to stop.

use std::collections::BTreeMap;

use super::loglines::{Line, LineBuffer};
use super::style::Style;
use super::{clean, failure, human};
use crate::model::event::Event;
use crate::model::failure::{Failure, FailureKind};
use crate::model::header::RunHeader;
use crate::model::id::TaskId;
use crate::model::name::StepName;
use crate::model::record::{LogChunk, Logs, Record, Stream};

/// Says in lines what single events mean.
#[derive(Clone, Debug)]
pub struct Narrator {
    style: Style,
    logs: BTreeMap<TaskId, LineBuffer>,
    run: String,
    /// Whether it was said what it means that a machine is taken away.
    reclaims_explained: bool,
}

impl Narrator {
    /// A narrator that paints with `style`.
    pub fn new(style: Style) -> Self {
        Self {
            style,
            logs: BTreeMap::new(),
            run: String::new(),
            reclaims_explained: false,
        }
    }

    /// What is to be said about `event`; often nothing.
    pub fn lines(&mut self, event: &Event) -> Vec<String> {
        match event {
            Event::RunStarted { header } => self.began(header),
            Event::Log { task, chunks, .. } => self.printed(task, chunks),
            Event::Finished {
                task,
                attempt,
                record,
            } => self.finished(task, *attempt, record),
            Event::Retrying {
                task,
                attempt,
                after_ms,
                ..
            } => {
                vec![self.retrying(task, *attempt, *after_ms)]
            }
            Event::Caught { task, artifact, .. } => {
                let word = self.style.stopped("caught");
                vec![format!(
                    "{task} {word}: the failure is the artifact `{}`",
                    artifact.name
                )]
            }
            Event::Rejected {
                task,
                attempt,
                failure,
                ..
            } => self.failed(task, *attempt, failure),
            Event::Waiting {
                step,
                attempts,
                for_ms,
                queue,
            } => vec![self.waiting(step, *attempts, *for_ms, queue)],
            Event::CancelRequested { .. } => {
                vec![self.style.stopped(
                    "stopping: running tasks get time to end; once more stops them at once",
                )]
            }
            Event::Started { .. }
            | Event::Progress { .. }
            | Event::Reused { .. }
            | Event::RunEnded { .. } => Vec::new(),
        }
    }

    fn began(&mut self, header: &RunHeader) -> Vec<String> {
        self.run = header.run.to_string();
        let mut line = format!("run {}", self.style.name(&self.run));
        if let Some(origin) = &header.origin {
            line += &format!(", continues {origin}");
        }
        let granted = header.grants.lines();
        let granted = granted
            .iter()
            .map(|grant| format!("granted {}", clean::line(grant)));
        [line].into_iter().chain(granted).collect()
    }

    fn waiting(&self, step: &StepName, attempts: u64, for_ms: u64, queue: &str) -> String {
        let waits = match attempts {
            1 => "1 attempt waits".to_owned(),
            attempts => format!("{attempts} attempts wait"),
        };
        format!(
            "{step}: {waits} in the queue `{queue}`, for {} now: Batch has had no room yet; {} looks at the queue",
            human::duration(for_ms.saturating_mul(1000)),
            self.style.hint("wrun doctor")
        )
    }

    fn printed(&mut self, task: &TaskId, chunks: &[LogChunk]) -> Vec<String> {
        let buffer = self.logs.entry(task.clone()).or_default();
        let lines: Vec<_> = chunks.iter().flat_map(|chunk| buffer.push(chunk)).collect();
        lines.iter().map(|line| self.log_line(task, line)).collect()
    }

    fn finished(&mut self, task: &TaskId, attempt: u32, record: &Record) -> Vec<String> {
        let mut lines = match &record.logs {
            Logs::Inline(chunks) => self.printed(task, chunks),
            Logs::Blob(value) => {
                let size = human::bytes(value.size);
                let command = format!("wrun logs {}/{task}", self.run);
                vec![format!(
                    "{task} printed {size}: {}",
                    self.style.hint(command)
                )]
            }
            Logs::None => Vec::new(),
        };
        if let Some(mut buffer) = self.logs.remove(task) {
            lines.extend(buffer.finish().iter().map(|line| self.log_line(task, line)));
        }
        if let Err(why) = &record.result {
            lines.extend(self.failed(task, attempt, why));
        }
        lines
    }

    fn failed(&mut self, task: &TaskId, attempt: u32, why: &Failure) -> Vec<String> {
        let name = self.style.name(task);
        let which = if attempt == 0 {
            String::new()
        } else {
            format!(" in attempt {}", attempt + 1)
        };
        let first = format!(
            "{name} failed{which}: {}",
            failure::headline(why, &self.style)
        );
        // Cheap machines are taken away by the hundred: the first time it is explained.
        if why.kind == FailureKind::Reclaimed
            && std::mem::replace(&mut self.reclaims_explained, true)
        {
            return vec![first];
        }
        let details = failure::details(why, &self.style);
        std::iter::once(first)
            .chain(details.lines().map(str::to_owned))
            .collect()
    }

    fn retrying(&self, task: &TaskId, attempt: u32, after_ms: u64) -> String {
        let word = self.style.stopped("tried again");
        let when = match after_ms {
            0 => "at once".to_owned(),
            pause => format!("in {}", human::duration(pause.saturating_mul(1000))),
        };
        format!("{task} is {word} {when}, attempt {}", attempt + 1)
    }

    fn log_line(&self, task: &TaskId, line: &Line) -> String {
        let text = clean::line(&line.text);
        let text = match line.stream {
            Stream::Stdout => text.into_owned(),
            Stream::Stderr | Stream::Log => leveled(&text, &self.style),
        };
        format!("{} {text}", self.style.lane(&format!("{task} |")))
    }
}

/// A log line painted by the level that leads it.
fn leveled(text: &str, style: &Style) -> String {
    let level = text.split([' ', ':']).next().unwrap_or_default();
    match level.to_ascii_lowercase().as_str() {
        "error" => style.failed(text),
        "warn" | "warning" => style.warning(text),
        "debug" | "trace" => style.faint(text),
        _ => text.to_owned(),
    }
}
