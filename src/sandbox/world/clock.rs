//! Time: `wasi:clocks`, and `wasi:io/poll`, because what one waits for here is time.
//!
//! Virtual. Both clocks start at the time that the run recorded, and every reading moves them by
//! one [`TICK`]; sleeping moves them to its end at once. So two executions see the same times, no
//! step waits, and a loop that waits for time to pass ends.

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Linker, Lower, Resource, ResourceType};

use super::Guest;
use super::stop::Stop;
use crate::model::time::Timestamp;

/// What one reading of a clock takes, and the resolution of both, in nanoseconds.
pub const TICK: u64 = 1_000;

/// Virtual time, in nanoseconds since the beginning of 1970.
///
/// The monotonic clock shows the same number as the wall clock: had it started at 0, a program
/// that subtracts an hour from its first reading would fail.
#[derive(Debug)]
pub struct Clock {
    now: u64,
    was_read: bool,
}

impl Clock {
    /// Time starts here.
    pub fn starting_at(start: Timestamp) -> Self {
        Self {
            now: start.0.saturating_mul(1_000),
            was_read: false,
        }
    }

    /// The time, one tick after the last reading.
    pub fn read(&mut self) -> u64 {
        self.was_read = true;
        self.now = self.now.saturating_add(TICK);
        self.now
    }

    /// Whether anybody asked for the time.
    pub fn was_read(&self) -> bool {
        self.was_read
    }

    /// Time passes until `then`, if that is ahead.
    pub fn pass_until(&mut self, then: u64) {
        self.now = self.now.max(then);
    }
}

/// Something that can be waited for.
#[derive(Clone, Copy, Debug)]
pub enum Pollable {
    /// It has happened.
    Ready,
    /// It happens at this time.
    At(u64),
    /// The answer of this number is there.
    Answer(u32),
}

impl Pollable {
    /// The time at which it happens; none when that is not before the guest goes on.
    fn when(self, guest: &mut Guest) -> Option<u64> {
        match self {
            Self::Ready => Some(0),
            Self::At(then) => Some(then),
            Self::Answer(number) => guest.http.is_there(number).then_some(0),
        }
    }
}

fn when(guest: &mut Guest, pollable: &Resource<Pollable>) -> Result<Option<u64>, Stop> {
    let pollable = *guest.pollables.get(pollable.rep())?;
    Ok(pollable.when(guest))
}

fn endless() -> Stop {
    Stop::contract("the step waits for the answer to a request that it has not finished")
        .hint("finish the body of a request before waiting for its answer")
}

#[derive(ComponentType, Lower)]
#[component(record)]
struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}

impl Datetime {
    fn of(nanoseconds: u64) -> Self {
        Self {
            seconds: nanoseconds / 1_000_000_000,
            nanoseconds: (nanoseconds % 1_000_000_000) as u32,
        }
    }
}

type Store<'a> = StoreContextMut<'a, Guest>;

/// Gives the guest something to wait for.
pub fn pollable(guest: &mut Guest, pollable: Pollable) -> Resource<Pollable> {
    Resource::new_own(guest.pollables.add(pollable))
}

/// Links the clocks and waiting.
pub fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    link_poll(linker)?;
    let mut wall = linker.instance("wasi:clocks/wall-clock@0.2.0")?;
    wall.func_wrap("now", |mut store: Store, (): ()| {
        Ok((Datetime::of(store.data_mut().clock.read()),))
    })?;
    wall.func_wrap("resolution", |_: Store, (): ()| Ok((Datetime::of(TICK),)))?;

    let mut monotonic = linker.instance("wasi:clocks/monotonic-clock@0.2.0")?;
    monotonic.func_wrap("now", |mut store: Store, (): ()| {
        Ok((store.data_mut().clock.read(),))
    })?;
    monotonic.func_wrap("resolution", |_: Store, (): ()| Ok((TICK,)))?;
    monotonic.func_wrap("subscribe-instant", |mut store: Store, (then,): (u64,)| {
        Ok((pollable(store.data_mut(), Pollable::At(then)),))
    })?;
    monotonic.func_wrap(
        "subscribe-duration",
        |mut store: Store, (duration,): (u64,)| {
            let guest = store.data_mut();
            let then = guest.clock.read().saturating_add(duration);
            Ok((pollable(guest, Pollable::At(then)),))
        },
    )?;
    Ok(())
}

fn link_poll(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut poll = linker.instance("wasi:io/poll@0.2.0")?;
    poll.resource(
        "pollable",
        ResourceType::host::<Pollable>(),
        |mut store, number| {
            store.data_mut().pollables.remove(number);
            Ok(())
        },
    )?;
    poll.func_wrap(
        "[method]pollable.ready",
        |mut store: Store, (this,): (Resource<Pollable>,)| {
            let guest = store.data_mut();
            let then = when(guest, &this)?;
            // Asking takes time, or a loop that asks until it is so would never end.
            let now = guest.clock.read();
            Ok((then.is_some_and(|then| then <= now),))
        },
    )?;
    poll.func_wrap(
        "[method]pollable.block",
        |mut store: Store, (this,): (Resource<Pollable>,)| {
            let guest = store.data_mut();
            let then = when(guest, &this)?.ok_or_else(endless)?;
            guest.clock.pass_until(then);
            Ok(())
        },
    )?;
    poll.func_wrap(
        "poll",
        |mut store: Store, (list,): (Vec<Resource<Pollable>>,)| {
            Ok((wait_for_any(store.data_mut(), &list)?,))
        },
    )?;
    Ok(())
}

/// The positions of those that have happened, in order; time passes until one has.
fn wait_for_any(guest: &mut Guest, list: &[Resource<Pollable>]) -> Result<Vec<u32>, Stop> {
    let mut times = Vec::with_capacity(list.len());
    for one in list {
        times.push(when(guest, one)?);
    }
    if times.is_empty() {
        return Err(Stop::contract(
            "the step waits for nothing: `poll` was called with no pollable",
        ));
    }
    let first = times.iter().flatten().min();
    let first = *first.ok_or_else(endless)?;
    guest.clock.pass_until(first);
    let now = guest.clock.now;
    Ok((0..)
        .zip(times)
        .filter(|(_, then)| then.is_some_and(|then| then <= now))
        .map(|(position, _)| position)
        .collect())
}
