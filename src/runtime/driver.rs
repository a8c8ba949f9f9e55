//! Which process drives a run, and whether it is still there.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::datastore::lease::{Held, Lease};
use crate::datastore::run::Run;
use crate::model::time::Timestamp;
use crate::task::attempt::Clock;

/// How long a driver on another machine may be silent before it is taken for dead, in microseconds.
const SILENCE_US: u64 = 60_000_000;

/// How often a driver says that it is still there.
const RENEW: Duration = Duration::from_secs(15);

/// Keeps the lease of a run until it is stopped.
pub struct Keeper {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Keeper {
    /// Takes the lease of `run`, unless it is `held`, and renews it from time to time.
    ///
    /// A lease that cannot be had or is lost changes nothing: the journal decides who goes on.
    pub fn start(run: Run, held: Option<Held>, clock: Arc<dyn Clock>) -> Self {
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(keep(run, held, clock, stopped));
        Self { stop, task }
    }

    /// Gives the lease back.
    pub async fn stop(self) {
        // An error means that the task is gone, and with it whatever it held.
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}

async fn keep(
    run: Run,
    held: Option<Held>,
    clock: Arc<dyn Clock>,
    mut stopped: oneshot::Receiver<()>,
) {
    let mut held = match held {
        Some(held) => Some(held),
        None => run
            .take_lease(lease(clock.now()), None)
            .await
            .ok()
            .flatten(),
    };
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            () = tokio::time::sleep(RENEW) => {}
        }
        if let Some(lease) = &mut held
            && let Ok(false) = lease.renew(clock.now()).await
        {
            held = None;
        }
    }
    if let Some(held) = held {
        // A lease that stays is seen to be stale as soon as this process is gone.
        let _ = held.release().await;
    }
}

/// The lease of this process.
pub fn lease(now: Timestamp) -> Lease {
    let process = std::process::id();
    Lease {
        host: host(),
        place: place(),
        process,
        process_started: started(process).unwrap_or(0),
        at: now,
    }
}

/// Whether the process that holds `lease` is there, as far as can be told from here.
///
/// On the same machine the system is asked; of others only their last sign of life is known.
pub fn is_alive(lease: &Lease, now: Timestamp) -> bool {
    if !lease.place.is_empty() && lease.place == place() {
        return started(lease.process) == Some(lease.process_started);
    }
    now.micros_since(lease.at) < SILENCE_US
}

/// The name of this machine, as far as the system tells.
fn host() -> String {
    let told = fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let told = told.or_else(|| std::env::var("HOSTNAME").ok());
    told.map_or_else(|| "this machine".to_owned(), |name| name.trim().to_owned())
}

/// One boot of one machine, and there one name space of processes; empty where `/proc` is not.
fn place() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let space = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    match boot.trim() {
        "" => String::new(),
        boot => format!("{boot} {}", space.display()),
    }
}

/// When a process started, in ticks since the machine booted; none when there is no such process.
fn started(process: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The second field, the program's name in parentheses, may hold anything.
    let after_name = &stat[stat.rfind(')')? + 1..];
    let mut fields = after_name.split_whitespace();
    let state = fields.next()?;
    // A zombie does nothing any more.
    if state == "Z" || state == "X" {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_there_and_one_that_never_was_is_not() {
        let now = Timestamp(1_000_000_000_000);
        let mine = lease(now);
        assert!(is_alive(&mine, now));
        let other = Lease {
            process_started: mine.process_started + 1,
            ..mine.clone()
        };
        assert!(!is_alive(&other, now));
        let elsewhere = Lease {
            place: "another machine".into(),
            ..mine
        };
        assert!(is_alive(&elsewhere, now));
        assert!(!is_alive(&elsewhere, Timestamp(now.0 + SILENCE_US)));
    }
}
