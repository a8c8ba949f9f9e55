//! Memory and tables: how much an instance may have, and what became of its wishes.

use wasmtime::ResourceLimiter;

use super::stop::Stop;
use crate::model::failure::{FailureKind, Limit};
use crate::model::header::Limits;

/// The end of what 32 bits can address.
const ADDRESSABLE: usize = 1 << 32;

/// Counts the memory and the table elements of all memories and tables of an instance together.
///
/// A wish beyond the limit is refused as WebAssembly has it: the guest sees `-1` and may go on.
/// [`Limiter::refused`] tells afterwards, should the guest not have gone on.
#[derive(Debug)]
pub struct Limiter {
    memory: usize,
    max_memory: usize,
    peak: usize,
    elements: usize,
    max_elements: usize,
    refused: Option<Limit>,
}

impl Limiter {
    /// Nothing used, and the limits of a task.
    pub fn new(limits: &Limits) -> Self {
        Self {
            memory: 0,
            max_memory: (limits.memory_mib as usize) << 20,
            peak: 0,
            elements: 0,
            max_elements: limits.table_elements as usize,
            refused: None,
        }
    }

    /// The most memory that the instance had, in bytes.
    pub fn peak(&self) -> u64 {
        self.peak as u64
    }

    /// The limit that a wish went beyond, if one did.
    pub fn refused(&self) -> Option<Limit> {
        self.refused
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired > maximum.unwrap_or(ADDRESSABLE).min(ADDRESSABLE) {
            // The module's own bound, not ours.
            return Ok(false);
        }
        let total = self.memory.saturating_add(desired - current);
        if total > self.max_memory {
            self.refused = Some(Limit::Memory);
            return Ok(false);
        }
        self.memory = total;
        self.peak = self.peak.max(total);
        Ok(true)
    }

    /// Only the machine's lack of memory gets here, and that must not decide what a guest does.
    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        let message = format!("the machine has no memory left for the step: {error}");
        Err(Stop::new(FailureKind::Infrastructure, message).into())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let total = self.elements.saturating_add(desired - current);
        // Before the module's own bound, because a pool's is told as if it were that.
        if total > self.max_elements {
            self.refused = Some(Limit::Tables);
            return Ok(false);
        }
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.elements = total;
        Ok(true)
    }

    fn table_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        let message = format!("the machine has no memory left for the step's tables: {error}");
        Err(Stop::new(FailureKind::Infrastructure, message).into())
    }
}
