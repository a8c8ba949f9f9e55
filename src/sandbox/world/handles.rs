//! Numbers for what a guest holds on the host's side.

use super::stop::Stop;

/// Things with a number, which is free again after removal.
#[derive(Debug)]
pub struct Handles<T> {
    slots: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Handles<T> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Handles<T> {
    /// Keeps `thing` and gives its number.
    ///
    /// The guest's own table of handles is bounded by wasmtime, so this one is as well.
    pub fn add(&mut self, thing: T) -> u32 {
        if let Some(number) = self.free.pop() {
            self.slots[number as usize] = Some(thing);
            return number;
        }
        self.slots.push(Some(thing));
        (self.slots.len() - 1) as u32
    }

    /// The thing of this number.
    ///
    /// # Errors
    /// When there is none: wasmtime checks handles, so this is a defect and not the guest's doing.
    pub fn get(&mut self, number: u32) -> Result<&mut T, Stop> {
        self.slots
            .get_mut(number as usize)
            .and_then(Option::as_mut)
            .ok_or_else(|| {
                Stop::contract(format!(
                    "the step used the handle {number}, which is not open"
                ))
            })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// The first thing, in the order of the numbers, that is the one.
    pub fn find(&self, is_it: impl Fn(&T) -> bool) -> Option<u32> {
        let found = self
            .slots
            .iter()
            .position(|slot| slot.as_ref().is_some_and(&is_it));
        found.map(|at| at as u32)
    }

    /// Takes the thing of this number out.
    pub fn remove(&mut self, number: u32) -> Option<T> {
        let thing = self.slots.get_mut(number as usize)?.take();
        if thing.is_some() {
            self.free.push(number);
        }
        thing
    }
}
