//! What a join brings together.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::artifact::{Artifacts, From as Source, FromBranch};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::memory::Memory;

/// The branches that a join brings together, in order.
///
/// After a foreach: one for each element, in the order of the list. After a split: one for each step
/// of the split, in the order of its `next`. Branches are read one at a time, when they are asked
/// for, so a join over a hundred thousand needs the memory of one:
///
/// ```
/// use wrun_sdk::prelude::*;
///
/// #[derive(Artifacts)]
/// struct Counted {
///     words: u64,
/// }
///
/// fn total(counted: Inputs<Counted>) -> Result<u64> {
///     let mut total = 0;
///     for branch in counted.iter() {
///         total += branch?.words;
///     }
///     Ok(total)
/// }
///
/// let branches = Inputs::from(vec![Counted { words: 2 }, Counted { words: 3 }]);
/// assert_eq!(total(branches).unwrap(), 5);
/// ```
///
/// What is read of each branch are the fields of `T`, nothing else.
pub struct Inputs<T> {
    host: Arc<dyn Host>,
    count: u32,
    of: PhantomData<fn() -> T>,
}

impl<T: FromBranch> Inputs<T> {
    pub(crate) fn new(host: Arc<dyn Host>) -> Self {
        let count = host.branches();
        Self {
            host,
            count,
            of: PhantomData,
        }
    }

    /// How many branches there are.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there are none: the list of the foreach was empty.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Reads branch `index`, from 0.
    ///
    /// # Errors
    /// When there is no such branch, when it did not write what is read, or wrote another type.
    pub fn get(&self, index: usize) -> Result<T> {
        T::read(&Source::Branch(&*self.host, self.check(index)?))
    }

    /// The task at the end of branch `index`, e.g. `count/7`.
    ///
    /// # Errors
    /// When there is no such branch.
    pub fn task(&self, index: usize) -> Result<String> {
        Ok(self.host.branch_task(self.check(index)?))
    }

    /// Reads the branch of a split that ends with this step.
    ///
    /// # Errors
    /// When no branch ends with it, and as for [`get`](Inputs::get).
    pub fn of_step(&self, step: &str) -> Result<T> {
        let ends = |task: &str| task.split_once('/').is_some_and(|(of, _)| of == step);
        match (0..self.count).find(|&branch| ends(&self.host.branch_task(branch))) {
            Some(branch) => self.get(branch as usize),
            None => Err(Error::new(format_args!("no branch ends with step `{step}`")).fatal()),
        }
    }

    /// Reads the branches one after the other.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter {
            inputs: self,
            next: 0,
            end: self.count,
        }
    }

    fn check(&self, index: usize) -> Result<u32> {
        match u32::try_from(index) {
            Ok(index) if index < self.count => Ok(index),
            _ => Err(Error::new(format_args!(
                "there is no branch {index}: the join has {} branches, counted from 0",
                self.count
            ))
            .fatal()),
        }
    }
}

impl<T: Artifacts + FromBranch> Inputs<T> {
    /// The branches of a split for a unit test: the step at the end of each, and what it wrote.
    pub fn from_steps<'a>(branches: impl IntoIterator<Item = (&'a str, T)>) -> Self {
        let named = branches
            .into_iter()
            .map(|(step, branch)| (format!("{step}/-"), branch));
        Self::in_memory(named)
    }

    fn in_memory(branches: impl Iterator<Item = (String, T)>) -> Self {
        let stored = branches.map(|(task, branch)| {
            let host = Memory::new();
            let wrote = branch.write(&host);
            wrote.expect("the artifacts of a test can be written");
            (task, host.take_writes())
        });
        Self::new(Arc::new(Memory::new().with_branches(stored.collect())))
    }
}

/// The branches of a foreach, for a unit test.
///
/// # Panics
/// When one of them cannot be written, as the step that writes it would fail.
impl<T: Artifacts + FromBranch> From<Vec<T>> for Inputs<T> {
    fn from(branches: Vec<T>) -> Self {
        let named = branches.into_iter().enumerate();
        Self::in_memory(named.map(|(index, branch)| (format!("branch/{index}"), branch)))
    }
}

impl<T> fmt::Debug for Inputs<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inputs")
            .field("len", &self.count)
            .finish_non_exhaustive()
    }
}

impl<'a, T: FromBranch> IntoIterator for &'a Inputs<T> {
    type Item = Result<T>;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

/// Reads branches one after the other, from both ends.
#[derive(Debug)]
pub struct Iter<'a, T> {
    inputs: &'a Inputs<T>,
    next: u32,
    end: u32,
}

impl<T: FromBranch> Iterator for Iter<'_, T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        let branch = (self.next < self.end).then_some(self.next)?;
        self.next += 1;
        Some(self.inputs.get(branch as usize))
    }

    /// Skips without reading.
    fn nth(&mut self, n: usize) -> Option<Result<T>> {
        let n = u32::try_from(n).unwrap_or(u32::MAX);
        self.next = self.next.saturating_add(n).min(self.end);
        self.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.end - self.next) as usize;
        (left, Some(left))
    }
}

impl<T: FromBranch> ExactSizeIterator for Iter<'_, T> {}

impl<T: FromBranch> DoubleEndedIterator for Iter<'_, T> {
    fn next_back(&mut self) -> Option<Result<T>> {
        (self.next < self.end).then_some(())?;
        self.end -= 1;
        Some(self.inputs.get(self.end as usize))
    }
}
