//! Drives a run while it is shown: what `run`, `resume` and `attach` have in common.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use tokio::sync::mpsc::UnboundedSender;

use super::context::Context;
use super::error::CliError;
use super::exit;
use super::flow;
use crate::config::batch::Batch;
use crate::config::keys::variable_of;
use crate::config::{Origin, Settings};
use crate::model::event::{Event, RunStatus};
use crate::model::graph::FlowGraph;
use crate::report::jsonl::Jsonl;
use crate::report::plain::Plain;
use crate::report::quiet::Quiet;
use crate::report::terminal::{Surroundings, Terminal};
use crate::report::{self, Reporter};
use crate::runtime::clock::SystemClock;
use crate::runtime::drive::Interrupt;
use crate::runtime::elsewhere::Elsewhere;
use crate::runtime::start::{Machine, Started};
use crate::task::attempt::Clock;

/// What a run needs of the machine, and the events that are to be shown.
pub(crate) struct Stage {
    /// For the runtime.
    pub(crate) machine: Machine,
    events: Receiver<Vec<Event>>,
    ask: UnboundedSender<Interrupt>,
}

impl Stage {
    /// A stage on which nothing happens yet.
    ///
    /// # Errors
    /// When the system does not say where the running program is, or `settings` name no datastore.
    pub(crate) fn new(settings: &Settings, cx: &Context) -> Result<Self, CliError> {
        let (listener, events) = std::sync::mpsc::channel();
        let (ask, interrupts) = tokio::sync::mpsc::unbounded_channel();
        let machine = Machine {
            clock: Arc::new(SystemClock),
            launcher: flow::launcher(settings)?,
            listener,
            interrupts,
            elsewhere: Some(Elsewhere {
                settings: told(settings),
                datastore: settings.datastore.parse()?,
            }),
            at_hand: cx.at_hand.clone(),
        };
        Ok(Self {
            machine,
            events,
            ask,
        })
    }

    /// Drives `started` to its end and shows it meanwhile; the exit code.
    ///
    /// # Errors
    /// When the run stopped before its end.
    pub(crate) async fn drive(self, cx: &Context, started: Started) -> Result<u8, CliError> {
        let Self {
            machine,
            events,
            ask,
        } = self;
        let mut reporter = reporter(cx, started.graph());
        started.past.iter().for_each(|event| reporter.past(event));
        // On a thread of its own, so that a slow terminal slows no task.
        let showing = std::thread::spawn(move || report::follow(&events, &mut *reporter));
        let signals = tokio::spawn(listen(ask));
        let status = started.drive(machine).await;
        signals.abort();
        // A reporter that panicked has said so; the run is as it is.
        let _ = showing.join();
        Ok(match status? {
            RunStatus::Succeeded => exit::OK,
            RunStatus::Failed => exit::RUN_FAILED,
            RunStatus::Cancelled => exit::CANCELLED,
        })
    }
}

/// What Batch is told, with what workers must know to keep things as the driver does.
fn told(settings: &Settings) -> Batch {
    let mut batch = settings.batch.clone();
    for key in ["compression-level", "s3.path-style"] {
        if settings.origin(key) != Origin::Default
            && let Some(value) = settings.value(key)
        {
            let variable = variable_of(key);
            batch.environment.entry(variable).or_insert(value);
        }
    }
    batch
}

fn reporter(cx: &Context, graph: Arc<FlowGraph>) -> Box<dyn Reporter> {
    let out = &cx.out;
    if out.json {
        Box::new(Jsonl::new(std::io::BufWriter::new(std::io::stdout())))
    } else if out.is_quiet() {
        Box::new(Quiet::new(graph, out.talk_style, std::io::stderr()))
    } else if out.can_draw {
        let sized = out.clone();
        let around = Surroundings {
            out: Box::new(std::io::stderr()),
            clock: Box::new(|| SystemClock.now()),
            size: Box::new(move || sized.talk_size()),
        };
        Box::new(Terminal::new(graph, out.talk_style, around))
    } else {
        Box::new(Plain::new(graph, out.talk_style, std::io::stderr()))
    }
}

/// Passes on that somebody wants the run to stop: gently at first, at once when asked again.
async fn listen(ask: UnboundedSender<Interrupt>) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return;
    };
    let mut next = Interrupt::Stop;
    loop {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        if ask.send(next).is_err() {
            return;
        }
        next = Interrupt::Kill;
    }
}
