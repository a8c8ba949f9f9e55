//! What agent and cell say to each other, and how it looks on the socket.
//!
//! A frame is the length of its head and of its body (4 bytes each, little-endian), the head (a
//! message in postcard) and the body (plain bytes: a module, compiled code, or nothing). Pieces of
//! artifacts are not in frames: they lie in memory that both sides have ([`super::cell::shelf`]), and
//! a frame says in which slot of it. The cell decides what each slot is used for; one that it has
//! named is the agent's until the agent answers.
//!
//! Each side starts with its greeting. After that the agent orders ([`ToCell`]), and the cell
//! answers each order with one message; while it runs a task it may ask and tell ([`ToAgent`]).
//! All of it that is answered is answered in its order, and the cell may ask several before it reads.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::call::{Given, Profile, Question, Reply, Request, Seen, Source};
use super::cell::confine::Wall;
use super::execute::Refusal;
use super::fetch::{Fetch, Fetched};
use crate::model::artifact::MediaType;
use crate::model::definition::Definition;
use crate::model::header::Limits;
use crate::model::record::LogChunk;

/// The version of this protocol. Both sides are the same program, so a difference is an accident.
pub const VERSION: u32 = 4;

/// The bytes before the head.
pub const PREFIX: usize = 8;
/// The longest head of any frame.
pub const MAX_HEAD: usize = 64 << 20;
/// The longest head that an agent accepts from a cell.
pub const MAX_HEAD_FROM_CELL: usize = 32 << 20;
/// The longest body of a piece of an artifact.
pub const MAX_PIECE: usize = 1 << 20;

/// What the agent says.
#[derive(Debug, Serialize, Deserialize)]
pub enum ToCell {
    /// The greeting: version, and a number that the cell repeats. The shared memory comes along.
    Hello {
        /// [`VERSION`].
        version: u32,
        /// To be repeated.
        nonce: u64,
    },
    /// Compile the module in the body. Answered by [`ToAgent::Compiled`].
    Compile {
        /// How.
        profile: Profile,
    },
    /// Load compiled code, from the file that comes along, for what follows. Answered by [`ToAgent::Loaded`].
    Load {
        /// How it was compiled.
        profile: Profile,
        /// How long the file is.
        size: u64,
    },
    /// Ask the loaded module what it is. Answered by [`ToAgent::Described`].
    Describe {
        /// How much it may use for that.
        limits: Limits,
    },
    /// Execute a task of the loaded module. Answered by [`ToAgent::Done`].
    Run(Box<Request>),
    /// The answer to [`ToAgent::Read`]: the bytes lie in the slot.
    Piece {
        /// How many they are.
        len: u32,
    },
    /// The answer to [`ToAgent::Write`]: the slot is free again.
    Taken,
    /// The answer to [`ToAgent::Branches`].
    Branches(Vec<Option<Given>>),
    /// The answer to [`ToAgent::BranchTask`].
    BranchTask(String),
    /// The answer to [`ToAgent::Look`].
    Seen(Seen),
    /// The answer to [`ToAgent::Fetch`].
    Fetched(Box<Fetched>),
    /// The answer to [`ToAgent::Secrets`]: the body, names and values in postcard.
    Secrets,
}

/// What the cell says.
#[derive(Debug, Serialize, Deserialize)]
pub enum ToAgent {
    /// The greeting.
    Ready {
        /// [`VERSION`].
        version: u32,
        /// The agent's number.
        nonce: u64,
        /// What the cell has built around itself.
        walls: Vec<Wall>,
    },
    /// The module cannot be used.
    Refused(Refusal),
    /// Compiled code is in the body.
    Compiled {
        /// What the module imports, without versions.
        imports: Vec<String>,
    },
    /// The code is loaded.
    Loaded,
    /// What the module said of itself.
    Described(Box<Definition>),
    /// The task ended.
    Done(Box<Reply>),
    /// Bytes of an artifact are wanted.
    Read {
        /// Of which.
        source: Source,
        /// From where.
        offset: u64,
        /// How many, at most [`MAX_PIECE`].
        len: u32,
        /// Where they are to be laid.
        slot: u32,
    },
    /// Values of branches are wanted.
    Branches {
        /// Which artifact.
        name: u32,
        /// From which branch on.
        first: u32,
        /// For about how many bytes.
        budget: u32,
    },
    /// The name of a branch's task is wanted.
    BranchTask {
        /// Which branch.
        branch: u32,
    },
    /// Something of a granted directory is wanted.
    Look(Question),
    /// A request over HTTP is to be made.
    Fetch(Box<Fetch>),
    /// The values of granted secrets are wanted.
    Secrets,
    /// A writer is opened. Not answered.
    Create {
        /// Its number.
        writer: u32,
        /// What is written to it.
        media: MediaType,
    },
    /// What lies in a slot is appended to a writer.
    Write {
        /// Its number.
        writer: u32,
        /// Where the bytes lie.
        slot: u32,
        /// How many they are, at most [`MAX_PIECE`].
        len: u32,
    },
    /// The task said how far it is. Not answered.
    Progress {
        /// Units done.
        done: u64,
        /// Units in all, or 0.
        total: u64,
        /// What it is doing.
        message: String,
    },
    /// The task printed something and goes on. Not answered.
    Logs(Vec<LogChunk>),
}

/// A frame with everything but its body, whose length is `body`.
pub fn head<T: Serialize>(message: &T, body: usize) -> std::io::Result<Vec<u8>> {
    let invalid = |text: String| std::io::Error::new(std::io::ErrorKind::InvalidData, text);
    let mut frame = postcard::to_extend(message, vec![0; PREFIX])
        .map_err(|error| invalid(format!("a message cannot be encoded: {error}")))?;
    let head = frame.len() - PREFIX;
    let (Ok(head_len), Ok(body_len)) = (u32::try_from(head), u32::try_from(body)) else {
        return Err(invalid(format!(
            "a message of {head} and {body} bytes is too long"
        )));
    };
    if head > MAX_HEAD {
        return Err(invalid(format!("a message of {head} bytes is too long")));
    }
    frame[..4].copy_from_slice(&head_len.to_le_bytes());
    frame[4..PREFIX].copy_from_slice(&body_len.to_le_bytes());
    Ok(frame)
}

/// The message in a head.
///
/// # Errors
/// `InvalidData` when it is none.
pub fn message<T: DeserializeOwned>(head: &[u8]) -> std::io::Result<T> {
    postcard::from_bytes(head)
        .map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidData, error.to_string()))
}

/// The lengths of head and body that a frame begins with.
pub fn lengths(prefix: [u8; PREFIX]) -> (usize, usize) {
    let [a, b, c, d, e, f, g, h] = prefix;
    (
        u32::from_le_bytes([a, b, c, d]) as usize,
        u32::from_le_bytes([e, f, g, h]) as usize,
    )
}
