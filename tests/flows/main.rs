//! Whole runs, from outside: the real `wrun`, real modules, a datastore of its own for each test.

#![allow(clippy::unwrap_used, reason = "a test may end at once")]

mod bad;
mod certificates;
#[cfg(target_os = "linux")]
mod confined;
mod damage;
mod grants;
mod hostile;
mod http;
mod memory;
#[cfg(target_os = "linux")]
mod no_landlock;
mod parameters;
mod room;
mod running;
mod secrets;
mod server;
mod settings;
mod shapes;
mod stop;
mod weather;
mod whole;
mod world;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;

use self::world::{Said, World, module, modules};
