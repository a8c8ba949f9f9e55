//! The agent's handle of a cell.
//!
//! A cell is not trusted: a guest may have taken it over. Every length is bounded before memory is
//! given for it, every message must be one that is expected, and what a reply says about artifacts
//! is checked against the request. A cell that breaks a rule is killed.

mod frames;
mod reply;
mod stderr;

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::net::UnixStream;
use tokio::process::{Child, Command};

use self::frames::Frames;
use self::reply::Writers;
use self::stderr::Tail;
use super::confine::Wall;
use super::nursery;
use super::shelf::Shelf;
use crate::model::confinement::Confinement;
use crate::model::definition::Definition;
use crate::model::failure::{Failure, FailureKind, Limit};
use crate::model::header::Limits;
use crate::model::record::Observed;
use crate::sandbox::call::{Profile, Reply, Request};
use crate::sandbox::execute::Refusal;
use crate::sandbox::host::Host;
use crate::sandbox::module::CompiledModule;
use crate::sandbox::wire::{self, ToAgent, ToCell, VERSION};

/// How long a new cell may take until it greets.
const START: Duration = Duration::from_secs(20);
/// How long a cell may take to load compiled code.
const LOAD: Duration = Duration::from_secs(60);
/// The signal that ends whoever makes a forbidden system call.
const SIGSYS: i32 = 31;
/// The longest compiled code, in bytes.
const MAX_CODE: usize = 1 << 30;

/// How to start a cell: a program, and the arguments with which it calls [`super::child::cell_main`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launcher {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
}

impl Launcher {
    /// Starts cells from the running program, as `wrun cell`.
    ///
    /// # Errors
    /// When the system does not say where the running program is.
    pub fn current() -> io::Result<Self> {
        Ok(Self {
            program: std::env::current_exe()?,
            args: vec!["cell".into()],
        })
    }

    /// The same, with cells that are confined as the operator wants it.
    pub fn confined(mut self, confinement: Confinement) -> Self {
        self.args.truncate(1);
        self.args.push(confinement.to_string().into());
        self
    }
}

/// What went wrong with a cell. Never the guest's fault; the cell is dead in all cases but
/// [`CellError::Refused`].
#[derive(Debug, thiserror::Error)]
pub enum CellError {
    /// The process could not be started.
    #[error("could not start a cell with `{program}`")]
    Spawn {
        /// The program.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// The process ended, or its socket closed.
    #[error("a cell was lost: {how}{diagnostics}")]
    Lost {
        /// The signal or exit code, as far as known.
        how: String,
        /// The end of what it wrote to standard error, led by a colon; empty if nothing.
        diagnostics: String,
    },
    /// The cell said something that it must not say.
    #[error("a cell broke the protocol: {0}")]
    Protocol(String),
    /// The cell did not answer in time.
    #[error("a cell did not {what} within {seconds} s")]
    Slow {
        /// What it was told to do.
        what: &'static str,
        /// How long it had.
        seconds: u64,
    },
    /// The module cannot be used.
    #[error("{0}")]
    Refused(Refusal),
    /// A task was to run before a module was loaded.
    #[error("a cell was given a task before a module")]
    NothingLoaded,
}

/// A child process that executes one task at a time.
///
/// Dropped, it is killed.
pub struct Cell {
    child: Child,
    frames: Frames,
    shelf: Shelf,
    stderr: Tail,
    alive: bool,
    loaded: Option<Arc<str>>,
    walls: Vec<Wall>,
}

impl Cell {
    /// Starts a cell and waits for its greeting.
    ///
    /// # Errors
    /// [`CellError::Spawn`] when there is no process; otherwise as for every order.
    pub async fn spawn(launcher: &Launcher) -> Result<Self, CellError> {
        let failed = |source| CellError::Spawn {
            program: launcher.program.display().to_string(),
            source,
        };
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().map_err(failed)?;
        let mut command = Command::new(&launcher.program);
        command
            .args(&launcher.args)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = nursery::spawn(command).await.map_err(failed)?;
        let stderr = Tail::follow(child.stderr.take());
        ours.set_nonblocking(true).map_err(failed)?;
        let frames = Frames::new(UnixStream::from_std(ours).map_err(failed)?);
        let (shelf, file) = Shelf::new().map_err(failed)?;
        let mut cell = Self {
            child,
            frames,
            shelf,
            stderr,
            alive: true,
            loaded: None,
            walls: Vec::new(),
        };
        cell.greet(&file).await?;
        Ok(cell)
    }

    async fn greet(&mut self, shelf: &File) -> Result<(), CellError> {
        static NONCE: AtomicU64 = AtomicU64::new(1);
        let nonce = NONCE.fetch_add(1, Ordering::Relaxed);
        let hello = ToCell::Hello {
            version: VERSION,
            nonce,
        };
        match self
            .order_with("start", START, &hello, &[], Some(shelf))
            .await?
        {
            (
                ToAgent::Ready {
                    version: VERSION,
                    nonce: back,
                    walls,
                },
                _,
            ) if back == nonce => {
                self.walls = walls;
                Ok(())
            }
            (ToAgent::Refused(refusal), _) => {
                self.kill();
                Err(CellError::Refused(refusal))
            }
            (other, _) => Err(self.broke(format!("it greeted with {}", kind(&other)))),
        }
    }

    /// What the cell has built around itself; nothing when it was told to build nothing.
    pub fn walls(&self) -> &[Wall] {
        &self.walls
    }

    /// Whether the cell can take orders.
    pub fn is_alive(&self) -> bool {
        self.alive
    }

    /// The number of the process; none when it has ended.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Ends the process, now.
    pub fn kill(&mut self) {
        self.alive = false;
        // An error means that it has ended already.
        let _ = self.child.start_kill();
    }

    /// Closes the socket and leaves the process to itself, as it happens when an agent is killed.
    pub fn hang_up(&mut self) {
        self.alive = false;
        self.frames.close();
    }

    /// Loads a module for the tasks that follow. Does nothing if it is the one that is loaded.
    ///
    /// # Errors
    /// [`CellError::Refused`] when the module cannot run on this machine.
    pub async fn load(&mut self, module: &CompiledModule) -> Result<(), CellError> {
        if self.loaded.as_deref() == Some(module.key()) {
            return Ok(());
        }
        self.loaded = None;
        let order = ToCell::Load {
            profile: module.profile(),
            size: module.size(),
        };
        match self
            .order_with("load its module", LOAD, &order, &[], Some(module.file()))
            .await?
        {
            (ToAgent::Loaded, _) => {
                self.loaded = Some(module.key().into());
                Ok(())
            }
            other => Err(self.unexpected(other.0)),
        }
    }

    /// Compiles a module, and says what it imports.
    ///
    /// # Errors
    /// [`CellError::Refused`] when it is no flow, [`CellError::Slow`] after `within`.
    pub async fn compile(
        &mut self,
        profile: Profile,
        wasm: &[u8],
        within: Duration,
    ) -> Result<(Bytes, Vec<String>), CellError> {
        self.frames.accept(MAX_CODE);
        let order = ToCell::Compile { profile };
        let answer = self.order("compile the module", within, &order, wasm).await;
        self.frames.accept(0);
        match answer? {
            (ToAgent::Compiled { imports }, code) => Ok((code, imports)),
            other => Err(self.unexpected(other.0)),
        }
    }

    /// Asks the loaded module what it is.
    ///
    /// # Errors
    /// [`CellError::Refused`] when it does not say, [`CellError::Slow`] after `limits.timeout_ms`.
    pub async fn describe(&mut self, limits: &Limits) -> Result<Definition, CellError> {
        let order = ToCell::Describe {
            limits: limits.clone(),
        };
        let within = Duration::from_millis(limits.timeout_ms);
        match self
            .order("describe its module", within, &order, &[])
            .await?
        {
            (ToAgent::Described(definition), _) => Ok(*definition),
            other => Err(self.unexpected(other.0)),
        }
    }

    /// Executes one task of the loaded module.
    ///
    /// A task that takes longer than its limit is ended by killing the cell, which gives a reply
    /// with that failure; [`Cell::is_alive`] is false then. So it is after an error of `host`,
    /// which gives a reply with a failure of the infrastructure.
    ///
    /// # Errors
    /// [`CellError::Lost`] when the process ended, [`CellError::Protocol`] when it broke a rule.
    pub async fn run(&mut self, request: Request, host: &mut dyn Host) -> Result<Reply, CellError> {
        if self.loaded.is_none() {
            return Err(CellError::NothingLoaded);
        }
        let limit = request.limits.timeout_ms;
        let rules = reply::Rules::of(&request);
        let order = ToCell::Run(Box::new(request));
        let conversation = self.converse(&order, rules, host);
        match tokio::time::timeout(Duration::from_millis(limit), conversation).await {
            Ok(result) => result,
            Err(_) => {
                self.kill();
                Ok(failed_reply(
                    Failure::new(
                        FailureKind::Limit(Limit::Time),
                        format!("the step took longer than {}", reply::duration(limit)),
                    )
                    .with_hint("give it more time with `timeout = …`, or raise `limits.timeout` in `wrun.toml`"),
                ))
            }
        }
    }

    async fn converse(
        &mut self,
        order: &ToCell,
        rules: reply::Rules,
        host: &mut dyn Host,
    ) -> Result<Reply, CellError> {
        self.push(order, &[])?;
        let mut writers = Writers::default();
        loop {
            let (message, _) = self.receive().await?;
            let answered = match message {
                ToAgent::Done(reply) => {
                    return match rules.check(*reply, &mut writers) {
                        Ok(reply) => Ok(reply),
                        Err(what) => Err(self.broke(what)),
                    };
                }
                ToAgent::Secrets => {
                    let secrets = reply::secrets(&rules, host).await;
                    secrets.map(|secrets| Some((ToCell::Secrets, secrets)))
                }
                other => {
                    let served = reply::serve(other, &self.shelf, &rules, &mut writers, host);
                    let answer = served.await;
                    answer.map(|answer| answer.map(|answer| (answer, Bytes::new())))
                }
            };
            match answered {
                Ok(None) => {}
                Ok(Some((answer, body))) => self.push_bytes(&answer, body)?,
                Err(reply::Trouble::Broke(what)) => return Err(self.broke(what)),
                Err(reply::Trouble::Host(error)) => {
                    self.kill();
                    return Ok(failed_reply(*error.0));
                }
            }
        }
    }

    async fn order(
        &mut self,
        what: &'static str,
        within: Duration,
        order: &ToCell,
        body: &[u8],
    ) -> Result<(ToAgent, Bytes), CellError> {
        self.order_with(what, within, order, body, None).await
    }

    async fn order_with(
        &mut self,
        what: &'static str,
        within: Duration,
        order: &ToCell,
        body: &[u8],
        file: Option<&File>,
    ) -> Result<(ToAgent, Bytes), CellError> {
        let answer = async {
            if let Some(file) = file {
                let frame = wire::head(order, 0).map_err(|e| CellError::Protocol(e.to_string()))?;
                if let Err(error) = self.frames.send_with_file(&frame, file).await {
                    return Err(self.lost(&error).await);
                }
            } else {
                self.push(order, body)?;
            }
            self.receive().await
        };
        match tokio::time::timeout(within, answer).await {
            Ok(answer) => answer,
            Err(_) => {
                self.kill();
                Err(CellError::Slow {
                    what,
                    seconds: within.as_secs(),
                })
            }
        }
    }

    fn push(&mut self, order: &ToCell, body: &[u8]) -> Result<(), CellError> {
        self.push_bytes(order, Bytes::copy_from_slice(body))
    }

    fn push_bytes(&mut self, order: &ToCell, body: Bytes) -> Result<(), CellError> {
        match wire::head(order, body.len()) {
            Ok(head) => {
                self.frames.push(head, body);
                Ok(())
            }
            Err(error) => Err(CellError::Protocol(error.to_string())),
        }
    }

    /// The next message; sends what waits to be sent meanwhile.
    async fn receive(&mut self) -> Result<(ToAgent, Bytes), CellError> {
        match self.frames.next().await {
            Ok(frame) => Ok(frame),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Err(self.broke(error.to_string()))
            }
            Err(error) => Err(self.lost(&error).await),
        }
    }

    fn broke(&mut self, what: String) -> CellError {
        self.kill();
        CellError::Protocol(what)
    }

    fn unexpected(&mut self, message: ToAgent) -> CellError {
        match message {
            ToAgent::Refused(refusal) => CellError::Refused(refusal),
            other => self.broke(format!("it answered an order with {}", kind(&other))),
        }
    }

    async fn lost(&mut self, error: &io::Error) -> CellError {
        self.kill();
        let how = match self.child.wait().await {
            Ok(status) => match (status.signal(), status.code()) {
                // Ours, sent a moment ago: it was still there and had closed its socket.
                (Some(9), _) if error.kind() != io::ErrorKind::UnexpectedEof => error.to_string(),
                (Some(SIGSYS), _) => {
                    "it made a system call that no cell makes, and was ended".to_owned()
                }
                (Some(signal), _) => format!("signal {signal}"),
                (None, Some(code)) => format!("exit code {code}"),
                (None, None) => error.to_string(),
            },
            Err(error) => error.to_string(),
        };
        CellError::Lost {
            how,
            diagnostics: self.stderr.text().await,
        }
    }
}

fn failed_reply(failure: Failure) -> Reply {
    Reply {
        result: Err(failure),
        puts: Vec::new(),
        logs: Vec::new(),
        observed: Observed::NOTHING,
        cpu_us: 0,
        peak_memory: 0,
    }
}

fn kind(message: &ToAgent) -> String {
    let text = format!("{message:?}");
    let end = text
        .find(|c: char| !c.is_alphanumeric())
        .unwrap_or(text.len());
    format!("`{}`", &text[..end])
}
